"""All requests of a client: those on their way, and those that wait for their turn. No I/O.

Imports calls, errors and session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .calls import Call
from .errors import ClassWavesError
from .session import Session

#: Seconds that an answer may take before the connection counts as being of no use.
PATIENCE = 20.0

#: Seconds until somebody looks in any case.
LONG = 3600.0


class Unanswered(Exception):
    """The connection does not answer; the text says what."""


class Requests:
    """Calls in the order in which they were made, which is kept over all connections."""

    def __init__(self) -> None:
        self.look_at = 0.0
        """When there is something to do for :meth:`due`, at the latest."""
        self._waiting: dict[int, Call] = {}  # by their order
        self._sent: dict[int, Call] = {}  # by the number of the ack
        self._numbers = 0

    def add(self, call: Call) -> None:
        self._numbers += 1
        call.order = self._numbers
        self._waiting[call.order] = call
        self.look_at = 0.0

    def again(self, call: Call) -> None:
        """Let a call that was refused wait for another attempt."""
        if not call.done.is_set():
            self._waiting[call.order] = call
            self._sort()

    def due(self, now: float, may_go: Callable[[Call], bool]) -> Iterator[tuple[int, Call]]:
        """What is to be sent now, each with the number of its ack; gives up what is late.

        :raises Unanswered: something was sent, and nothing is heard of it.
        """
        self.look_at = now + LONG
        for number, call in list(self._sent.items()):
            if call.done.is_set():
                del self._sent[number]
            elif now - call.sent_at >= PATIENCE:
                raise Unanswered(call.event)
            elif call.deadline is not None and now >= call.deadline:
                del self._sent[number]
                call.give_up()
            else:
                self._look(call.deadline, call.sent_at + PATIENCE)
        busy = {call.session for call in self._sent.values() if call.ordered}
        for call in list(self._waiting.values()):
            if call.done.is_set():
                del self._waiting[call.order]
                continue
            if call.deadline is not None and now >= call.deadline:
                del self._waiting[call.order]
                call.give_up()
                continue
            goes = may_go(call) and not (call.ordered and call.session in busy)
            if call.ordered:
                busy.add(call.session)
            if goes and now >= call.due:
                del self._waiting[call.order]
                self._numbers += 1
                call.sent_at = now
                self._sent[self._numbers] = call
                self._look(call.deadline, now + PATIENCE)
                yield self._numbers, call
            else:
                self._look(call.deadline, call.due if goes else None)

    def answered(self, number: int) -> Call | None:
        self.look_at = 0.0  # another one may have waited for this
        return self._sent.pop(number, None)

    def lost(self) -> None:
        """The connection is gone: what may be repeated waits for the next one."""
        sent, self._sent = self._sent, {}
        for call in sent.values():
            call.lost()
            if not call.done.is_set():
                self._waiting[call.order] = call
        for call in [call for call in self._waiting.values() if call.own]:
            del self._waiting[call.order]
        self._sort()

    def end(self, error: ClassWavesError, session: Session | None = None) -> None:
        """Finish all with an error, or all of a session."""
        for call in [*self._waiting.values(), *self._sent.values()]:
            if session is None or call.session is session:
                call.finish(error=error)
        self.look_at = 0.0

    def _look(self, *moments: float | None) -> None:
        self.look_at = min([self.look_at, *(moment for moment in moments if moment is not None)])

    def _sort(self) -> None:
        self._waiting = dict(sorted(self._waiting.items()))
        self.look_at = 0.0
