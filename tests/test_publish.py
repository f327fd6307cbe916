"""``ClassWaves.publish`` and ``say``: what a shop's own code puts into a session's log, inside the application."""

import copy
import json
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from flask import Flask

import classwaves.features  # noqa: F401 - registers folds and views
from classwaves import ClassWaves, ClassWavesError
from classwaves.errors import StoreUnavailable
from classwaves.live import FOLLOWERS, folded
from classwaves.models import Draft, Entry
from classwaves.publisher import TAKEN, Outlet, Publishes
from classwaves.replica import FOLD_VERSION, FOLDS, VIEWS, Replica
from classwaves.store import MemoryStore
from classwaves.store.base import Appended, Store
from tests.support.apps import API, AppFactory, headers_for, state_of
from tests.support.gunicorn_server import ROOT
from tests.support.stores import LIMITS, new_session, texts
from tests.support.tabs import Classroom, open_classroom

SYSTEM = {"userId": "system", "displayName": "System", "type": "system"}


class Desk(Publishes):
    """What publishes into a store of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def _outlet(self) -> Outlet:
        return Outlet(self.store, 65536, 4000)


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    return make_app(CLASSWAVES_MAX_EVENT_BYTES=2000, CLASSWAVES_MAX_MESSAGE_LENGTH=100)


@pytest.fixture
def room(app: Flask) -> Classroom:
    return open_classroom(app)


@pytest.fixture
def shop(app: Flask) -> Iterator[ClassWaves]:
    """Return an extension in an application context; which object it is does not matter."""
    with app.app_context():
        yield ClassWaves()


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ClassWavesError) as raised:
        call()
    return raised.value.code


def export(room: Classroom) -> list[dict[str, Any]]:
    headers = headers_for(room.app, "Grace", "teacher")
    answer = room.app.test_client().get(f"{API}/sessions/{room.code}/export", headers=headers)
    return [json.loads(line) for line in answer.get_data(as_text=True).splitlines()]


def names(taken: Sequence[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in taken]


def test_a_system_message_looks_like_a_message(room: Classroom, shop: ClassWaves) -> None:
    ann = room.joined("Ann")
    theirs = ann.say(room.code, "hello")
    sent = ann.take_only("messageReceived")
    answer = shop.say(room.code, "Welcome!")
    got = ann.take_only("messageReceived")
    assert set(answer) == {"seq", "timestamp", "messageId"} == set(theirs) - {"ok"}
    assert got == {"sessionCode": room.code, "message": "Welcome!", **SYSTEM, **answer}
    assert got.keys() == sent.keys()


def test_it_is_a_message_in_every_respect(room: Classroom, shop: ClassWaves) -> None:
    ann, grace = room.joined("Ann"), room.teacher()
    message_id = shop.say(room.code, "Welcome!")["messageId"]
    assert ann.ask("addReaction", {"sessionCode": room.code, "messageId": message_id, "emoji": "👍"})["ok"]
    assert ann.say(room.code, "thanks", replyTo=message_id)
    (first, _) = ann.ask("fetchHistory", {"sessionCode": room.code})["messages"]
    assert (first["message"], first["type"], first["reactions"]) == ("Welcome!", "system", {"👍": 1})
    assert grace.ask("deleteMessage", {"sessionCode": room.code, "messageId": message_id})["ok"]
    assert [item["message"] for item in ann.ask("fetchHistory", {"sessionCode": room.code})["messages"]] == ["thanks"]


def test_it_is_said_whoever_may_write(room: Classroom, shop: ClassWaves) -> None:
    grace = room.teacher()
    for step, mode in ((None, "focus"), ("start", "quiz"), ("pause", "open")):
        if step:
            room.step(step)
        assert grace.ask("setSessionMode", {"sessionCode": room.code, "mode": mode})["ok"] or mode == "open"
        grace.take()
        shop.say(room.code, mode)
        assert grace.take_only("messageReceived")["message"] == mode


def test_a_groups_system_message_is_for_the_group_and_staff(room: Classroom, shop: ClassWaves) -> None:
    ann, ben, grace = room.joined("Ann"), room.joined("Ben"), room.teacher()
    made = grace.ask("createGroup", {"sessionCode": room.code, "name": "Foxes", "memberIds": ["ann"]})
    for tab in (ann, ben, grace):
        tab.take()
    answer = shop.say(room.code, "Your turn", group_id=made["groupId"])
    for tab in (ann, grace):
        got = tab.take_only("messageReceived")
        assert got == {
            "sessionCode": room.code,
            "message": "Your turn",
            "groupId": made["groupId"],
            **SYSTEM,
            **answer,
        }
    assert ben.take() == []
    assert export(room)[-1]["members"] == ["ann"]
    assert code_of(lambda: shop.say(room.code, "x", group_id="nobody's")) == "GROUP_NOT_FOUND"


@pytest.mark.parametrize(
    ("text", "group_id"),
    [("", None), (" \n", None), ("x" * 101, None), ("a\0b", None), ("\ud800", None), (5, None), ("x", "g" * 65)],
)
def test_what_no_client_could_say_is_refused(room: Classroom, shop: ClassWaves, text: Any, group_id: Any) -> None:
    assert code_of(lambda: shop.say(room.code, text, group_id=group_id)) == "INVALID_PAYLOAD"
    data = {"sessionCode": room.code, "message": text} | ({"groupId": group_id} if group_id else {})
    assert room.joined("Ann").ask("sendMessage", data)["error"]["code"] == "INVALID_PAYLOAD"


def test_an_event_of_ones_own_reaches_everybody_in_its_place(room: Classroom, shop: ClassWaves) -> None:
    ann = room.joined("Ann")
    joined = ann.ask("syncSession", {"sessionCode": room.code, "sinceSeq": 0, "epoch": "?"})
    answer = shop.publish(room.code, "quizGraded", {"best": 9, "who": ["é", None]}, author="grader")
    data = {"sessionCode": room.code, "best": 9, "who": ["é", None], **answer}
    assert set(answer) == {"seq", "timestamp"} and answer["seq"] == joined["seq"] + 1
    assert ann.take_only("quizGraded") == data
    where = {"sessionCode": room.code, "sinceSeq": joined["seq"], "epoch": joined["epoch"]}
    assert ann.ask("syncSession", where)["missed"] == [{"event": "quizGraded", "data": data}]
    assert ann.ask("fetchHistory", {"sessionCode": room.code})["messages"] == []
    line = export(room)[-1]
    assert (line["event"], line["userId"], line["audience"], line["data"]) == (
        "quizGraded",
        "grader",
        "all",
        {"best": 9, "who": ["é", None]},
    )


def _who(replica: Replica, entry: Entry) -> None:
    replica.state.setdefault("test.buzzed", []).append(entry.draft.data["userId"])


def test_a_fold_of_a_shop_that_raises_harms_nobody(
    room: Classroom, shop: ClassWaves, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The entry is in the log for good: who is there is not to miss it, and who loads the session not to fail at it."""
    monkeypatch.setitem(FOLDS, "buzzed", [_who])
    ann = room.joined("Ann")
    ann.take()
    for data in ({"userId": "ann"}, {"user": "bob"}, {"userId": "cid"}):
        shop.publish(room.code, "buzzed", data)
    assert [payload.get("userId") for _, payload in ann.take()] == ["ann", None, "cid"]
    assert "_who failed at buzzed" in caplog.text and "KeyError" in caplog.text
    store = state_of(room.app).store
    past = store.load(store.session_id(room.code) or "", FOLD_VERSION)
    assert past and folded(past).state["test.buzzed"] == ["ann", "cid"], "as another worker loads it"


