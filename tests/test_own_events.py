"""A shop's own events: the shape of the issue to the letter, what a handler knows and may do, and how they hold up."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from gevent import Timeout
from marshmallow import EXCLUDE, Schema, fields, post_load

from classwaves import ClassWaves, EventContext
from classwaves.cli import cli
from classwaves.errors import StaleFence
from tests.support.apps import API, headers_for, state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.tabs import Classroom, Tab, open_classroom

Mount = Callable[..., Classroom]


class StrokeSchema(Schema):
    points = fields.List(fields.Integer(), required=True)


class TextSchema(Schema):
    text = fields.String()
    anything = fields.Raw()


@pytest.fixture
def classwaves() -> ClassWaves:
    return ClassWaves()


@pytest.fixture
def mount(classwaves: ClassWaves) -> Iterator[Mount]:
    """Return a function that makes an application of the extension object, and a session in it."""
    made: list[Flask] = []

    def mount(**config: Any) -> Classroom:
        app = Flask("shop")
        usual = {"TESTING": True, "CLASSWAVES_RATELIMIT_ENABLED": False, "CLASSWAVES_EPHEMERAL_WINDOW": 0}
        app.config.update(TEST_KEYS, **{**usual, **config})
        classwaves.init_app(app)
        made.append(app)
        return open_classroom(app)

    yield mount
    for app in made:
        state_of(app).close()


@pytest.fixture
def board(classwaves: ClassWaves) -> None:
    @classwaves.event("boardStroke", schema=StrokeSchema, allow="participant")
    def stroke(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
        """Draw a line."""
        return ctx.publish("boardStroked", {"points": data["points"]})


def pair(room: Classroom) -> tuple[Tab, Tab]:
    """Return sockets of the teacher and a student, both in the session, with nothing left to read."""
    teacher, student = room.teacher(), room.joined("Ada")
    teacher.take()
    return teacher, student


@pytest.mark.usefixtures("board")
def test_the_shape_of_the_issue(mount: Mount) -> None:
    room = mount()
    teacher, student = pair(room)
    ack = student.ask("boardStroke", {"sessionCode": room.code, "points": [1, 2]})
    assert ack == {"ok": True, "seq": ack["seq"], "timestamp": ack["timestamp"]}
    told = {"sessionCode": room.code, "points": [1, 2], "seq": ack["seq"], "timestamp": ack["timestamp"]}
    assert teacher.take_only("boardStroked") == student.take_only("boardStroked") == told
    for wrong in ({"points": "x"}, {"points": [1], "colour": 2}, {}):
        assert student.refused("boardStroke", {"sessionCode": room.code, **wrong})["code"] == "INVALID_PAYLOAD"


@pytest.mark.usefixtures("board")
def test_one_object_serves_any_number_of_apps(mount: Mount) -> None:
    rooms = [mount(), mount()]
    sockets = [pair(room) for room in rooms]
    assert sockets[1][1].ask("boardStroke", {"sessionCode": rooms[1].code.lower(), "points": []})["ok"]
    assert [len(teacher.take()) for teacher, _ in sockets] == [0, 1]


@pytest.mark.usefixtures("board")
def test_repeated_it_is_stored_once_and_who_comes_back_has_missed_it(mount: Mount) -> None:
    room = mount()
    teacher, student = pair(room)
    seen = room.joined("Bob")
    where = seen.join(room.code)
    seen.vanish()
    stroke = {"sessionCode": room.code, "points": [1], "clientMessageId": "one"}
    assert student.ask("boardStroke", stroke) == student.ask("boardStroke", stroke)
    assert [name for name, _ in teacher.take()].count("boardStroked") == 1
    missed = room.tab("Bob").join(room.code, {"sinceSeq": where["seq"], "epoch": where["epoch"]})["missed"]
    assert [one["data"]["points"] for one in missed if one["event"] == "boardStroked"] == [[1]]
    grace = headers_for(room.app, "Grace", "teacher")
    exported = room.app.test_client().get(f"{API}/sessions/{room.code}/export", headers=grace).text
    assert exported.count("boardStroked") == 1


@pytest.mark.usefixtures("board")
def test_it_is_checked_as_every_event_is(mount: Mount) -> None:
    room = mount()
    outside, muted = room.tab("Eve"), room.joined("Max")
    stroke = {"sessionCode": room.code, "points": [1]}
    assert outside.refused("boardStroke", stroke)["code"] == "NOT_IN_SESSION"
    teacher = room.teacher()
    teacher.ask("muteParticipant", {"sessionCode": room.code, "userId": "max", "muted": True})
    assert muted.ask("boardStroke", stroke)["ok"], "whoever must not be muted names the rule speaker"
    muted.take()
    room.step("end")
    muted.take()
    assert muted.refused("boardStroke", stroke)["code"] == "SESSION_ENDED"


def test_a_rate_of_its_own(classwaves: ClassWaves, mount: Mount) -> None:
    @classwaves.event("ping", schema=Schema, allow="participant", limit="2/minute")
    def ping(ctx: EventContext, data: dict[str, Any]) -> None: ...

    room = mount(CLASSWAVES_RATELIMIT_ENABLED=True)
    teacher, student = pair(room)
    codes = [student.ask("ping", {"sessionCode": room.code}).get("error", {}).get("code") for _ in range(3)]
    assert codes == [None, None, "RATE_LIMIT"]
    assert teacher.ask("ping", {"sessionCode": room.code}) == {"ok": True}
    room = mount(CLASSWAVES_RATELIMIT_ENABLED=True, CLASSWAVES_EVENT_RATES="ping=1/minute")
    _, student = pair(room)
    assert [student.ask("ping", {"sessionCode": room.code})["ok"] for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("audience", "hear"),
    [
        ("all", {"Grace", "Ada", "Bob", "Cyd"}),
        ("staff", {"Grace"}),
        ("group", {"Grace", "Ada", "Bob"}),
        ("sender", {"Ada"}),
    ],
)
def test_audiences(classwaves: ClassWaves, mount: Mount, audience: str, hear: set[str]) -> None:
    @classwaves.event("note", schema=Schema, allow="participant", audience=audience)
    def note(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
        ctx.signal("notedNow", {})
        return ctx.publish("noted", {})

    room = mount()
    tabs = {"Grace": room.teacher(), **{name: room.joined(name) for name in ("Ada", "Bob", "Cyd")}}
    tabs["Grace"].ask("createGroup", {"sessionCode": room.code, "name": "A", "memberIds": ["ada", "bob"]})
    for tab in tabs.values():
        tab.take()
    assert tabs["Ada"].ask("note", {"sessionCode": room.code})["ok"]
    heard = {name: [event for event, _ in tab.take()] for name, tab in tabs.items()}
    assert heard == {name: ["notedNow", "noted"] if name in hear else [] for name in tabs}
    if audience == "group":
        assert tabs["Cyd"].refused("note", {"sessionCode": room.code})["code"] == "GROUP_NOT_FOUND"


def test_what_a_handler_knows(classwaves: ClassWaves, mount: Mount) -> None:
    @classwaves.event("whoAmI", schema=Schema, allow="participant", reads=True)
    def who(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
        session, room = ctx.session, ctx.session.settings["maxParticipants"]
        mine = [ctx.user_id, ctx.display_name, ctx.role, ctx.is_staff, ctx.group_id, ctx.client_message_id]
        return {"mine": mine, "session": [session.code, session.title, session.status, room], "data": data}

    room = mount()
    _, student = pair(room)
    ack = student.ask("whoAmI", {"sessionCode": f" {room.code.lower()}", "clientMessageId": "7"})
    assert ack["mine"] == ["ada", "Ada", "student", False, None, "7"]
    assert ack["session"] == [room.code, "A lesson", "created", 1000]
    assert ack["data"] == {"sessionCode": room.code}
    room.step("end")
    assert student.ask("whoAmI", {"sessionCode": room.code})["session"][2] == "ended"


def test_a_refusal_has_a_code_of_the_contract(classwaves: ClassWaves, mount: Mount) -> None:
    @classwaves.event("buy", schema=TextSchema, allow="participant")
    def buy(ctx: EventContext, data: dict[str, Any]) -> None:
        raise classwaves.Error(data["text"], "Sold out", details={"reason": "soldOut"})

    room = mount()
    _, student = pair(room)
    error = student.refused("buy", {"sessionCode": room.code, "text": "CONFLICT"})
    assert error == {"code": "CONFLICT", "message": "Sold out", "details": {"reason": "soldOut"}}
    assert student.refused("buy", {"sessionCode": room.code, "text": "SOLD_OUT"})["code"] == "INTERNAL_ERROR"
    with pytest.raises(ValueError, match="SOLD_OUT is no error code .* such as"):
        classwaves.Error("SOLD_OUT")
    with pytest.raises(TypeError, match="CONFLICT cannot be told: .*; give a text as message, and a dict of JSON"):
        classwaves.Error("CONFLICT", details={"at": datetime(2026, 1, 1)})


MISTAKES: dict[str, tuple[Callable[[EventContext], Any], str]] = {
    "publishes twice": (
        lambda ctx: (ctx.publish("one", {}), ctx.publish("two", {})),
        "has published one already.*publish_all",
    ),
    "returns a list": (lambda ctx: [1], "it is a list; return a dict"),
    "returns a date": (lambda ctx: {"at": datetime(2026, 1, 1)}, "there is a datetime in it"),
    "answers for the ack": (lambda ctx: {"ok": False}, "the ack says ok itself"),
    "publishes a date": (lambda ctx: ctx.publish("one", {"at": datetime(2026, 1, 1)}), "one cannot be .* datetime"),
    "publishes a set": (lambda ctx: ctx.publish("one", {"at": [{"a": {1}}]}), "there is a set in it"),
    "publishes keys": (lambda ctx: ctx.publish("one", {"at": {1: 2}}), "there is a int in it"),
    "publishes a list": (lambda ctx: ctx.publish("one", [1]), "it is a list"),  # type: ignore[arg-type]
    "refuses with a date": (
        lambda ctx: (_ for _ in ()).throw(ClassWaves.Error("CONFLICT", details={"at": datetime(2026, 1, 1)})),
        "CONFLICT cannot be told",
    ),
    "waits too long": (lambda ctx: (_ for _ in ()).throw(Timeout(2)), "2 seconds"),
    "publishes the payload": (lambda ctx: ctx.publish("one", {"sessionCode": "ABC234"}), "adds sessionCode itself"),
    "publishes nothing": (lambda ctx: ctx.publish_all([]), "publishes nothing"),
    "a name of ours": (lambda ctx: ctx.publish("messageReceived", {}), "choose another name"),
    "no audience": (lambda ctx: ctx.publish("one", {}, audience="everyone"), "is none of"),
    "no members": (lambda ctx: ctx.publish("one", {}, audience="user"), "needs members"),
    "a group for all": (lambda ctx: ctx.publish("one", {}, audience="all", group_id="7"), "leave one of them out"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_a_handler_does_wrong_is_in_the_log(
    classwaves: ClassWaves, mount: Mount, caplog: pytest.LogCaptureFixture, mistake: str
) -> None:
    does, sentence = MISTAKES[mistake]
    classwaves.event("err", schema=TextSchema, allow="participant")(lambda ctx, data: does(ctx))
    room = mount()
    _, student = pair(room)
    ack = student.ask("err", {"sessionCode": room.code})
    assert ack["error"]["code"] == "INTERNAL_ERROR"
    (record,) = [one for one in caplog.records if one.exc_info]
    assert record.exc_info is not None
    with pytest.raises(BaseException, match=sentence):
        raise record.exc_info[1] or AssertionError


def test_what_a_client_sends_wrong_is_not_the_shops_fault(classwaves: ClassWaves, mount: Mount) -> None:
    @classwaves.event("note", schema=TextSchema, allow="participant")
    def note(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
        return ctx.publish("noted", {name: data[name] for name in ("text", "anything") if name in data})

    room = mount()
    _, student = pair(room)
    for wrong in ({"text": "\ud800"}, {"anything": b"\1"}, {"anything": {"a": ["\0"]}}):
        assert student.refused("note", {"sessionCode": room.code, **wrong})["code"] == "INVALID_PAYLOAD"
    long = {"sessionCode": room.code, "text": "x" * 70_000}
    assert student.refused("note", long)["code"] == "PAYLOAD_TOO_LARGE"


def test_several_events_are_one_step(classwaves: ClassWaves, mount: Mount) -> None:
    @classwaves.event("deal", schema=Schema, allow="staff")
    def deal(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
        return ctx.publish_all([("dealt", {"card": card}) for card in (1, 2)])

    room = mount()
    teacher, student = pair(room)
    ack = teacher.ask("deal", {"sessionCode": room.code})
    assert [(name, told["card"], told["seq"]) for name, told in student.take()] == [
        ("dealt", 1, ack["seq"] - 1),
        ("dealt", 2, ack["seq"]),
    ]


def test_a_handler_runs_again_when_a_fence_has_moved(classwaves: ClassWaves, mount: Mount) -> None:
    runs: list[str] = []
    caught: list[Exception] = []

    @classwaves.event("stroke", schema=StrokeSchema, allow="participant")
    def stroke(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any] | None:
        runs.append(ctx.session.title)
        data["points"] = None  # not seen by the next run
        if len(runs) == 1:
            grace = headers_for(ctx.request.environ["flask.app"], "Grace", "teacher")
            client = ctx.request.environ["flask.app"].test_client()
            client.patch(f"{API}/sessions/{data['sessionCode']}", json={"title": "Another"}, headers=grace)
        try:
            return ctx.publish("stroked", {})
        except Exception as error:  # which would have hidden that nothing was stored
            caught.append(error)
            return None

    room = mount()
    _, student = pair(room)
    assert "seq" in student.ask("stroke", {"sessionCode": room.code, "points": [1]})
    assert runs == ["A lesson", "Another"]
    assert [type(error) for error in caught] == [StaleFence]


def test_rules_of_ones_own(classwaves: ClassWaves, mount: Mount, caplog: pytest.LogCaptureFixture) -> None:
    @classwaves.rule
    def may_draw(ctx: EventContext, data: dict[str, Any]) -> bool:
        if ctx.user_id == "eve":
            raise classwaves.Error("FORBIDDEN", "Not you", details={"reason": "eve"})
        answers: dict[str, Any] = {"ada": True, "bob": 1}  # 1 is not True
        allowed: bool = answers[ctx.user_id]  # Cyd is not in it
        return allowed

    @classwaves.rule("shortOnes")
    def short(ctx: EventContext, data: dict[str, Any]) -> bool:
        return len(data["points"]) < 2

    for name, allow in (("draw", "may_draw"), ("dash", "shortOnes")):
        classwaves.event(name, schema=StrokeSchema, allow=allow)(lambda ctx, data: None)
    room = mount()
    tabs = {name: room.joined(name) for name in ("Ada", "Bob", "Cyd", "Eve")}
    assert tabs["Ada"].ask("draw", {"sessionCode": room.code, "points": []}) == {"ok": True}
    for name in ("Bob", "Cyd", "Eve"):
        error = tabs[name].ask("draw", {"sessionCode": room.code, "points": []})["error"]
        assert (error["code"], error.get("details")) == ("FORBIDDEN", {"reason": "eve"} if name == "Eve" else None)
    assert "the rule may_draw failed" in caplog.text
    acks = [tabs["Bob"].ask("dash", {"sessionCode": room.code, "points": points}) for points in ([1], [1, 2])]
    assert [ack["ok"] for ack in acks] == [True, False]


def test_a_schema_keeps_its_hooks_and_is_strict(classwaves: ClassWaves, mount: Mount) -> None:
    class Lenient(StrokeSchema):
        sessionCode = fields.Integer()  # ours is the one that counts
        colour = fields.String(load_default="black")

        class Meta:
            unknown = EXCLUDE

    @classwaves.event("draw", schema=Lenient, allow="participant")
    def draw(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
        return {"got": data}

    room = mount()
    _, student = pair(room)
    ack = student.ask("draw", {"sessionCode": room.code, "points": [1]})
    assert ack["got"] == {"sessionCode": room.code, "points": [1], "colour": "black"}
    assert not student.ask("draw", {"sessionCode": room.code, "points": [1], "more": 1})["ok"]


def test_a_hook_of_a_schema_need_not_know_the_fields_of_every_event(classwaves: ClassWaves, mount: Mount) -> None:
    class Line(StrokeSchema):
        @post_load
        def make(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
            return {"line": tuple(data["points"])}

    @classwaves.event("draw", schema=Line, allow="participant")
    def draw(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
        return ctx.publish("drawn", {"points": list(data["line"])})

    room = mount()
    _, student = pair(room)
    line = {"sessionCode": room.code.lower(), "points": [1], "clientMessageId": "one"}
    acks = [student.ask("draw", line) for _ in range(2)]
    assert acks[0]["ok"]
    assert acks[0] == acks[1]  # it was stored once


def test_registered_after_init_app_it_is_known_until_somebody_uses_it(classwaves: ClassWaves, mount: Mount) -> None:
    room = mount()
    classwaves.event("late", schema=Schema, allow="participant", limit="1/hour")(lambda ctx, data: None)
    assert room.joined("Ada").ask("late", {"sessionCode": room.code}) == {"ok": True}
    with pytest.raises(RuntimeError, match="later comes too late.*Import the module"):
        classwaves.event("later", schema=Schema, allow="participant")(lambda ctx, data: None)
    assert "later" not in state_of(room.app).pipeline.events


@pytest.mark.usefixtures("board")
def test_it_is_in_what_the_command_line_lists(mount: Mount) -> None:
    result = mount().app.test_cli_runner().invoke(cli, ["events"])
    (row,) = [line for line in result.output.splitlines() if line.startswith("boardStroke")]
    assert "participant" in row and "{points, sessionCode, clientMessageId?}" in row


def test_it_is_in_the_documents_and_types(classwaves: ClassWaves, mount: Mount) -> None:
    """What it publishes too, if it says so; a late one as well, and only in the applications of its object."""
    app = mount().app
    told: dict[str, Any] = {"boardStroked": StrokeSchema, "boardTouched": None}
    classwaves.event("boardStroke", schema=StrokeSchema, allow="participant", publishes=told)(lambda ctx, data: None)
    classwaves.event("boardTouch", schema=Schema, allow="staff", publishes={"boardTouched": None})(
        lambda ctx, data: None
    )
    document = app.test_client().get(f"{API}/asyncapi.json").text
    types = app.test_cli_runner().invoke(cli, ["types"]).output
    for name in ("boardStroke", "boardTouch", "boardStroked", "boardTouched"):
        assert name in document and name in types
    other = Flask("other")
    other.config.update(TEST_KEYS)
    ClassWaves(other)
    assert "boardStroke" not in other.test_client().get(f"{API}/asyncapi.json").text
    state_of(other).close()
