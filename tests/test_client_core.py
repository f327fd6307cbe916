"""The core of ``classwaves.client`` by itself: no server, no clock, no threads."""

import threading
import traceback
from typing import Any

import pytest

from classwaves.client import ClassWavesError
from classwaves.client.actions import Connect, Drop, Refresh, Send
from classwaves.client.calls import MOST_LOSSES, Call, unsendable
from classwaves.client.core import Core
from classwaves.client.requests import PATIENCE
from classwaves.client.session import Session

OK: dict[str, Any] = {"ok": True}
CODE = "ABC234"


def refusal(code: str, **more: Any) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": "", **more}}


def joined(seq: int, epoch: str = "e", recovered: bool = False, missed: tuple[Any, ...] = ()) -> dict[str, Any]:
    about = {"sessionCode": CODE, "seq": seq, "epoch": epoch, "status": "active"}
    return {**about, "recovered": recovered, "missed": list(missed)}


def said(seq: int) -> dict[str, Any]:
    return {"sessionCode": CODE, "seq": seq, "message": str(seq)}


class World:
    """A core, and the time."""

    def __init__(self, refreshes: bool = False, bound: int = 100) -> None:
        self.now = 100.0
        self.core = Core("token", refreshes, threading.Event, bound)
        self.core.open(self.now)

    def step(self, seconds: float = 0.0) -> list[Any]:
        """What there is to do, so much later."""
        self.now += seconds
        self.core.tick(self.now)
        return self.core.take_actions()

    def connect(self) -> int:
        (connect,) = self.step(10)
        assert isinstance(connect, Connect)
        self.core.connected(connect.connection)
        return connect.connection

    def sent(self, seconds: float = 0.0) -> list[Send]:
        return [action for action in self.step(seconds) if isinstance(action, Send)]

    def lose(self) -> None:
        self.core.lost(self.core.connection, self.now)
        self.step()

    def answer(self, send: Send, answer: Any) -> None:
        self.core.answered(send.connection, send.number, answer, self.now)

    def hear(self, name: str, data: dict[str, Any]) -> None:
        self.core.heard(self.core.connection, name, data)

    def enter(self) -> Session:
        """Connect and join."""
        session = self.core.session(CODE)
        self.connect()
        self.core.join(session)
        (join,) = self.sent()
        assert join.arguments == (CODE,)
        self.hear("sessionJoined", joined(5))
        self.answer(join, OK)
        return session

    def say(self, session: Session, timeout: float | None = None, event: str = "sendMessage") -> Call:
        deadline = None if timeout is None else self.now + timeout
        return self.core.call(event, lambda: ({"message": "hi"},), session, deadline)


def code_of(call: Call) -> str:
    with pytest.raises(ClassWavesError) as caught:
        call.result()
    return caught.value.code


def heard(world: World, stream: Any, session: Session) -> list[tuple[str, int | None, bool]]:
    found = []
    while event := world.core.read(stream, session):
        found.append((event.name, event.seq, event.missed))
    return found


def test_what_is_stored_goes_one_after_the_other_and_the_rest_beside_it() -> None:
    """Nothing overtakes what has to be repeated: the events are stored in the order of the calls."""
    world = World()
    session = world.enter()
    for event in ("sendMessage", "sendMessage", "typing", "fileStart", "fileChunk"):
        world.say(session, event=event)
    first, *beside = world.sent()
    assert [send.event for send in beside] == ["typing", "fileStart", "fileChunk"]
    world.answer(first, refusal("SERVICE_UNAVAILABLE", retryAfterMs=1000))
    assert world.sent() == []
    (again,) = world.sent(1)
    world.answer(again, OK)
    (second,) = world.sent()
    world.answer(second, OK)


def test_what_is_given_up_holds_nothing_back() -> None:
    world = World()
    session = world.enter()
    late, forgotten, last = world.say(session, timeout=1), world.say(session), world.say(session)
    assert len(world.sent()) == 1
    assert len(world.sent(1)) == 1
    assert code_of(late) == "TIMEOUT"
    world.core.forget(forgotten)
    (send,) = world.sent()
    world.answer(send, OK)
    assert last.result() == OK