@pytest.mark.parametrize(
    ("audience", "members", "hear"),
    [("all", [], "Ann Ben Grace"), ("staff", [], "Grace"), ("user", ["ann"], "Ann"), ("group", ["ann"], "Ann Grace")],
)
def test_whom_it_is_for(room: Classroom, shop: ClassWaves, audience: str, members: list[str], hear: str) -> None:
    tabs = {"Ann": room.joined("Ann"), "Ben": room.joined("Ben"), "Grace": room.teacher()}
    since = {name: tab.ask("syncSession", _start(room)) for name, tab in tabs.items()}
    for tab in tabs.values():
        tab.take()
    shop.publish(room.code, "noticed", {}, audience=audience, members=members)
    assert {name for name, tab in tabs.items() if names(tab.take()) == ["noticed"]} == set(hear.split())
    for name, tab in tabs.items():
        where = {"sessionCode": room.code, "sinceSeq": since[name]["seq"], "epoch": since[name]["epoch"]}
        assert bool(tab.ask("syncSession", where)["missed"]) == (name in hear.split())


def _start(room: Classroom) -> dict[str, Any]:
    return {"sessionCode": room.code, "sinceSeq": 0, "epoch": "?"}


def test_the_classrooms_own_names_are_taken(room: Classroom, shop: ClassWaves) -> None:
    ours = {name for name, folds in FOLDS.items() if any(one.__module__.startswith("classwaves.") for one in folds)}
    ours |= {name for name, view in VIEWS.items() if view.function.__module__.startswith("classwaves.")}
    ours |= {name for name, all_ in FOLLOWERS.items() if any(one.__module__.startswith("classwaves.") for one in all_)}
    page = (ROOT / "docs" / "events.md").read_text().split("## What a client receives")[1].split("\n## ")[0]
    told = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert len(ours) > 10 and len(told) > 20
    assert ours | told <= TAKEN
    for name in TAKEN:
        with pytest.raises(ValueError, match="choose another name"):
            shop.publish(room.code, name, {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"event": ""},
        {"event": "x" * 65},
        {"event": "a\0b"},
        {"event": 5},
        {"audience": "presence"},
        {"audience": "none"},
        {"audience": "user"},
        {"audience": "user", "members": "ann"},
        {"audience": "user", "members": [5]},
        {"members": ["ann"]},
        {"audience": "staff", "members": ["ann"]},
        {"author": "x" * 129},
        {"key": ""},
        {"key": "x" * 65},
    ],
)
def test_a_programs_mistakes_are_value_errors(room: Classroom, shop: ClassWaves, wrong: dict[str, Any]) -> None:
    before = len(export(room))
    with pytest.raises(ValueError):
        shop.publish(room.code, **{"event": "noticed", "data": {}, **wrong})
    assert len(export(room)) == before


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ([], "INVALID_PAYLOAD"),
        ("x", "INVALID_PAYLOAD"),
        (None, "INVALID_PAYLOAD"),
        ({"x": object()}, "INVALID_PAYLOAD"),
        ({"x": b"binary"}, "INVALID_PAYLOAD"),
        ({"x": float("nan")}, "INVALID_PAYLOAD"),
        ({"x": {1: 2}}, "INVALID_PAYLOAD"),
        ({"x": "\ud800"}, "INVALID_PAYLOAD"),
        ({"seq": 1}, "INVALID_PAYLOAD"),
        ({"timestamp": "now"}, "INVALID_PAYLOAD"),
        ({"sessionCode": "DEM234"}, "INVALID_PAYLOAD"),
        ({"x": "y" * 2000}, "PAYLOAD_TOO_LARGE"),
    ],
)
def test_a_payload_that_no_client_could_send_is_refused(
    room: Classroom, shop: ClassWaves, data: Any, code: str
) -> None:
    assert code_of(lambda: shop.publish(room.code, "noticed", data)) == code


