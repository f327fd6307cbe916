"""Every server event and every ack is compared with what is declared of it: here at least once, elsewhere by the way.

``tests.support.tabs`` compares whatever a test receives, so this is about what no other test may happen to cause.
"""

import functools
import hashlib
import time
from typing import Any

import jwt
import pytest

from classwaves.users import Users
from tests.support import declared
from tests.support.apps import API, AppFactory, headers_for, state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.tabs import Classroom, Tab, open_classroom
from tests.support.waiting import eventually

KEY = TEST_KEYS["JWT_SECRET_KEY"]

#: Sent by servers that end; ``tests/test_drain.py`` compares it.
ELSEWHERE = {"server-reconnectAdvised"}


def test_a_lesson_in_which_everything_happens(make_app: AppFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declared, "SEEN", set())
    app = make_app(CLASSWAVES_DISCONNECT_GRACE=0.1)
    room = open_classroom(app)
    teacher, ada, bob = room.teacher(), room.joined("Ada"), room.joined("Bob")
    room.step("start")
    lesson(room, teacher, ada, bob)
    share_a_file(room, ada)
    wait_outside(room, teacher)
    logins(room, bob)
    leave(room, teacher, ada, bob)
    room.step("end")
    teacher.take()
    teacher.refused("sendMessage", {"sessionCode": room.code, "message": "too late"})
    assert declared.declared() - declared.SEEN == ELSEWHERE


def done(tab: Tab, room: Classroom, event: str, **fields: Any) -> dict[str, Any]:
    """Send an event that succeeds, and read what has come."""
    ack = tab.ask(event, {"sessionCode": room.code, **fields})
    assert ack["ok"], (event, ack)
    return ack


def came(tab: Tab, event: str) -> Any:
    """The payload of an event, if it has come since the last look."""
    return dict(tab.take()).get(event)


def lesson(room: Classroom, teacher: Tab, ada: Tab, bob: Tab) -> None:
    done(ada, room, "updatePresence", status="idle")
    message = done(ada, room, "sendMessage", message="hello", clientMessageId="1")["messageId"]
    done(bob, room, "sendMessage", message="hi", replyTo=message)
    done(bob, room, "addReaction", messageId=message, emoji="\U0001f44d")
    done(bob, room, "typing", isTyping=True)
    done(bob, room, "markRead", messageId=message)
    done(bob, room, "fetchHistory")
    done(bob, room, "removeReaction", messageId=message, emoji="\U0001f44d")
    group = done(teacher, room, "createGroup", name="Readers", memberIds=["ada"], leaderId="ada")["groupId"]
    done(bob, room, "joinGroup", groupId=group)
    done(ada, room, "sendMessage", message="among us", groupId=group)
    done(ada, room, "setGroupReady", groupId=group, ready=True)
    done(bob, room, "leaveGroup", groupId=group)
    done(teacher, room, "updateGroup", groupId=group, name="Writers", maxSize=3)
    done(teacher, room, "deleteGroup", groupId=group)
    done(teacher, room, "assignGroups", count=1, strategy="random")
    quiz = {"activityId": "quiz", "activityType": "quiz"}
    done(teacher, room, "updateActivity", **quiz, status="started", data={"staffOnly": {"answer": 7}, "ask": "?"})
    done(ada, room, "submitActivityResponse", activityId="quiz", data=7, clientId="1")
    done(ada, room, "raiseHand")
    done(teacher, room, "startTranscription", streamId="s")
    caption = {"segmentId": "1", "text": "so", "startMs": 0, "endMs": 9, "streamId": "s", "language": "en"}
    done(teacher, room, "publishTranscription", **caption, revision=1, isFinal=False)
    done(teacher, room, "publishTranscription", **caption, revision=2, isFinal=True, confidence=0.5)
    assert done(teacher, room, "publishTranscription", **caption, revision=3, isFinal=True)["stale"]
    done(teacher, room, "fetchTranscript")
    assert ada.ask("joinSession", room.code, {"sinceSeq": 1, "epoch": "another"})["ok"]
    done(ada, room, "syncSession", sinceSeq=0, epoch="another")
    assert dict(ada.take())["sessionJoined"]["activity"]["response"] == 7
    assert teacher.ask("joinSession", room.code)["ok"]
    assert dict(teacher.take())["sessionJoined"]["activity"]["responses"]
    done(teacher, room, "stopTranscription", streamId="s", failed=True, reason="no microphone")
    done(ada, room, "lowerHand")
    done(ada, room, "signal", targetUserId="bob", callId="c", type="offer", payload={"sdp": "…"})
    done(teacher, room, "deleteMessage", messageId=message)
    for mode in ("quiz", "open"):
        done(teacher, room, "setSessionMode", mode=mode)
    done(teacher, room, "muteParticipant", userId="bob", muted=True)
    bob.take()


def share_a_file(room: Classroom, ada: Tab) -> None:
    about = {"clientFileId": "f", "fileName": "a.txt", "mimeType": "text/plain", "size": 5}
    sha256 = hashlib.sha256(b"hello").hexdigest()
    file_id = done(ada, room, "fileStart", **about, sha256=sha256)["fileId"]
    assert ada.ask("fileChunk", {"fileId": file_id, "index": 0, "data": b"hello"})["ok"]
    assert ada.ask("fileComplete", {"fileId": file_id})["ok"]
    ada.ask("joinSession", room.code)
    assert dict(ada.take())["sessionJoined"]["files"]
    done(ada, room, "removeFile", fileId=file_id)
    another = done(ada, room, "fileStart", **{**about, "clientFileId": "g"}, sha256=sha256)["fileId"]
    assert ada.ask("fileCancel", {"fileId": another})["ok"]
    ada.take()


def wait_outside(room: Classroom, teacher: Tab) -> None:
    headers = headers_for(room.app, "Grace", "teacher")
    room.app.test_client().patch(
        f"{API}/sessions/{room.code}", json={"settings": {"waitingRoom": True}}, headers=headers
    )
    for name, admitted in (("Dan", True), ("Eve", None)):
        guest = room.guest(name)
        assert guest.ask("joinSession", room.code)["waiting"]
        asked = eventually(lambda: dict(teacher.take()).get("joinRequested"))
        teacher.ask("joinSession", room.code)
        assert dict(teacher.take())["sessionJoined"]["waiting"]
        assert asked is not None
        if admitted:
            done(teacher, room, "admitParticipant", userId=asked["userId"], admitted=True)
            assert eventually(functools.partial(came, guest, "sessionJoined"))
        else:
            guest.vanish()
            assert eventually(lambda: dict(teacher.take()).get("joinWithdrawn"))


def logins(room: Classroom, bob: Tab) -> None:
    assert bob.ask("refreshAuth", {"token": room.token("Bob")})["ok"]
    claims = jwt.decode(room.token("Bob"), KEY, algorithms=["HS256"])
    soon = jwt.encode({**claims, "exp": int(time.time()) + 30}, KEY, "HS256")
    assert "authExpiring" in dict(Tab(room.app, soon).take())
    Users(state_of(room.app).store).set_role("bob", "admin")
    assert eventually(lambda: dict(bob.take()).get("roleChanged")) == {"role": "admin"}
    Users(state_of(room.app).store).set_role("bob", "student")
    assert eventually(lambda: dict(bob.take()).get("roleChanged")) == {"role": "student"}


def leave(room: Classroom, teacher: Tab, ada: Tab, bob: Tab) -> None:
    assert ada.ask("leaveSession", room.code)["ok"]
    done(teacher, room, "removeParticipant", userId="bob")
    assert "sessionLeft" in dict(bob.take())
    ada.take()
