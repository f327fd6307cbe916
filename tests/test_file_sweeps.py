"""What nobody needs any more goes: uploads never ended, files that no log knows, files of sessions that are gone."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from classwaves.connections import Connection
from classwaves.files import CHUNK, session_of
from classwaves.models import SessionRecord
from classwaves.store import MemoryStore
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.stores import KINDS, LIMITS, ManualClock, at_once, new_session, redis_store
from tests.support.uploads import Sent, patterned
from tests.support.waiting import eventually

LONG = patterned(CHUNK + 10)
SOON = 2.0
"""After so many seconds an upload is given up, where a test waits for that."""


class Lesson:
    """A session on one worker, which keeps files in a folder."""

    def __init__(self, workers: list[Worker], folder: Path, **config: Any) -> None:
        self.clock = ManualClock()
        self.folder = folder
        usual = {"FILES": str(folder), "UPLOAD_TIMEOUT": 600}
        self.worker = Worker(MemoryStore(LIMITS, self.clock), **{**usual, **config})
        workers.append(self.worker)
        self.store, self.files = self.worker.store, self.worker.hub.files
        self.session = self.new_session()

    def new_session(self) -> SessionRecord:
        return new_session(self.store, owner="grace")

    def sent(self, user: Connection, data: bytes = LONG, **more: Any) -> Sent:
        code = self.session.code
        return Sent(lambda event, body: self.worker.send(user, event, body), code, data, **more)

    def joined(self, user: str) -> Connection:
        return self.worker.joined(self.session, user)

    def pass_by(self, seconds: float) -> None:
        """Time goes on, for the store and for what is on the disk."""
        self.clock.forward(seconds)
        for file in self.folder.glob("*/*"):
            os.utime(file, (time.time() - seconds,) * 2)

    @property
    def kept(self) -> set[str]:
        return {file.name for file in self.folder.glob("*/*")}


@pytest.fixture
def lesson(workers: list[Worker], tmp_path: Path) -> Lesson:
    return Lesson(workers, tmp_path)


def test_idle_uploads_are_given_up_and_others_are_not(lesson: Lesson) -> None:
    ann, bob = lesson.joined("ann"), lesson.joined("bob")
    idle, whole, busy = lesson.sent(ann), lesson.sent(ann, client_id="whole"), lesson.sent(bob)
    whole.share()
    for sent in (idle, busy):
        sent.start()
        sent.chunks(stop=1)
    lesson.pass_by(590)
    busy.chunks(1)
    lesson.files.sweep()
    assert lesson.kept == {idle.file_id, whole.file_id, busy.file_id}
    lesson.pass_by(20)
    lesson.files.sweep()
    assert lesson.kept == {whole.file_id, busy.file_id}
    assert [one.id for one in lesson.store.uploads(lesson.session.id)] == [busy.file_id]
    assert idle.chunk(1)["error"]["code"] == "FILE_NOT_FOUND"
    assert busy.complete()["ok"]


def test_what_no_log_knows_goes_when_it_is_old(lesson: Lesson) -> None:
    whole = lesson.sent(lesson.joined("ann"))
    whole.share()
    unknown = lesson.session.id + "x" * 22
    lesson.files.storage.put(lesson.session.id, unknown, 0, b"of a worker that died")
    lesson.files.sweep()
    assert lesson.kept == {whole.file_id, unknown}
    lesson.pass_by(1000)
    for _ in range(2):
        lesson.files.sweep()
        assert lesson.kept == {whole.file_id}


def test_what_is_not_ours_stays(lesson: Lesson) -> None:
    """Somebody has named a folder in which there was something else."""
    theirs = ["Documents/thesis.odt", "pictures/2024/sea.jpg", f"{'y' * 22}/a.txt", f"{lesson.session.id}/notes/b.txt"]
    for name in theirs:
        (lesson.folder / name).parent.mkdir(parents=True)
        (lesson.folder / name).write_text("theirs")
    gone = new_session(MemoryStore(LIMITS)).id
    lesson.files.storage.put(gone, gone + "x" * 22, 0, b"of a session that is gone")
    lesson.pass_by(1000)
    lesson.files.sweep()
    assert not (lesson.folder / gone).exists()
    assert [name for name in theirs if not (lesson.folder / name).exists()] == []


def test_what_is_removed_while_the_storage_is_away_goes_later(lesson: Lesson) -> None:
    ann = lesson.joined("ann")
    sent, other = lesson.sent(ann), lesson.sent(ann, client_id="other")
    for one in (sent, other):
        one.share()
    lesson.pass_by(1000)
    lesson.files.sweep()
    away = lesson.folder.with_name("away")
    lesson.folder.rename(away)
    lesson.folder.write_text("in the way")
    assert lesson.worker.send(ann, "removeFile", {"sessionCode": lesson.session.code, "fileId": sent.file_id})["ok"]
    lesson.folder.unlink()
    away.rename(lesson.folder)
    assert lesson.kept == {sent.file_id, other.file_id}
    for _ in range(2):
        lesson.files.sweep()
        assert lesson.kept == {other.file_id}


def test_an_upload_that_is_shared_and_not_forgotten_is_kept(lesson: Lesson) -> None:
    """The worker died between the append and the end of the upload."""
    sent = lesson.sent(lesson.joined("ann"))
    begun = sent.start()
    sent.chunks()
    upload = lesson.store.upload(lesson.session.id, begun["fileId"])
    assert upload
    assert sent.complete()["ok"]
    lesson.store._sessions[lesson.session.id].uploads[upload.id] = upload, lesson.clock()  # type: ignore[attr-defined]
    lesson.pass_by(1000)
    lesson.files.sweep()
    assert lesson.store.uploads(lesson.session.id) == []
    assert lesson.kept == {sent.file_id}


def test_a_file_that_is_shared_at_last_is_not_swept_at_that_moment(lesson: Lesson) -> None:
    """The store was away after the check, for longer than an upload may lie idle."""
    sent = lesson.sent(lesson.joined("ann"))
    sent.start()
    sent.chunks()
    lesson.store.seal_upload(lesson.session.id, sent.file_id, "checked")
    lesson.pass_by(1000)
    append = lesson.store.append

    def sweep_first(*args: Any, **more: Any) -> Any:
        lesson.files.sweep()
        return append(*args, **more)

    lesson.store.append = sweep_first  # type: ignore[method-assign]
    assert sent.complete()["ok"]
    assert lesson.kept == {sent.file_id}


def test_files_go_with_their_session_unless_they_are_kept(lesson: Lesson) -> None:
    sent = lesson.sent(lesson.joined("ann"))
    sent.share()
    lesson.store.expire(lesson.session, 10)
    lesson.clock.forward(11)
    lesson.files.sweep()
    assert lesson.kept == {sent.file_id}, "it is not old"
    lesson.pass_by(1000)
    lesson.files.kept = lambda session_id: [sent.file_id] if session_id == lesson.session.id else None
    lesson.files.sweep()
    assert lesson.kept == {sent.file_id}
    lesson.files.kept = lambda session_id: None
    lesson.files.sweep()
    assert list(lesson.folder.iterdir()) == []


def test_a_user_is_forgotten(lesson: Lesson) -> None:
    ann, bob = lesson.joined("ann"), lesson.joined("bob")
    mine, begun, other = lesson.sent(ann), lesson.sent(ann, client_id="begun"), lesson.sent(bob)
    mine.share()
    other.share()
    begun.start()
    begun.chunks(stop=1)
    for _ in range(2):
        assert lesson.files.forget_user(lesson.session.id, "ann") == [mine.file_id]
    assert lesson.kept == {other.file_id}
    assert lesson.store.uploads(lesson.session.id) == []


@pytest.fixture(params=KINDS)
def worker(request: pytest.FixtureRequest, workers: list[Worker], tmp_path: Path) -> Worker:
    """Return a worker that gives uploads up soon."""
    store = redis_store(request.getfixturevalue("redis_url")) if request.param == "redis" else MemoryStore(LIMITS)
    config = {"FILES": str(tmp_path), "UPLOAD_TIMEOUT": SOON, "USER_UPLOADS": 30, "SESSION_UPLOADS": 100}
    workers.append(Worker(store, **config))
    return workers[0]


def test_three_hundred_uploads_begun_and_never_ended(worker: Worker, tmp_path: Path) -> None:
    """In ten sessions of three students; the scheduler does it, on any worker."""
    sessions = [new_session(worker.store, owner="grace") for _ in range(10)]

    def begin(number: int) -> None:
        session, user = sessions[number % 10], f"user{number // 10}"
        connection = worker.joined(session, user, sid=f"{user} {number}")
        for upload in range(10):
            sent = Sent(
                lambda event, body: worker.send(connection, event, body), session.code, LONG, client_id=str(upload)
            )
            assert sent.start()["ok"]
            sent.chunks(stop=1 if upload % 2 else 0)

    with worker.hub.files._sweeping:  # which gives nothing up that is still being begun, however long that takes
        at_once(30, begin)
    eventually(lambda: not any(worker.store.uploads(session.id) for session in sessions), what="all given up")
    eventually(lambda: list(tmp_path.glob("*/*")) == [], what="nothing on the disk")
    assert worker.store.due_uploads(0) == []


def test_a_storage_that_fails_is_swept_another_time(lesson: Lesson, caplog: pytest.LogCaptureFixture) -> None:
    sent = lesson.sent(lesson.joined("ann"))
    sent.share()
    lesson.store.expire(lesson.session, 0)
    lesson.pass_by(1000)
    lesson.folder.rename(lesson.folder.with_name("away"))
    lesson.folder.write_text("in the way")
    caplog.set_level("INFO")
    assert lesson.files._sweeping.acquire()
    lesson.files._sweep_once()
    assert "files are swept another time" in caplog.text
    lesson.folder.unlink()
    lesson.folder.with_name("away").rename(lesson.folder)
    lesson.files.sweep()
    assert lesson.kept == set()
    assert session_of(sent.file_id) == lesson.session.id
