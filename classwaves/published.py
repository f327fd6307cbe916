"""What may be published: the names that are taken, the audiences, and what a payload must be.

Imports errors and payloads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import ValidationError

from .errors import ClassWavesError
from .payloads import JsonObject, identifier, user_identifier

#: The events that clients take for the classroom's own, also of what is to come, and what Socket.IO clients use
#: themselves. Published, they would be folded into the replicas or look like what they are not.
_TAKEN = """
    sessionCreated sessionChanged sessionStatusChanged sessionEnded sessionModeChanged sessionJoined sessionLeft
    participantChanged participantMuted participantRemoved presenceUpdated
    joinRequested joinWithdrawn participantAdmitted
    messageReceived messageDeleted reactionUpdated typingUpdated readReceiptUpdated
    groupUpdate activityUpdate activityResponse activityProgress handStatusChanged
    transcriptionUpdate transcriptionStatus fileShared fileRemoved signalReceived
    error connectionReady authExpiring roleChanged reconnectAdvised
    connect connect_error disconnect disconnecting newListener removeListener *
"""
TAKEN = frozenset(_TAKEN.split())

#: What delivery adds to a payload.
ADDED = ("sessionCode", "seq", "timestamp")

#: The audiences of a published event; with those of the second line it has members.
AUDIENCES = ("all", "staff")
NAMED = ("user", "group")


def check_name(event: str) -> None:
    checked(identifier(), event, "event")
    if event in TAKEN:
        raise ValueError(f"{event} is an event of the classroom or of Socket.IO itself; choose another name, or say()")


def check_audience(audience: str, members: Sequence[str]) -> None:
    if audience not in AUDIENCES + NAMED:
        raise ValueError(f"audience={audience!r} is none of {', '.join(AUDIENCES + NAMED)}")
    if isinstance(members, str):
        raise ValueError("members is a list of user ids, and not one of them")
    for user_id in members:
        checked(user_identifier(), user_id, "members")
    if bool(members) and audience not in NAMED:
        raise ValueError(f"members are given, but audience={audience!r} is not for them alone; say user or group")
    if not members and audience == "user":
        raise ValueError("audience='user' needs members")


def payload(data: Any) -> dict[str, Any]:
    found: dict[str, Any] = valid(JsonObject(), dict(data) if isinstance(data, Mapping) else data, "data")
    if added := [name for name in ADDED if name in found]:
        raise ClassWavesError("INVALID_PAYLOAD", details={name: ["Added by delivery."] for name in added})
    return found


def valid(field: Any, value: Any, name: str) -> Any:
    """What a field makes of a value. :raises ClassWavesError: ``INVALID_PAYLOAD``."""
    try:
        return field.deserialize(value)
    except ValidationError as error:
        raise ClassWavesError("INVALID_PAYLOAD", details={name: error.messages}) from None


def checked(field: Any, value: Any, name: str) -> None:
    """Refuse an argument that a program got wrong. :raises ValueError: the field does not take it."""
    try:
        field.deserialize(value)
    except ValidationError as error:
        raise ValueError(f"{name}={value!r}: {' '.join(error.messages)}") from None