def test_a_rate_limit_is_waited_for() -> None:
    world = World()
    call = world.say(world.enter())
    (first,) = world.sent()
    world.answer(first, refusal("RATE_LIMIT", retryAfterMs=1500))
    assert world.sent(1.4) == []
    (second,) = world.sent(0.2)
    world.answer(second, {"ok": True, "seq": 9})
    assert call.result()["seq"] == 9


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    world = World()
    call = world.say(world.enter(), timeout=1)
    world.answer(world.sent()[0], refusal("RATE_LIMIT", retryAfterMs=1500))
    assert code_of(call) == "RATE_LIMIT"
    assert call.error
    assert call.error.retry_after == 1.5


def test_a_deadline_holds_without_a_connection() -> None:
    world = World()
    session = world.enter()
    world.lose()
    call = world.say(session, timeout=1)
    world.step(1.1)
    assert code_of(call) == "TIMEOUT"


def test_what_was_not_answered_is_sent_again_in_order_after_the_join() -> None:
    world = World()
    session = world.enter()
    calls = [world.say(session, event=event) for event in ("fetchHistory", "fetchTranscript", "sendMessage")]
    first = world.sent()
    world.answer(first[1], OK)
    world.lose()
    world.connect()
    (join,) = world.sent()
    assert join.arguments == (CODE, {"sinceSeq": 5, "epoch": "e"})
    world.hear("sessionJoined", joined(5, recovered=True))
    again = world.sent()
    assert [send.event for send in again] == ["fetchHistory", "sendMessage"]
    world.answer(first[0], OK)
    assert not calls[0].done.is_set(), "an ack of the connection before"
    for send in again:
        world.answer(send, OK)
    assert all(call.done.is_set() for call in calls)


def test_a_signal_is_not_sent_twice() -> None:
    world = World()
    call = world.say(world.enter(), event="signal")
    world.sent()
    world.lose()
    assert code_of(call) == "CONNECTION_LOST"


def test_what_ends_each_connection_is_given_up() -> None:
    world = World()
    session = world.enter()
    call = world.say(session)
    for _ in range(MOST_LOSSES):
        assert not call.done.is_set()
        world.sent()
        world.lose()
        world.connect()
        world.hear("sessionJoined", joined(5, recovered=True))
    assert code_of(call) == "CONNECTION_LOST"


def test_a_connection_without_answers_is_given_up() -> None:
    world = World()
    world.say(world.enter())
    world.sent()
    assert Drop(1) in world.step(PATIENCE + 1)


def test_order_duplicates_missed_and_epochs() -> None:
    world = World()
    session = world.enter()
    stream = world.core.stream(session)
    for seq in (6, 7, 6, 7, 9):
        world.hear("messageReceived", said(seq))
    world.hear("typingUpdated", {"sessionCode": CODE})
    assert [event[1] for event in heard(world, stream, session)] == [6, 7, 9, None]
    world.lose()
    world.connect()
    missed = [{"event": "messageReceived", "data": said(seq)} for seq in (9, 10)]
    world.hear("sessionJoined", joined(12, recovered=True, missed=tuple(missed)))
    world.hear("messageReceived", said(12))
    world.hear("messageReceived", said(13))
    told = heard(world, stream, session)
    assert told == [("messageReceived", 10, True), ("resumed", None, False), ("messageReceived", 13, False)]
    world.hear("sessionJoined", joined(3, epoch="f"))
    world.hear("messageReceived", said(4))
    assert heard(world, stream, session) == [("snapshot", 3, False), ("messageReceived", 4, False)]


