"""Raised hands: one fair queue, in the order of the log; ``handStatusChanged`` has the place that there is now."""

from __future__ import annotations

from typing import Any

from ..declared import Numbered, Shape, Stored, flag, moment, string, whole
from ..errors import ClassWavesError
from ..events import Context, Feature
from ..models import Entry, iso
from ..payloads import StoredEvent, user_identifier
from ..replica import Replica, fold, snapshot, view
from ..rules import forbidden

hands = Feature("hands")


class RaiseSchema(StoredEvent):
    pass


class LowerSchema(StoredEvent):
    userId = user_identifier()


class StatusShape(Numbered):
    userId = string()
    raised = flag()
    position = whole(allow_none=True)


class RaisedHandShape(Shape):
    """A raised hand, as a joiner finds it."""

    userId = string()
    position = whole()
    raisedAt = moment()


hands.sends("handStatusChanged", StatusShape)
hands.answers(Stored, "raiseHand", "lowerHand")


@fold("handStatusChanged")
def _change_hand(replica: Replica, entry: Entry) -> None:
    """user id -> since when (ms), in the order of the queue; who is not there has no hand."""
    queue = replica.state.setdefault("hands", {})
    user_id = entry.draft.data["userId"]
    if not entry.draft.data["raised"]:
        queue.pop(user_id, None)
    elif user_id in replica.participants:
        queue.setdefault(user_id, entry.time)


@fold("participantChanged")
def _lower_with_leaving(replica: Replica, entry: Entry) -> None:
    if entry.draft.data["change"] == "left":
        replica.state.get("hands", {}).pop(entry.draft.author, None)


@fold("participantRemoved")
def _lower_with_removal(replica: Replica, entry: Entry) -> None:
    replica.state.get("hands", {}).pop(entry.draft.data["userId"], None)


@view("handStatusChanged")
def _position(replica: Replica, payload: dict[str, Any], staff: bool) -> dict[str, Any]:
    queue = list(replica.state.get("hands", ()))
    return {**payload, "position": queue.index(payload["userId"]) + 1 if payload["userId"] in queue else None}


@snapshot("hands")
def _hands(replica: Replica, user_id: str, staff: bool) -> list[dict[str, Any]]:
    queue = replica.state.get("hands", {})
    return [{"userId": one, "position": at, "raisedAt": iso(queue[one])} for at, one in enumerate(queue, 1)]


@hands.event("raiseHand", schema=RaiseSchema, allow="participant")
def raise_hand(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Raise one's hand. Raised again, it keeps its place."""
    return _publish(context, context.principal.user_id, True)


@hands.event("lowerHand", schema=LowerSchema, allow="participant")
def lower_hand(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Lower one's hand; staff also somebody else's, by ``userId``."""
    user_id = data.get("userId", context.principal.user_id)
    if user_id != context.principal.user_id and not context.is_staff:
        raise forbidden("notStaff", "Only staff lower other people's hands")
    if user_id not in context.live.replica.known:
        raise ClassWavesError("NOT_FOUND", "There is no such participant")
    return _publish(context, user_id, False)


def _publish(context: Context, user_id: str, raised: bool) -> dict[str, Any]:
    there = user_id in context.live.replica.state.get("hands", {})
    if there == raised and not context.client_message_id:
        return {}  # nothing to change
    return context.publish("handStatusChanged", {"userId": user_id, "raised": raised})
