"""Who is muted: everybody who joins is told, and nobody is shown as typing who may not."""

from typing import Any

import pytest

from classwaves.connections import Connection
from classwaves.models import SessionRecord
from classwaves.store import MemoryStore
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.stores import LIMITS, new_session
from tests.support.waiting import eventually

WINDOW = 0.3
BANS: dict[str, dict[str, Any]] = {"muteParticipant": {"muted": True}, "removeParticipant": {}}
"""What keeps somebody from typing."""
NAMES = ("typingUpdated", "participantMuted", "participantRemoved")


class Room:
    """A session, its owner and a student, on a worker that tells of one's typing once in a window."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.session: SessionRecord = new_session(worker.store, owner="olga")
        self.olga = worker.joined(self.session, "olga", "teacher")
        self.sam = worker.joined(self.session, "sam")

    def does(self, who: Connection, event: str, **data: Any) -> dict[str, Any]:
        ack = self.worker.send(who, event, {"sessionCode": self.session.code, **data})
        assert ack["ok"], ack
        return ack

    def type(self, *turns: bool, **group: str) -> None:
        for turn in turns:
            self.does(self.sam, "typing", isTyping=turn, **group)

    def heard(self) -> list[bool | str]:
        """What the owner was told that counts here, in order: whether sam types, and the name of what forbids it."""
        events = self.worker.sockets.inbox["olga"]
        return [data["isTyping"] if name == "typingUpdated" else "banned" for name, data in events if name in NAMES]


@pytest.fixture
def room(workers: list[Worker]) -> Room:
    workers.append(Worker(MemoryStore(LIMITS), EPHEMERAL_WINDOW=WINDOW))
    return Room(workers[0])


@pytest.mark.parametrize("ban", BANS)
@pytest.mark.parametrize("of_a_group", [False, True])
def test_what_waits_for_its_turn_does_not_show_somebody_typing_who_may_not(
    room: Room, ban: str, of_a_group: bool
) -> None:
    group: dict[str, str] = {}
    if of_a_group:
        group["groupId"] = room.does(room.olga, "createGroup", name="group", memberIds=["sam"])["groupId"]
    room.type(True, False, True, **group)
    room.does(room.olga, ban, userId="sam", **BANS[ban])
    eventually(lambda: room.heard()[-1] is False, what="the end of the typing")
    heard = room.heard()
    assert heard[0] is True
    assert True not in heard[heard.index("banned") :]


@pytest.mark.parametrize("ban", BANS)
def test_who_was_typing_does_so_no_longer(room: Room, ban: str) -> None:
    """Long before five seconds without another word would have ended it, as the window does."""
    room.type(True)
    room.does(room.olga, ban, userId="sam", **BANS[ban])
    live = room.worker.hub.view(room.session.id)
    assert live.transient["typing"] == {}
    eventually(lambda: room.heard() == [True, "banned", False], what="the end of the typing")


def test_who_joins_is_told_who_is_muted(room: Room) -> None:
    for user in ("zoe", "eve"):
        room.worker.joined(room.session, user)

    def told(sid: str) -> list[str]:
        room.worker.joined(room.session, "late", sid=sid)
        muted: list[str] = room.worker.sockets.of(sid, "sessionJoined")[0]["muted"]
        return muted

    assert told("1") == []
    for user in ("zoe", "sam"):
        room.does(room.olga, "muteParticipant", userId=user, muted=True)
    assert told("2") == ["sam", "zoe"]
    room.does(room.olga, "muteParticipant", userId="sam", muted=False)
    assert told("3") == ["zoe"]