def test_a_slow_reader_asks_for_a_snapshot_and_others_go_on() -> None:
    world = World(bound=3)
    session = world.enter()
    slow, quick = world.core.stream(session), world.core.stream(session)
    for seq in (6, 7, 8, 9, 10):
        world.hear("messageReceived", said(seq))
        assert heard(world, quick, session)
    assert world.core.read(slow, session) is None
    (sync,) = world.sent()
    assert sync.event == "syncSession"
    world.answer(sync, {"ok": True, **joined(11)})
    for seq in (11, 12):
        world.hear("messageReceived", said(seq))
    assert [event[1] for event in heard(world, slow, session)] == [11, 12]
    assert [event[1] for event in heard(world, quick, session)] == [11, 12]


def test_what_comes_while_a_slow_reader_waits_for_its_snapshot_follows_it() -> None:
    world = World(bound=3)
    session = world.enter()
    slow = world.core.stream(session)
    for seq in (6, 7, 8, 9):
        world.hear("messageReceived", said(seq))
    assert world.core.read(slow, session) is None
    (sync,) = world.sent()
    for seq in (10, 11):  # the server has made the snapshot between these, and sends its answer after both
        world.hear("messageReceived", said(seq))
    world.hear("presenceUpdated", {"sessionCode": CODE})
    assert world.core.read(slow, session) is None
    world.answer(sync, {"ok": True, **joined(10)})
    assert [event[:2] for event in heard(world, slow, session)] == [
        ("snapshot", 10),
        ("messageReceived", 11),
        ("presenceUpdated", None),
    ]


def test_a_reader_that_loses_more_while_it_waits_asks_again() -> None:
    world = World(bound=3)
    session = world.enter()
    slow = world.core.stream(session)
    for seq in (6, 7, 8, 9):
        world.hear("messageReceived", said(seq))
    world.core.read(slow, session)
    (first,) = world.sent()
    for seq in (10, 11, 12, 13):
        world.hear("messageReceived", said(seq))
    assert world.core.read(slow, session) is None
    (second,) = world.sent()
    world.answer(first, {"ok": True, **joined(9)})
    assert world.core.read(slow, session) is None
    world.answer(second, {"ok": True, **joined(13)})
    assert heard(world, slow, session) == [("snapshot", 13, False)]


def test_a_slow_reader_whose_connection_is_lost_gets_the_newest_snapshot_alone() -> None:
    world = World(bound=3)
    session = world.enter()
    slow = world.core.stream(session)
    for seq in (6, 7, 8, 9):
        world.hear("messageReceived", said(seq))
    world.core.read(slow, session)
    world.sent()
    world.lose()
    world.connect()
    world.sent()
    world.hear("sessionJoined", joined(10, recovered=True, missed=({"event": "messageReceived", "data": said(10)},)))
    (sync,) = world.sent()
    assert sync.event == "syncSession"
    world.answer(sync, {"ok": True, **joined(11)})
    assert heard(world, slow, session) == [("snapshot", 11, False)]


def test_a_slow_reader_gets_a_snapshot_of_the_end() -> None:
    world = World(bound=3)
    session = world.enter()
    slow = world.core.stream(session)
    for seq in (6, 7, 8, 9):
        world.hear("messageReceived", said(seq))
    world.hear("sessionEnded", {"sessionCode": CODE})
    assert world.core.read(slow, session) is None
    assert not slow.over
    (sync,) = world.sent()
    world.answer(sync, {"ok": True, **joined(9), "status": "ended"})
    assert heard(world, slow, session) == [("snapshot", 9, False)]
    assert slow.over


def test_a_slow_reader_of_what_is_about_no_session_goes_on_with_what_comes_then() -> None:
    world = World(bound=3)
    world.connect()
    stream = world.core.stream()
    for name in ("first", "second", "third", "fourth"):
        world.hear(name, {})
    assert world.core.read(stream, None) is None
    world.hear("fifth", {})
    event = world.core.read(stream, None)
    assert event
    assert event.name == "fifth"


def test_a_lost_seat_is_taken_again_before_the_request_is_repeated() -> None:
    world = World()
    session = world.enter()
    call = world.say(session)
    world.answer(world.sent()[0], refusal("NOT_IN_SESSION"))
    (join,) = world.sent()
    assert join.event == "joinSession"
    world.hear("sessionJoined", joined(8))
    world.answer(join, OK)
    world.answer(world.sent()[0], OK)
    assert call.result() == OK


