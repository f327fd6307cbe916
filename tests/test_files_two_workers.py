"""Two workers on one Redis and one storage: a file is shared once, and the room for files is given out once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from classwaves.files import CHUNK
from classwaves.models import SessionRecord
from tests.support.hubs import Worker
from tests.support.stores import PATIENT, at_once, new_session, redis_store
from tests.support.uploads import Sent, patterned
from tests.support.waiting import eventually

LONG = patterned(2 * CHUNK + 10)


class Both:
    """Two workers, and a session in which everybody has a socket on each of them."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        config = {"FILES": str(folder), "SESSION_FILE_BYTES": 5 * len(LONG), "SESSION_UPLOADS": 50}
        self.folder = folder
        self.workers = [Worker(redis_store(redis_url, timeout=PATIENT), **config) for _ in range(2)]
        self.session: SessionRecord = new_session(self.workers[0].store, owner="grace")

    def sent(self, user: str, at: int, client_id: str = "f1", data: bytes = LONG) -> Sent:
        """Return a file that a user is about to send from a new socket on one of the workers."""
        worker = self.workers[at]
        role = "teacher" if user == "grace" else "student"
        connection = worker.joined(self.session, user, role, f"{user} {client_id} {at} {len(worker.connections)}")

        def ask(event: str, body: dict[str, Any]) -> dict[str, Any]:
            return worker.send(connection, event, body)

        return Sent(ask, self.session.code, data, client_id=client_id)

    def log(self, *events: str) -> list[str]:
        """Return the ids of the files that the log speaks of in these events."""
        entries = self.workers[0].store.read(self.session.id, 0, 10_000)
        return [entry.draft.data["fileId"] for entry in entries if entry.draft.event in events]

    def close(self) -> None:
        for worker in self.workers:
            worker.close()


@pytest.fixture
def both(redis_url: str, tmp_path: Path) -> Iterator[Both]:
    both = Both(redis_url, tmp_path)
    yield both
    both.close()


def test_an_upload_goes_on_at_another_worker(both: Both) -> None:
    here, there = both.sent("ann", 0), both.sent("ann", 1)
    here.start()
    here.chunks(stop=1)
    assert there.start()["nextIndex"] == 1
    there.chunks(1)
    ack = there.complete()
    assert here.complete() == ack
    both.sent("bob", 0)
    told = eventually(lambda: both.workers[0].sockets.of("bob f1 0 1", "sessionJoined"), what="a snapshot")
    assert [file["fileId"] for file in told[0]["files"]] == [here.file_id]


def test_completed_at_once_it_is_shared_once(both: Both) -> None:
    tabs = [both.sent("ann", number % 2) for number in range(6)]
    for tab in tabs:
        tab.start()
    tabs[0].chunks()
    acks = at_once(6, lambda number: tabs[number].complete())
    assert acks == [acks[0]] * 6
    assert acks[0]["ok"]
    assert both.log("fileShared") == [tabs[0].file_id]


def test_a_chunk_from_both_is_kept_once(both: Both) -> None:
    tabs = [both.sent("ann", number % 2) for number in range(4)]
    for tab in tabs:
        tab.start()
    for index in range(3):
        acks = at_once(4, lambda number, at=index: tabs[number].chunk(at))  # type: ignore[misc]
        assert acks == [{"ok": True, "nextIndex": index + 1}] * 4
    assert tabs[0].complete()["ok"]


def test_the_room_is_given_out_once(both: Both) -> None:
    """For five files; ten students come at the same moment, and each does all of it."""
    students = [both.sent(f"user{number}", number % 2) for number in range(10)]

    def share(number: int) -> bool:
        ack = students[number].start()
        if not ack["ok"]:
            assert ack["error"]["details"] == {"reason": "quota"}
            return False
        students[number].chunks()
        assert students[number].complete()["ok"]
        return True

    assert sum(at_once(10, share)) == 5
    assert len(both.log("fileShared")) == 5
    assert len(list(both.folder.glob("*/*"))) == 5


