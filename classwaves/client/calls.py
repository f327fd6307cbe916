"""A request on its way: sent, answered, repeated, given up. No I/O.

Imports errors, payloads, session and stream.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import CLOSED, CONNECTION_LOST, RETRYABLE, TIMEOUT, ClassWavesError
from .payloads import SESSIONLESS, UNKEYED
from .session import Session
from .stream import Flag

log = logging.getLogger("classwaves.client")

#: Sent twice, these would be taken twice: they have neither a key nor a state that they say.
ONCE = frozenset({"signal"})

#: Beside what goes one after the other: files, whose order is in their acks, and the way in and out.
BESIDE = frozenset({"fileStart", "fileChunk", "fileComplete", "fileCancel", "joinSession", "leaveSession"})

#: An error of the server's own may be one of every attempt: after so many it is believed. So is a connection that ended
#: with the same request so many times in a row, as with a packet that is too large.
MOST_INTERNAL_ERRORS, MOST_LOSSES = 5, 8

#: Seconds before the next attempt where the server has not said how long; doubled each time.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0

#: How often one request may find that the seat in the session is gone.
MOST_SEATS = 5


@dataclass(eq=False)
class Call:
    """One request, over as many connections and attempts as it takes.

    :ivar arguments: made anew for each attempt.
    :ivar session: it is sent only while the client is in this session.
    :ivar own: of the connection itself: not repeated over the next one, which makes its own.
    :ivar then: called once, with the call, when it is done.
    """

    event: str
    arguments: Callable[[], tuple[Any, ...]]
    done: Flag
    session: Session | None = None
    deadline: float | None = None
    own: bool = False
    then: Callable[[Call], None] | None = None
    order: int = 0
    due: float = 0.0
    sent_at: float = 0.0
    attempts: int = 0
    seats: int = 0
    losses: int = 0
    answer: Any = None
    error: ClassWavesError | None = None
    last: ClassWavesError | None = field(default=None)
    """Why the newest attempt has failed."""

    @property
    def repeatable(self) -> bool:
        return self.event not in ONCE

    @property
    def ordered(self) -> bool:
        """Whether it is stored in the session: nothing of the kind may overtake it when it has to be repeated."""
        return self.session is not None and self.event not in UNKEYED and self.event not in BESIDE

    def finish(self, answer: Any = None, error: ClassWavesError | None = None) -> None:
        if self.done.is_set():
            return
        self.answer, self.error = answer, error
        self.done.set()
        if self.then:
            self.then(self)

    def give_up(self) -> None:
        """The deadline is there."""
        self.finish(error=self.last or ClassWavesError(TIMEOUT, f"{self.event} was not answered in time"))

    def lost(self) -> None:
        """The connection is gone over which it was sent; finish where another would not help."""
        self.losses += 1
        if self.own or not self.repeatable or self.losses >= MOST_LOSSES:
            self.finish(error=ClassWavesError(CONNECTION_LOST, f"It is not known whether {self.event} was heard"))

    def again(self, error: ClassWavesError, now: float) -> None:
        """Prepare another attempt, or finish with the error where another would not help."""
        self.attempts += 1
        self.losses = 0
        self.last = error
        pause = min(FIRST_PAUSE * 2 ** min(self.attempts - 1, 10), LONGEST_PAUSE)
        self.due = now + (pause if error.retry_after is None else error.retry_after)
        doubtful = error.code in ("SERVICE_UNAVAILABLE", "INTERNAL_ERROR")
        if (
            error.code not in RETRYABLE
            or (doubtful and not self.repeatable)
            or (error.code == "INTERNAL_ERROR" and self.attempts >= MOST_INTERNAL_ERRORS)
            or (self.deadline is not None and self.due >= self.deadline)
        ):
            self.finish(error=error)

    def result(self) -> Any:
        """What it was answered. :raises ClassWavesError: it was refused, or given up."""
        if self.error:
            raise self.error.with_traceback(None)  # it may be the error of all calls, and would grow with each
        return self.answer


def payload(
    event: str, data: Mapping[str, Any] | None, session: Session | None, client_message_id: str | None
) -> dict[str, Any]:
    """The payload of a request: with the session it is about, and with a key by which it may be repeated.

    A shop's own events take both, as nearly all do.
    """
    about: dict[str, Any] = {}
    if session is not None:
        if event not in SESSIONLESS:
            about["sessionCode"] = session.code
        if event not in UNKEYED:
            about["clientMessageId"] = client_message_id or uuid.uuid4().hex
    return {**about, **(data or {})}


def message(text: str, group_id: str | None, reply_to: str | None) -> dict[str, Any]:
    """The payload of ``sendMessage``."""
    body = {"message": text, "groupId": group_id, "replyTo": reply_to}
    return {name: value for name, value in body.items() if value is not None}


class Pages:
    """The pages of a history, from the newest back.

    :param event: what asks for a page.
    :param items: what a page calls its items.
    """

    def __init__(self, event: str, items: str, after_seq: int, group_id: str | None) -> None:
        self.event = event
        self.found: list[Any] = []
        self.more = True
        self.where: dict[str, Any] = {"afterSeq": after_seq, "limit": 100}
        """What to ask for next."""
        self._items = items
        if group_id is not None:
            self.where["groupId"] = group_id

    def add(self, page: Mapping[str, Any]) -> None:
        self.found[:0] = page[self._items]
        self.more = page["hasMore"]
        self.where["beforeSeq"] = page["nextBeforeSeq"]


def tell_of_refusal(call: Call) -> None:
    """A new token was not taken: the one that there was goes on until its end."""
    if call.error and call.error.code != CONNECTION_LOST:
        log.warning("the server did not take the new token: %s", call.error.code)


def unsendable(error: Exception) -> dict[str, Any]:
    """An answer in place of the server's, to what cannot be put on the wire."""
    return {"ok": False, "error": {"code": "INVALID_PAYLOAD", "message": f"{type(error).__name__}: {error}"}}


def closed(what: str) -> ClassWavesError:
    return ClassWavesError(CLOSED, f"The {what} was closed")