def test_a_token_is_renewed_once_for_a_refusal() -> None:
    world = World(refreshes=True)
    (connect,) = world.step()
    world.core.connect_failed(connect.connection, {"code": "TOKEN_EXPIRED", "message": ""}, world.now)
    assert Refresh() in world.step()
    world.core.refreshed("another", world.now)
    (connect,) = world.step()
    assert connect.token == "another"
    world.core.connect_failed(connect.connection, {"code": "SESSION_EXPIRED", "message": ""}, world.now)
    assert world.core.error
    assert world.core.error.code == "SESSION_EXPIRED"


def test_who_is_put_out_before_the_join_is_acked_asks_again() -> None:
    world = World()
    session = world.core.session(CODE)
    world.connect()
    world.core.join(session)
    (join,) = world.sent()
    world.hear("sessionJoined", joined(5))
    world.hear("sessionLeft", {"sessionCode": CODE})
    (again,) = world.sent()
    assert again.event == "joinSession"
    world.answer(join, OK)
    world.answer(again, refusal("SESSION_ACCESS_DENIED"))
    assert session.error
    assert session.error.code == "SESSION_ACCESS_DENIED"


def test_one_may_leave_the_waiting_room() -> None:
    world = World()
    session = world.core.session(CODE)
    world.connect()
    world.core.join(session)
    world.answer(world.sent()[0], {"ok": True, "waiting": True})
    call = world.core.leave(session, None)
    (leave,) = world.sent()
    assert leave.event == "leaveSession"
    world.answer(leave, OK)
    assert call.done.is_set()
    assert not session.wanted


def test_a_renewed_token_that_ends_before_it_was_taken_is_renewed_again() -> None:
    """There was no network for longer than it lived."""
    world = World(refreshes=True)
    (connect,) = world.step()
    world.core.connect_failed(connect.connection, {"code": "TOKEN_EXPIRED", "message": ""}, world.now)
    assert Refresh() in world.step()
    world.core.refreshed("another", world.now)
    (connect,) = world.step()
    world.core.connect_failed(connect.connection, "no network", world.now)
    world.step()
    (connect,) = world.step(3600)
    world.core.connect_failed(connect.connection, {"code": "TOKEN_EXPIRED", "message": ""}, world.now)
    assert Refresh() in world.step()


def test_a_refresh_that_gives_nothing_is_the_end_of_the_login() -> None:
    world = World(refreshes=True)
    (connect,) = world.step()
    world.core.connect_failed(connect.connection, {"code": "TOKEN_EXPIRED", "message": ""}, world.now)
    world.step()
    world.core.refreshed("", world.now)
    assert world.core.error
    assert world.core.error.code == "AUTH_REQUIRED"


def test_what_cannot_be_sent_is_refused_alone() -> None:
    world = World()
    session = world.enter()
    bad, good = world.say(session, event="fileStart"), world.say(session)
    first, second = world.sent()
    world.answer(first, unsendable(TypeError("no JSON")))
    world.answer(second, OK)
    assert code_of(bad) == "INVALID_PAYLOAD"
    assert good.result() == OK


def test_an_error_that_is_raised_again_and_again_does_not_grow() -> None:
    world = World()
    world.core.close()
    call = world.say(world.core.session(CODE))
    for _ in range(3):
        with pytest.raises(ClassWavesError) as caught:
            call.result()
    assert len(list(traceback.walk_tb(caught.value.__traceback__))) == 2


def test_a_token_is_in_no_repr() -> None:
    (connect,) = World().step()
    assert connect.token == "token"
    assert "token" not in repr(connect)


def test_closing_finishes_everything() -> None:
    world = World()
    session = world.enter()
    stream, call = world.core.stream(session), world.say(session)
    world.core.close()
    assert code_of(call) == "CLOSED"
    assert world.core.read(stream, session) is None
    assert stream.over
    assert code_of(world.say(session)) == "CLOSED"
