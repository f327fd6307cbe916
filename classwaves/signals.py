"""Blinker signals of what has happened, for a shop's own code: mails, counts, a copy in its database.

Imports models. Each is sent once, by the worker that has stored what happened, after it is stored and after the event's
own locks are let go; the client's ack waits for the receivers. The sender is the :class:`flask.Flask` application, and
an application context is pushed for each receiver. What a receiver raises is logged and harms nobody. Where nobody
listens nothing is done.

A worker that dies between storing and sending sends nothing: what must never be missed is read from the log, or from
the archive.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from blinker import NamedSignal, Namespace

from .models import Draft, SessionRecord, iso

logger = logging.getLogger(__name__)

_signals = Namespace()


def _signal(name: str, doc: str) -> NamedSignal:
    return _signals.signal(f"classwaves.{name}", doc)


session_created = _signal("session_created", "A session was created: ``session``.")
session_started = _signal("session_started", "A session was started: ``session``, ``user_id`` of who did it.")
session_ended = _signal("session_ended", "A session was ended, for good: ``session``, ``user_id``, ``reason``.")
participant_joined = _signal(
    "participant_joined", "Somebody came who was not there: ``session``, ``user_id``, ``display_name``, ``role``."
)
participant_left = _signal(
    "participant_left",
    "A participant has left: ``session``, ``user_id``, ``reason``: ``left``, ``removed``, or ``absent`` for too long.",
)
message_sent = _signal(
    "message_sent",
    "A message was said: ``session``, ``user_id``, ``message``, ``message_id``, ``group_id`` or ``None``, ``seq``, "
    "``timestamp``.",
)
event_appended = _signal(
    "event_appended",
    "Any durable event that clients hear of was stored, messages too: ``session``, ``event``, ``data``, ``user_id`` of "
    "who caused it, ``seq``, ``timestamp``.",
)
login_ended = _signal("login_ended", "A login was ended, by its user or by others: ``user_id``.")

ALL = (
    session_created,
    session_started,
    session_ended,
    participant_joined,
    participant_left,
    message_sent,
    event_appended,
    login_ended,
)

#: Who listens to each, as blinker holds it: asked once and again for every event, so without a call for each signal.
_RECEIVERS = [signal.receivers for signal in ALL]

Waiting = list[tuple[NamedSignal, dict[str, Any]]]
_waiting: ContextVar[Waiting | None] = ContextVar("classwaves_signals", default=None)


class Herald:
    """Sends the signals of one application.

    :param sender: the application.
    :param enter: its application context.
    """

    def __init__(self, sender: object = None, enter: Callable[[], AbstractContextManager[Any]] = nullcontext) -> None:
        self._sender = sender
        self._enter = enter

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens to anything."""
        return any(_RECEIVERS)

    @contextmanager
    def after(self) -> Iterator[None]:
        """What is told within the block is sent at its end."""
        waiting: Waiting = []
        token = _waiting.set(waiting)
        try:
            yield
        finally:
            _waiting.reset(token)
            for signal, facts in waiting:
                self._send(signal, facts)

    def tell(self, signal: NamedSignal, **facts: Any) -> None:
        """Send a signal, now or at the end of the event that is at work."""
        if not signal.receivers:
            return
        if (waiting := _waiting.get()) is not None:
            waiting.append((signal, facts))
        else:
            self._send(signal, facts)

    def tell_aside(self, signal: NamedSignal, facts: Sequence[dict[str, Any]]) -> None:
        """The same from where nothing may wait for a receiver."""
        if not facts or not signal.receivers:
            return

        def send() -> None:
            for one in facts:
                self._send(signal, one)

        threading.Thread(target=send, name="classwaves-signals", daemon=True).start()

    def appended(self, session: SessionRecord, drafts: Sequence[Draft], seq: int, epoch: str, time: int) -> None:
        """These were stored together, the last one as ``seq``."""
        if not any(_RECEIVERS):
            return
        when = iso(time)
        for number, draft in enumerate(drafts, seq - len(drafts) + 1):
            data, user_id = dict(draft.data), draft.author
            if draft.id_field:
                data[draft.id_field] = f"{epoch}-{number}"
            if draft.event == "messageReceived":
                said = {"message": data["message"], "message_id": data["messageId"], "group_id": data.get("groupId")}
                self.tell(message_sent, session=session, user_id=user_id, seq=number, timestamp=when, **said)
            elif draft.event == "participantRemoved":
                self.tell(participant_left, session=session, user_id=data["userId"], reason="removed")
            if draft.audience not in ("none", "presence"):
                facts = {"event": draft.event, "data": data, "user_id": user_id, "seq": number, "timestamp": when}
                self.tell(event_appended, session=session, **facts)

    def _send(self, signal: NamedSignal, facts: dict[str, Any]) -> None:
        for receiver in list(signal.receivers_for(self._sender)):
            try:
                with self._enter():
                    answer = receiver(self._sender, **facts)
                if inspect.iscoroutine(answer):
                    answer.close()
                    raise TypeError("a receiver cannot be async: it runs in a greenlet, which waits by itself")
            except Exception:
                logger.exception("a receiver of %s failed", signal.name)
