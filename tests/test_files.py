"""Files in a class, on a disk and in a bucket: sent in chunks, checked when whole, shared once, and removed."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from classwaves.files import CHUNK, session_of
from classwaves.store.base import Upload
from tests.support.apps import AppFactory, state_of
from tests.support.tabs import Classroom, Tab, open_classroom
from tests.support.uploads import PNG, Sent, patterned
from tests.support.uploads import place as place
from tests.support.uploads import room as room
from tests.support.uploads import s3 as s3
from tests.support.uploads import s3_process as s3_process

LONG = patterned(2 * CHUNK + 1000)

Refusal = tuple[str, str | None]


def refusal(ack: dict[str, Any]) -> Refusal:
    """Return the code and the reason of a refusal."""
    assert not ack["ok"], ack
    return ack["error"]["code"], ack["error"].get("details", {}).get("reason")


def uploads(room: Classroom) -> list[Upload]:
    state = state_of(room.app)
    return state.store.uploads(state.hub.find(room.code))


def kept(room: Classroom) -> list[str]:
    """Return the ids of the files of which there is a chunk."""
    state = state_of(room.app)
    return state.hub.files.storage.files(state.hub.find(room.code))


def of(tab: Tab, room: Classroom, data: bytes = b"hello", **more: Any) -> Sent:
    """Return a file that somebody is about to send."""
    return Sent(tab.ask, room.code, data, **more)


def test_a_file_is_shared(room: Classroom) -> None:
    ada, bob = room.joined("Ada"), room.joined("Bob")
    ada.take()
    sent = of(ada, room, LONG, name="../Our notes.txt")
    begun = sent.start()
    assert begun == {"ok": True, "fileId": sent.file_id, "chunkSize": CHUNK, "nextIndex": 0, "complete": False}
    sent.chunks()
    assert bob.take() == []
    ack = sent.complete()
    assert set(ack) == {"ok", "seq", "timestamp"}
    told = {
        "sessionCode": room.code,
        "fileId": sent.file_id,
        "userId": "ada",
        "clientFileId": "f1",
        "fileName": "Our notes.txt",
        "mimeType": "text/plain",
        "size": len(LONG),
        "sha256": hashlib.sha256(LONG).hexdigest(),
        "url": f"/api/v1/files/{sent.file_id}",
        "seq": ack["seq"],
        "timestamp": ack["timestamp"],
    }
    assert ada.take_only("fileShared") == told
    assert bob.take_only("fileShared") == told
    assert uploads(room) == []
    later = room.tab("Cid").join(room.code)
    assert later["files"] == [{key: value for key, value in told.items() if key != "sessionCode"}]
    # asked for again, whatever is lost
    assert sent.complete() == ack
    assert sent.chunk(2) == {"ok": True, "nextIndex": 3}
    assert sent.start() == {**begun, "nextIndex": 3, "complete": True}
    ada.take()
    assert bob.take_only("presenceUpdated")["userId"] == "cid"


@pytest.mark.parametrize("data", [b"", b"x", b"x" * CHUNK, b"x" * (CHUNK + 1)], ids=["0", "1", "chunk", "chunk+1"])
def test_sizes(room: Classroom, data: bytes) -> None:
    sent = of(room.joined("Ada"), room, data)
    sent.share()
    files = state_of(room.app).hub.files
    assert b"".join(files.read(sent.file_id, 0, len(data))) == data


def test_chunks_come_in_order_and_twice(room: Classroom) -> None:
    ada = room.joined("Ada")
    sent = of(ada, room, LONG)
    sent.start()
    wrong = sent.chunk(1)
    assert wrong["error"]["code"] == "INVALID_PAYLOAD"
    assert wrong["error"]["details"] == {"index": ["This chunk is not the next one."], "nextIndex": 0}
    sent.chunks(stop=2)
    assert sent.chunk(0) == {"ok": True, "nextIndex": 2}
    assert sent.chunk(1, b"x" * CHUNK) == {"ok": True, "nextIndex": 2}, "what came is not exchanged"
    for index, data in [(2, b""), (2, b"x" * 999), (2, b"x" * 1001), (3, b"x"), (2**53, b"x")]:
        assert sent.chunk(index, data)["error"]["code"] == "INVALID_PAYLOAD"
    assert refusal(sent.complete()) == ("CONFLICT", "incomplete")
    again = of(room.joined("Ada"), room, LONG)  # another tab, or the same after a reload
    assert again.start()["nextIndex"] == 2
    again.chunks(2)
    assert again.chunk(3, b"x")["error"]["details"]["nextIndex"] == 3
    assert again.complete()["ok"]


def test_what_is_not_what_was_said_is_rejected(room: Classroom) -> None:
    ada, bob = room.joined("Ada"), room.joined("Bob")
    for client_id, data, mime_type, changes, reason in [
        ("hash", LONG, "text/plain", {"sha256": "0" * 64}, "hash"),
        ("text", PNG, "text/plain", {}, "type"),
        ("pdf", b"%PDF-1.4 only seven bits", "text/plain", {}, "type"),
        ("image", b"<svg/>", "image/png", {}, "type"),
        ("unknown", LONG, "application/x-made-up", {}, "type"),
    ]:
        sent = of(ada, room, data, mime_type=mime_type, client_id=client_id)
        sent.start(**changes)
        sent.chunks()
        bob.take()
        assert refusal(sent.complete()) == ("FILE_REJECTED", reason)
        assert refusal(sent.complete()) == ("FILE_NOT_FOUND", None)
        assert bob.take() == []
    assert kept(room) == []
    assert uploads(room) == []


def test_a_file_that_has_changed_where_it_is_kept_is_rejected(room: Classroom) -> None:
    ada = room.joined("Ada")
    storage = state_of(room.app).hub.files.storage
    for change, expected in [(b"x" * 1000, ("FILE_REJECTED", "hash")), (b"x", ("FILE_REJECTED", "size"))]:
        sent = of(ada, room, LONG)
        sent.start()
        sent.chunks(stop=2)
        storage.put(session_of(sent.file_id), sent.file_id, 2, change)
        sent.chunks(2)
        assert refusal(sent.complete()) == expected
    sent.start()
    sent.chunks()
    storage.delete(session_of(sent.file_id), sent.file_id)
    assert refusal(sent.complete()) == ("FILE_NOT_FOUND", None)


def test_all_kinds_are_told_apart(room: Classroom) -> None:
    ada = room.joined("Ada")
    of(ada, room, PNG, mime_type="Image/PNG", client_id="png").share()
    of(ada, room, b"\0\1\2", mime_type="application/octet-stream", client_id="bytes").share()
    of(ada, room, b"<html>", mime_type="text/html; charset=utf-8", client_id="html").share()
    joined = room.tab("Bob").join(room.code)
    assert [one["mimeType"] for one in joined["files"]] == ["image/png", "application/octet-stream", "text/html"]


def test_two_files_under_one_name_are_a_mistake(room: Classroom) -> None:
    ada = room.joined("Ada")
    sent = of(ada, room)
    sent.start()
    assert refusal(of(ada, room, b"other").start()) == ("CONFLICT", None)
    assert of(room.joined("Bob"), room, b"other").start()["ok"], "it is each user's own"
    sent.share()
    assert refusal(of(ada, room, b"other").start()) == ("CONFLICT", None)


def test_giving_up(room: Classroom) -> None:
    ada = room.joined("Ada")
    sent = of(ada, room, LONG)
    sent.start()
    sent.chunks(stop=1)
    assert kept(room) == [sent.file_id]
    cancel = {"fileId": sent.file_id}
    assert refusal(room.teacher().ask("fileCancel", cancel)) == ("FORBIDDEN", "notOwner")
    assert ada.ask("fileCancel", cancel) == {"ok": True}
    assert kept(room) == []
    assert refusal(ada.ask("fileCancel", cancel)) == ("FILE_NOT_FOUND", None)
    assert refusal(sent.chunk(1)) == ("FILE_NOT_FOUND", None)
    assert sent.start()["nextIndex"] == 0
    store = state_of(room.app).store
    store.seal_upload(session_of(sent.file_id), sent.file_id, "sealed")  # it is being completed elsewhere
    assert refusal(ada.ask("fileCancel", {"fileId": sent.file_id})) == ("CONFLICT", None)
    assert refusal(sent.chunk(0)) == ("CONFLICT", None)


def test_removing(room: Classroom) -> None:
    teacher, ada, bob = room.teacher(), room.joined("Ada"), room.joined("Bob")
    one, two = of(ada, room, client_id="one"), of(ada, room, client_id="two")
    for sent in (one, two):
        sent.share()
    about = {"sessionCode": room.code, "fileId": one.file_id}
    assert refusal(bob.ask("removeFile", about)) == ("FORBIDDEN", "notOwner")
    for tab in (teacher, ada, bob):
        tab.take()
    ack = ada.ask("removeFile", about)
    assert ack["ok"], ack
    told = {**about, "removedBy": "ada", "seq": ack["seq"], "timestamp": ack["timestamp"]}
    assert [tab.take_only("fileRemoved") for tab in (teacher, ada, bob)] == [told] * 3
    assert ada.ask("removeFile", about) == ack, "the first answer"
    assert refusal(teacher.ask("removeFile", about)) == ("FILE_NOT_FOUND", None)
    assert kept(room) == [two.file_id]
    assert teacher.ask("removeFile", {"sessionCode": room.code, "fileId": two.file_id})["ok"]
    assert room.tab("Cid").join(room.code)["files"] == []
    again = of(ada, room, client_id="one")
    assert again.share()["ok"]
    assert again.file_id != one.file_id


def test_ids_that_are_none(room: Classroom) -> None:
    ada = room.joined("Ada")
    known = session_of(of(ada, room).start()["fileId"])
    for file_id in ("x", "../../../../etc/passwd/../../../x", "a" * 22, "a" * 44, known + "b" * 22, "/" * 60):
        for event, more in [("fileChunk", {"index": 0, "data": b"x"}), ("fileComplete", {}), ("fileCancel", {})]:
            code, _ = refusal(ada.ask(event, {"fileId": file_id, **more}))
            assert code in ("FILE_NOT_FOUND", "SESSION_NOT_FOUND"), (file_id, code)
        assert refusal(ada.ask("removeFile", {"sessionCode": room.code, "fileId": file_id}))[0] == "FILE_NOT_FOUND"


def test_another_sessions_file_is_reached_by_its_members_alone(room: Classroom) -> None:
    elsewhere = open_classroom(room.app)
    ada, eve = room.joined("Ada"), elsewhere.joined("Eve")
    sent = of(ada, room)
    sent.start()
    assert refusal(eve.ask("fileChunk", {"fileId": sent.file_id, "index": 0, "data": b"x"})) == ("NOT_IN_SESSION", None)
    sent.share()
    assert (
        refusal(eve.ask("removeFile", {"sessionCode": elsewhere.code, "fileId": sent.file_id}))[0] == "FILE_NOT_FOUND"
    )


MakeRoom = Callable[..., Classroom]


@pytest.fixture
def make_room(make_app: AppFactory) -> MakeRoom:
    """Return a factory of sessions: settings of the server without their prefix, and ``fileSharing``."""

    def make(fileSharing: bool = True, **config: Any) -> Classroom:
        app = make_app(**{f"CLASSWAVES_{name}": value for name, value in config.items()})
        return open_classroom(app, fileSharing=fileSharing)

    return make


def test_there_is_room_for_so_much(make_room: MakeRoom) -> None:
    limits = {"MAX_FILE_BYTES": 100, "SESSION_FILE_BYTES": 250, "SESSION_FILES": 4}
    room = make_room(**limits, USER_UPLOADS=2, SESSION_UPLOADS=3)
    ada, bob, cid = (room.joined(name) for name in ("Ada", "Bob", "Cid"))
    large = of(ada, room, b"x" * 101).start()
    assert refusal(large) == ("FILE_REJECTED", "size")
    assert large["error"]["details"]["maxBytes"] == 100
    for client_id in ("1", "2"):
        assert of(ada, room, b"x" * 80, client_id=client_id).start()["ok"]
    assert refusal(of(ada, room, b"x", client_id="3").start()) == ("FILE_REJECTED", "uploads")
    assert refusal(of(bob, room, b"x" * 91, client_id="3").start()) == ("FILE_REJECTED", "quota")
    assert of(bob, room, b"x" * 10, client_id="3").start()["ok"]
    assert refusal(of(cid, room, b"x").start()) == ("FILE_REJECTED", "uploads")
    of(ada, room, b"x" * 80, client_id="1").share()
    of(ada, room, b"x" * 80, client_id="2").share()
    assert refusal(of(cid, room, b"x" * 81).start()) == ("FILE_REJECTED", "quota"), "what is shared counts"
    last = of(cid, room, b"x" * 80)
    last.share()
    assert refusal(of(cid, room, b"", client_id="5").start()) == ("FILE_REJECTED", "files")
    assert cid.ask("removeFile", {"sessionCode": room.code, "fileId": last.file_id})["ok"]
    assert of(cid, room, b"x" * 80, client_id="6").start()["ok"]


def test_only_some_types_are_shared(make_room: MakeRoom) -> None:
    room = make_room(FILE_TYPES="image/*,application/pdf")
    ada = room.joined("Ada")
    assert refusal(of(ada, room).start()) == ("FILE_REJECTED", "type")
    assert of(ada, room, PNG, mime_type="image/png").share()["ok"]


@pytest.mark.parametrize(
    "config",
    [{"fileSharing": False}, {"FILES": "none"}, {"MAX_PACKET_BYTES": 300_000}],
    ids=["session", "none", "packet"],
)
def test_where_no_files_are_shared(make_room: MakeRoom, config: dict[str, Any]) -> None:
    room = make_room(**config)
    for tab in (room.teacher(), room.joined("Ada")):
        assert refusal(of(tab, room).start()) == ("FORBIDDEN", "fileSharing")


def test_sharing_may_end_while_a_file_is_on_its_way(room: Classroom) -> None:
    teacher, ada, muted = room.teacher(), room.joined("Ada"), room.joined("Max")
    sent, other = of(ada, room, LONG), of(muted, room)
    sent.start()
    sent.chunks(stop=1)
    other.start()
    mute = {"sessionCode": room.code, "userId": "max", "muted": True}
    assert teacher.ask("muteParticipant", mute)["ok"]
    assert refusal(other.chunk(0)) == ("FORBIDDEN", "muted")
    assert teacher.ask("setSessionMode", {"sessionCode": room.code, "mode": "focus"})["ok"]
    assert refusal(sent.chunk(1)) == ("FORBIDDEN", "focus")
    of(teacher, room).share()
    assert teacher.ask("setSessionMode", {"sessionCode": room.code, "mode": "open"})["ok"]
    sent.chunks(1)
    room.step("end")
    assert refusal(sent.complete()) == ("SESSION_ENDED", None)


def test_chunks_have_a_rate_of_their_own(make_app: AppFactory) -> None:
    config = {"CLASSWAVES_CHUNK_RATE": "3/minute", "CLASSWAVES_EVENT_RATE": "6/minute"}
    room = open_classroom(make_app(CLASSWAVES_RATELIMIT_ENABLED=True, **config))
    ada = room.joined("Ada")
    sent = of(ada, room, LONG)
    sent.share()
    assert sent.chunk(0)["error"]["code"] == "RATE_LIMIT"
    assert sent.chunk(0)["error"]["retryAfterMs"] > 0
    for _ in range(3):
        ada.say(room.code, "still free to speak")