def test_a_class_that_shares_at_once_is_not_refused(both: Both) -> None:
    """What has changed meanwhile is looked at again, as often as it takes."""
    students = [[both.sent(f"user{number}", number % 2, name, b"hello") for name in "abc"] for number in range(30)]

    def share(number: int) -> None:
        for sent in students[number]:
            sent.share()

    at_once(30, share)
    assert len(both.log("fileShared")) == 90


@pytest.mark.parametrize("stage", ["sealed", "checked"])
def test_what_a_worker_died_over_is_completed_by_another(both: Both, stage: str) -> None:
    here, there = both.sent("ann", 0), both.sent("ann", 1)
    here.start()
    here.chunks()
    both.workers[0].store.seal_upload(both.session.id, here.file_id, stage)
    assert there.start()["nextIndex"] == 3
    assert there.complete()["ok"]
    assert both.log("fileShared") == [here.file_id]
    assert both.workers[0].store.uploads(both.session.id) == []


def test_removed_by_both_at_once(both: Both) -> None:
    sent = both.sent("ann", 0)
    sent.share()
    grace = [both.sent("grace", number % 2) for number in range(4)]
    about = {"sessionCode": both.session.code, "fileId": sent.file_id}
    acks = at_once(4, lambda number: grace[number].ask("removeFile", about))
    assert acks == [acks[0]] * 4, "the first answer"
    assert both.log("fileRemoved") == [sent.file_id]
    assert list(both.folder.glob("*/*")) == []


def test_a_chunk_that_comes_too_late_deletes_nothing(both: Both) -> None:
    """A slow storage holds the last chunk of a lost connection, while the upload is taken up again and completed."""
    lost, again = both.sent("ann", 0), both.sent("ann", 1)
    lost.start()
    lost.chunks(stop=2)
    storage = both.workers[0].hub.files.storage
    put = storage.put

    def put_late(session_id: str, file_id: str, index: int, data: bytes) -> None:
        put(session_id, file_id, index, data)
        if again.start()["nextIndex"] == 2:
            again.chunks(2)
            assert again.complete()["ok"]

    storage.put = put_late  # type: ignore[method-assign]
    assert lost.chunk(2)["error"]["code"] == "FILE_NOT_FOUND"
    assert len(list(both.folder.glob("*/*/*"))) == 3
    assert both.log("fileShared") == [lost.file_id]


def test_what_is_shared_while_it_is_cancelled_is_kept(both: Both) -> None:
    """A cancel finds the file sealed, and then no upload any more, because it has been shared."""
    here, there = both.sent("ann", 0), both.sent("ann", 1)
    for tab in (here, there):
        tab.start()
    here.chunks()
    store = both.workers[1].store
    store.seal_upload(both.session.id, here.file_id, "checked")
    end = store.end_upload

    def complete_then(session_id: str, file_id: str, *, only_open: bool = False) -> bool:
        ended = end(session_id, file_id, only_open=only_open)
        assert here.complete()["ok"]
        return ended

    store.end_upload = complete_then  # type: ignore[method-assign]
    assert there.ask("fileCancel", {"fileId": here.file_id})["error"]["code"] == "FILE_NOT_FOUND"
    assert [file.name for file in both.folder.glob("*/*")] == both.log("fileShared") == [here.file_id]


def test_cancelled_while_it_is_completed(both: Both) -> None:
    """Either it is shared whole, or it is gone."""
    for number in range(6):
        tabs = [both.sent("ann", at, client_id=str(number)) for at in (0, 1)]
        for tab in tabs:
            tab.start()
        tabs[0].chunks()
        file_id = tabs[0].file_id

        def step(which: int, tabs: list[Sent] = tabs, file_id: str = file_id) -> dict[str, Any]:
            return tabs[1].ask("fileCancel", {"fileId": file_id}) if which else tabs[0].complete()

        done, cancelled = at_once(2, step)
        kept = {file.name for file in both.folder.glob("*/*")}
        assert done["ok"] == (file_id in kept) == (file_id in both.log("fileShared"))
        assert done["ok"] or cancelled["ok"]
        if done["ok"]:
            assert tabs[1].ask("removeFile", {"sessionCode": both.session.code, "fileId": file_id})["ok"]
