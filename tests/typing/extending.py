"""What a shop writes, typed: the decorators, the context, the parts that it may replace."""

from collections.abc import Mapping
from typing import Any, assert_type

from flask import Flask
from marshmallow import Schema, fields

from classwaves import (
    FEATURES,
    Account,
    Authenticator,
    ClassWaves,
    ClassWavesError,
    Error,
    EventContext,
    Feature,
    Join,
    Settings,
)
from classwaves.features import chat
from classwaves.signals import participant_joined
from classwaves.store import Store


class StrokeSchema(Schema):
    points = fields.List(fields.Integer(), required=True)


class Accounts:
    def authenticate(self, username: str, password: str) -> Account | None:
        return Account(username, username, "student") if password else None


def policy(ctx: EventContext, event: str, data: dict[str, Any]) -> bool:
    return event != "sendMessage" or ctx.is_staff


def open_store(settings: Settings) -> Store:
    raise NotImplementedError


classwaves = ClassWaves(
    features=[*(one for one in FEATURES if one is not chat), Feature("poll", needs=["groups"])],
    authenticator=Accounts(),
    policy=policy,
    store=open_store,
    namespace="/classroom",
    url_prefix="/live",
)
ClassWaves(Flask("shop"), authenticator=lambda username, password: None)
accounts: Authenticator = Accounts()


@classwaves.event("boardStroke", schema=StrokeSchema, allow="participant", limit="5/second", audience="staff")
def stroke(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
    assert_type(ctx.user_id, str)
    assert_type(ctx.group_id, str | None)
    assert_type(ctx.session.code, str)
    assert_type(ctx.session.settings, Mapping[str, Any])
    ctx.signal("strokeBegan", {}, audience="all")
    answer = ctx.publish("boardStroked", {"points": data["points"]}, members=["ada"])
    assert_type(answer, dict[str, Any])
    return answer


assert_type(stroke(NotImplemented, {}), dict[str, Any])


@classwaves.event("boardClear", schema=StrokeSchema, allow="mayClear", publishes={"boardCleared": None})
def clear(ctx: EventContext, data: dict[str, Any]) -> None:
    raise classwaves.Error("FORBIDDEN", "Not now", details={"reason": "later"})


@classwaves.rule("mayClear")
def may_clear(ctx: EventContext, data: dict[str, Any]) -> bool:
    return ctx.role == "teacher"


@classwaves.rule
def plainly(ctx: EventContext, data: dict[str, Any]) -> bool:
    raise Error("CONFLICT")


assert_type(plainly(NotImplemented, {}), bool)
assert_type(classwaves.Error("CONFLICT"), ClassWavesError)


@classwaves.join_guard
def guard(join: Join) -> bool | None:
    return join.staff


@participant_joined.connect
def hear(app: Flask, **facts: Any) -> None: ...


# what must not pass

classwaves.event("draw", schema=StrokeSchema)  # type: ignore[call-arg]
classwaves.event("draw", allow="staff")  # type: ignore[call-arg]
classwaves.event("draw", schema=StrokeSchema, allow="staff", alow="staff")  # type: ignore[arg-type]
classwaves.event("draw", schema=StrokeSchema(), allow="staff")  # type: ignore[arg-type]
classwaves.event("draw", schema=StrokeSchema, allow="staff", limit=5)  # type: ignore[arg-type]
ClassWaves(feature=[])  # type: ignore[arg-type]
ClassWaves(features=["chat"])  # type: ignore[list-item]
ClassWaves(authenticator=7)  # type: ignore[arg-type]


@classwaves.event("dot", schema=StrokeSchema, allow="staff")  # type: ignore[type-var]
def dot(ctx: EventContext) -> None: ...


@classwaves.event("dash", schema=StrokeSchema, allow="staff")  # type: ignore[type-var]
async def dash(ctx: EventContext, data: dict[str, Any]) -> None: ...


@classwaves.event("line", schema=StrokeSchema, allow="staff")  # type: ignore[type-var]
def line(ctx: EventContext, data: dict[str, Any]) -> list[int]:
    return [1]
