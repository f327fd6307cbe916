"""Who may: the rules that events name, and the check that every event of a session passes before its handler.

Imports errors. A rule looks at a context and says yes or no, or raises a refusal that says more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import ClassWavesError

if TYPE_CHECKING:
    from .events import Context

Rule = Callable[["Context"], bool]

#: The rule of events that are not about a session one has joined; it asks for nothing but a valid token.
CONNECTED = "connected"

RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    """Register a rule that events may name. :raises RuntimeError: the name is taken."""

    def register(function: Rule) -> Rule:
        if name in RULES:
            raise RuntimeError(f"the rule {name} exists already; choose another name")
        RULES[name] = function
        return function

    return register


def forbidden(reason: str, message: str | None = None) -> ClassWavesError:
    """A ``FORBIDDEN`` that says why, for a program: ``details: {reason}``."""
    return ClassWavesError("FORBIDDEN", message, details={"reason": reason})


def check(context: Context, data: dict[str, Any]) -> None:
    """Refuse what the event's rule does not allow.

    :raises ClassWavesError: ``SESSION_ENDED``, ``NOT_IN_SESSION``, ``FORBIDDEN``, ``SESSION_NOT_ACTIVE``, in this
        order.
    """
    event, live = context.event, context.live
    status = live.record.status
    if status == "ended" and not event.reads:
        raise ClassWavesError("SESSION_ENDED")
    if context.principal.user_id in live.replica.removed:  # since the look-up of what this socket has joined
        raise ClassWavesError("NOT_IN_SESSION")
    if context.principal.is_transcriber and event.allow != "captioner":
        raise forbidden("scope", "This token is for captions alone")
    if not (event.permits(context, data) if event.permits else RULES[event.allow](context)):
        raise ClassWavesError("FORBIDDEN")
    if event.active and status != "active":
        raise ClassWavesError("SESSION_NOT_ACTIVE")


@rule(CONNECTED)
def connected(context: Context) -> bool:
    """Whoever has a valid token."""
    return True


@rule("participant")
def participant(context: Context) -> bool:
    """Whoever has joined with this socket, which is looked at before any rule."""
    return True


@rule("student")
def student(context: Context) -> bool:
    """Participants who are not staff."""
    return not context.is_staff


@rule("speaker")
def speaker(context: Context) -> bool:
    """Staff, and participants who are not muted, while the mode is ``open``."""
    replica = context.live.replica
    if not context.is_staff:
        if context.principal.user_id in replica.muted:
            raise forbidden("muted", "You are muted")
        if replica.mode != "open":
            raise forbidden(replica.mode, "The teacher has closed the chat")
    return True


@rule("captioner")
def captioner(context: Context) -> bool:
    """Staff, and tokens with the scope ``transcriber``."""
    return context.is_staff or context.principal.is_transcriber


@rule("staff")
def staff(context: Context) -> bool:
    """The owner, while they are no student, the co-teachers, and admins."""
    return context.is_staff


@rule("owner")
def owner(context: Context) -> bool:
    """The teacher who created the session."""
    return context.is_staff and context.live.record.owner_id == context.principal.user_id


@rule("admin")
def admin(context: Context) -> bool:
    """Admins."""
    return context.principal.role == "admin"