def test_a_key_makes_it_safe_to_repeat(room: Classroom, shop: ClassWaves) -> None:
    ann = room.joined("Ann")
    said, noted = shop.say(room.code, "once", key="task"), shop.publish(room.code, "noticed", {}, key="task")
    assert names(ann.take()) == ["messageReceived", "noticed"], "the key is one event's"
    assert shop.say(room.code, "again", key="task") == said
    assert shop.publish(room.code, "noticed", {"x": 1}, key="task") == noted
    assert ann.take() == []
    shop.publish(room.code, "noticed", {})
    shop.publish(room.code, "noticed", {})
    assert names(ann.take()) == ["noticed"] * 2, "without a key each is another one"


def test_no_clients_key_is_the_same(room: Classroom, shop: ClassWaves) -> None:
    publisher = room.joined("publisher")
    key = "messageReceived\0task"
    shop.say(room.code, "mine", key="task")
    assert publisher.ask("sendMessage", {"sessionCode": room.code, "message": "x", "clientMessageId": key})["error"]
    publisher.say(room.code, "theirs", clientMessageId="task")
    assert [item["message"] for item in publisher.ask("fetchHistory", {"sessionCode": room.code})["messages"]] == [
        "mine",
        "theirs",
    ]


def test_nothing_is_published_after_the_end(room: Classroom, shop: ClassWaves) -> None:
    said = shop.say(room.code, "once", key="task")
    room.step("end")
    log = export(room)
    assert code_of(lambda: shop.say(room.code, "x")) == "SESSION_ENDED"
    assert code_of(lambda: shop.say(room.code, "x", key="other")) == "SESSION_ENDED"
    assert code_of(lambda: shop.say(room.code, "x", group_id="g")) == "SESSION_ENDED"
    assert code_of(lambda: shop.publish(room.code, "noticed", {})) == "SESSION_ENDED"
    assert shop.say(room.code, "once", key="task") == said, "it was stored before"
    assert export(room) == log


