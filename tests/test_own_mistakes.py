"""What a shop gets wrong is refused by the decorator, or when the extension object is made, in a sentence."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema, fields

from classwaves import FEATURES, ClassWaves, EventContext, Feature
from classwaves.features import chat, groups, membership
from tests.support.gunicorn_server import TEST_KEYS


class CodeSchema(Schema):
    code = fields.String(data_key="sessionCode")


def handler(ctx: EventContext, data: dict[str, Any]) -> None:
    """Do nothing."""


async def later(ctx: EventContext, data: dict[str, Any]) -> None:
    """Do nothing, later."""


def many(ctx: EventContext, data: dict[str, Any]) -> Any:
    yield {}


class Handler:
    async def __call__(self, ctx: EventContext, data: dict[str, Any]) -> None: ...


class HiddenSchema(Schema):
    x = fields.Integer()

    class Meta:
        fields = ("x",)


class FinishedSchema(Schema):
    class Meta:
        dump_only = ("sessionCode",)


class NeedySchema(Schema):
    def __init__(self, board: str) -> None:
        super().__init__()


GOOD: dict[str, Any] = {"schema": Schema, "allow": "participant"}

OPTIONS: list[tuple[str, Any, dict[str, Any], str]] = [
    ("no permission", "draw", {"schema": Schema}, "'draw', ….* lacks allow: say who may: one of participant, student"),
    ("no schema", "draw", {"allow": "staff"}, "lacks schema: say what its payload must be"),
    ("a misspelled option", "draw", {**GOOD, "limits": "1/second"}, "no option limits. Did you mean limit?"),
    ("a misspelled permission", "draw", {"schema": Schema, "alow": "staff"}, "no option alow. Did you mean allow?"),
    ("an unknown option", "draw", {**GOOD, "colour": 1}, r"no option colour\. Its options are schema, allow, limit"),
    ("an unknown rule", "draw", {**GOOD, "allow": "staf"}, "no rule staf. Did you mean staff?.*@classwaves.rule"),
    ("everybody", "draw", {**GOOD, "allow": "connected"}, "say allow='participant'"),
    ("a function", "draw", {**GOOD, "allow": handler}, "allow is the name of a rule.*@classwaves.rule"),
    ("no name", handler, GOOD, "an event has a name: @classwaves.event"),
    ("a name of ours", "sendMessage", GOOD, "sendMessage is an event of ClassWaves; choose.*replace the feature"),
    ("a server's name", "messageReceived", GOOD, "what ClassWaves or Socket.IO itself sends; choose another"),
    ("a name of Socket.IO", "connect", GOOD, "what ClassWaves or Socket.IO itself sends"),
    ("the other one", "disconnect", GOOD, "what ClassWaves or Socket.IO itself sends"),
    ("error", "error", GOOD, "what ClassWaves or Socket.IO itself sends"),
    ("a doubled name", "twice", GOOD, "twice is registered already; choose another name"),
    ("snake_case", "board_stroke", GOOD, "'board_stroke' is no name of an event: write it in camelCase"),
    ("PascalCase", "BoardStroke", GOOD, "write it in camelCase"),
    ("a long name", "a" * 65, GOOD, "no name of an event"),
    ("an empty name", "", GOOD, "no name of an event"),
    ("a schema object", "draw", {**GOOD, "schema": CodeSchema()}, "give the class CodeSchema as schema"),
    ("a dict", "draw", {**GOOD, "schema": {"x": fields.Integer()}}, "no marshmallow schema; give a class"),
    ("a field of ours", "draw", {**GOOD, "schema": CodeSchema}, "CodeSchema.code reads sessionCode.*leave it out"),
    (
        "hidden fields",
        "draw",
        {**GOOD, "schema": HiddenSchema},
        "leaves out sessionCode and clientMessageId, which every",
    ),
    (
        "a field for output",
        "draw",
        {**GOOD, "schema": FinishedSchema},
        "Meta of FinishedSchema leaves out sessionCode,",
    ),
    (
        "a schema with arguments",
        "draw",
        {**GOOD, "schema": NeedySchema},
        "NeedySchema cannot be made without arguments",
    ),
    ("a rate of nothing", "draw", {**GOOD, "limit": "5/second;0/minute"}, "would let nobody send it"),
    ("a rate", "draw", {**GOOD, "limit": "often"}, "limit='often': it is a rate such as 10/minute"),
    ("a number", "draw", {**GOOD, "limit": 5}, "limit=5: it is a rate such as 10/minute"),
    (
        "an audience",
        "draw",
        {**GOOD, "audience": "stuff"},
        "none of all, staff, user, group, sender. Did you mean staff?",
    ),
    ("audiences", "draw", {**GOOD, "audience": ["staff"]}, "none of all, staff, user, group, sender"),
    ("no flag", "draw", {**GOOD, "reads": "no"}, "reads='no' is neither True nor False"),
    (
        "reads and publishes",
        "draw",
        {**GOOD, "reads": True, "publishes": {"drawn": None}},
        "leave out reads or publishes",
    ),
    ("publishes a list", "draw", {**GOOD, "publishes": ["drawn"]}, "give their schemas by their names"),
    ("publishes a number", "draw", {**GOOD, "publishes": {1: None}}, "publishes: 1 is no name"),
    ("users", "draw", {**GOOD, "audience": "user"}, "needs user ids; give them to ctx.publish"),
    ("publishes ours", "draw", {**GOOD, "publishes": {"fileShared": None}}, "cannot publish fileShared"),
    ("publishes badly", "draw", {**GOOD, "publishes": {"Drawn": None}}, "publishes: 'Drawn' is no name"),
    ("publishes what", "draw", {**GOOD, "publishes": {"drawn": {}}}, "drawn: schema={} is no marshmallow schema"),
]


@pytest.mark.parametrize(("name", "options", "sentence"), [row[1:] for row in OPTIONS], ids=[row[0] for row in OPTIONS])
def test_an_event_is_refused_by_the_decorator(name: Any, options: dict[str, Any], sentence: str) -> None:
    classwaves = ClassWaves()
    classwaves.event("twice", **GOOD)(handler)
    with pytest.raises((TypeError, ValueError), match=sentence):
        classwaves.event(name, **options)


HANDLERS: list[tuple[Any, str]] = [
    (later, "the handler of draw cannot be async.*greenlets.*def later"),
    (Handler(), "cannot be async"),
    (functools.partial(later), "cannot be async"),
    (many, "cannot be a generator: return"),
    (lambda ctx: None, "the handler of draw takes ctx and data"),
    (lambda ctx, data, more: None, "takes ctx and data"),
    (lambda *, ctx, data: None, "takes ctx and data"),
    ("draw", "is a function"),
    (Handler, "is a function"),
]


@pytest.mark.parametrize(("function", "sentence"), HANDLERS, ids=lambda one: getattr(one, "__name__", str(one)[:20]))
def test_a_handler_is_refused_by_the_decorator(function: Any, sentence: str) -> None:
    classwaves = ClassWaves()
    with pytest.raises(TypeError, match=sentence):
        classwaves.event("draw", **GOOD)(function)
    classwaves.event("draw", **GOOD)(handler)  # nothing is left of the wrong one


def test_what_may_be_called_with_two_arguments_is_a_handler() -> None:
    class Board:
        def draw(self, ctx: EventContext, data: dict[str, Any], colour: str = "black") -> None: ...

    classwaves = ClassWaves()
    classwaves.event("one", **GOOD)(Board().draw)
    classwaves.event("two", **GOOD)(lambda *args: None)
    decorate = classwaves.event("three", **GOOD)
    assert decorate(handler) is handler
    with pytest.raises(ValueError, match="three is registered already"):
        decorate(handler)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (lambda ctx: True, "the rule <lambda> takes ctx and data"),
        (later, "the rule later cannot be async"),
        (lambda ctx, data: True, "'<lambda>' is no name of a rule; give it one"),
    ],
    ids=["one argument", "async", "no name"],
)
def test_a_rule_is_refused_by_the_decorator(rule: Any, sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        ClassWaves().rule(rule)


def test_a_rule_has_a_name_of_its_own() -> None:
    classwaves = ClassWaves()
    may: Callable[[EventContext, dict[str, Any]], bool] = lambda ctx, data: True  # noqa: E731
    classwaves.rule("mine")(may)
    for name, sentence in (("mine", "mine is a rule already"), ("staff", "staff is a rule of ClassWaves")):
        with pytest.raises(ValueError, match=f"{sentence}; choose another name"):
            classwaves.rule(name)(may)
    with pytest.raises(ValueError, match="no rule mine"):
        ClassWaves().event("draw", schema=Schema, allow="mine")


CONSTRUCTOR: list[tuple[str, dict[str, Any], str]] = [
    ("misspelled", {"feature": []}, "ClassWaves.. has no option feature. Did you mean features?"),
    ("an async guard", {"join_guard": later}, "the join guard cannot be async"),
    ("a store", {"store": 3}, "store=3 cannot be called; give a function of the settings"),
    ("a storage", {"storage": "disk"}, "storage='disk' cannot be called; give a function of the settings"),
    ("no application", {"app": "shop"}, "'shop' is no Flask application"),
    ("no list", {"features": chat}, "features is a list of features"),
    ("a name", {"features": [*FEATURES, "chat"]}, "Give the object: from classwaves.features import chat"),
    ("a misspelled name", {"features": ["chatt"]}, "Did you mean chat?"),
    ("doubled", {"features": [*FEATURES, Feature("chat")]}, "the feature chat is there twice; leave one of them out"),
    ("without the core", {"features": [chat, groups]}, "connection is left out, without which nobody comes in"),
    (
        "needed",
        {"features": [one for one in FEATURES if one is not chat]},
        "the feature reactions needs chat, which is left out; add it, or leave both out",
    ),
]


@pytest.mark.parametrize(("options", "sentence"), [row[1:] for row in CONSTRUCTOR], ids=[row[0] for row in CONSTRUCTOR])
def test_the_object_is_not_made(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        ClassWaves(**options)


def test_an_event_in_two_features() -> None:
    mine = Feature("mine")
    mine.event("sendMessage", schema=Schema, allow="participant")(lambda context, data: None)
    with pytest.raises(ValueError, match="sendMessage is in two features, chat and mine"):
        ClassWaves(features=[*FEATURES, mine])


def test_the_audience_group_needs_the_groups() -> None:
    without = ClassWaves(features=[one for one in FEATURES if one is not groups])
    with pytest.raises(ValueError, match="needs the feature groups"):
        without.event("draw", schema=Schema, allow="participant", audience="group")


def test_a_name_of_what_is_left_out_is_free() -> None:
    without = ClassWaves(features=[one for one in FEATURES if one is membership or one.name == "connection"])
    without.event("sendMessage", schema=Schema, allow="participant")(handler)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"authenticator": later}, "cannot be async; have it return an Account"),
        ({"socketio": 3}, "socketio=3 is no SocketIO object; give the one of your app"),
    ],
    ids=["an async authenticator", "no SocketIO object"],
)
def test_it_is_not_put_on_an_application(options: dict[str, Any], sentence: str) -> None:
    app = Flask("shop")
    app.config.update(TEST_KEYS)
    with pytest.raises(TypeError, match=sentence):
        ClassWaves(**options).init_app(app)


def test_a_join_guard_is_refused_by_the_decorator() -> None:
    classwaves = ClassWaves()
    for guard, sentence in ((later, "cannot be async"), (lambda join, more: True, "the join guard takes join: write")):
        with pytest.raises(TypeError, match=sentence):
            classwaves.join_guard(guard)  # type: ignore[arg-type]