@pytest.mark.parametrize("code", ["AAAAAA", "nothing like a code", ""])
def test_there_is_no_such_session(shop: ClassWaves, code: str) -> None:
    assert code_of(lambda: shop.say(code, "x")) == "SESSION_NOT_FOUND"
    assert code_of(lambda: shop.publish(code, "noticed", {})) == "SESSION_NOT_FOUND"


def test_codes_are_taken_as_people_type_them(room: Classroom, shop: ClassWaves) -> None:
    assert shop.say(f" {room.code.lower()} ", "x")["messageId"]


def test_it_needs_an_application(app: Flask) -> None:
    with pytest.raises(RuntimeError, match="application context"):
        ClassWaves().say("ABCDEF", "x")
    with Flask("bare").app_context(), pytest.raises(RuntimeError, match="init_app"):
        ClassWaves().say("ABCDEF", "x")


class _Meddled(MemoryStore):
    """A store in which something happens just before each append."""

    meddle: Callable[[], Any] = staticmethod(lambda: None)

    def append(self, *args: Any, **kwargs: Any) -> Appended:
        self.meddle()
        return super().append(*args, **kwargs)


def test_what_ends_the_session_in_between_keeps_it_out() -> None:
    """The look at the session is worth nothing without its fence."""
    store = _Meddled(LIMITS)
    session, other = new_session(store), MemoryStore.append

    def end() -> None:
        store.meddle = lambda: None
        draft = Draft("sessionStatusChanged", {"status": "ended", "previousStatus": "active"}, bumps=("session",))
        other(store, session.id, [draft], dedupe="end", record=session.with_changes(status="ended"))

    store.meddle = end
    assert code_of(lambda: Desk(store).say(session.code, "too late")) == "SESSION_ENDED"
    assert texts(store.read(session.id, 0, 10)) == []


def test_who_has_no_luck_with_the_fence_may_try_again() -> None:
    store = _Meddled(LIMITS)
    session, count = new_session(store), iter(range(100))

    def move() -> None:
        draft = Draft("sessionChanged", {"title": "t", "settings": {}}, audience="none", bumps=("session",))
        MemoryStore.append(store, session.id, [draft], dedupe=f"move {next(count)}")

    store.meddle = move
    assert code_of(lambda: Desk(store).say(session.code, "x")) == "SERVICE_UNAVAILABLE"
    assert next(count) == 5


def test_errors_travel_between_processes() -> None:
    """Celery and multiprocessing pickle what a task raises."""
    error = ClassWavesError("INVALID_PAYLOAD", "No", details={"x": ["y"]}, retry_after_ms=5)
    for one in (error, StoreUnavailable("away")):
        for other in (pickle.loads(pickle.dumps(one)), copy.copy(one)):
            assert type(other) is type(one) and str(other) == str(one)
            assert other.to_dict() == one.to_dict() and other.spec == one.spec


def test_its_application_is_the_current_one(make_app: AppFactory) -> None:
    classwaves, rooms = ClassWaves(), [open_classroom(make_app()) for _ in range(2)]
    for room in rooms:
        with room.app.app_context():
            classwaves.say(room.code, room.code)
    for room in rooms:
        store = state_of(room.app).store
        assert texts(store.read(str(store.session_id(room.code)), 0, 10)) == [room.code]
