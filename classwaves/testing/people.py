"""A person in the classroom of a test: what they send, what they are sent, and what a test says about both.

Imports stages and inbox.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from werkzeug.test import Client

from .inbox import Received, claim, described, explain, shortened
from .stages import Stage, Wire

T = TypeVar("T")

#: How often what has come is looked at while something is waited for, in seconds.
PAUSE = 0.005


class Person:
    """Somebody with one socket, who has joined the session or tried to.

    What has come stays in :attr:`received`, and asserts look at all of it, until :meth:`clear`.

    :param stage: where the classroom is.
    :param code: of the session.
    :param token: an access token.
    """

    def __init__(self, stage: Stage, code: str, user_id: str, name: str, token: str) -> None:
        self.user_id = user_id
        self.name = name
        self.token = token
        #: What ``sessionJoined`` said last; empty while they wait to be let in.
        self.joined: dict[str, Any] = {}
        self._stage = stage
        self._code = code
        self._received: list[Received] = []
        self._acks: list[tuple[str, dict[str, Any]]] = []
        self._seq, self._epoch = 0, ""
        self._wire: Wire = stage.wire(token)

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def connected(self) -> bool:
        return self._wire.connected

    @property
    def received(self) -> list[Received]:
        """What the server has sent since :meth:`clear`, each with ``event`` and ``data``."""
        self._position()
        return self._received

    @property
    def rest(self) -> Client:
        """A client of the application's routes, yours and ours, with this person's access token as bearer."""
        return self._stage.rest(self.token)

    def _note(self, one: Received) -> None:
        self._received.append(one)
        data = one.data if isinstance(one.data, dict) else {}
        if one.event == "sessionJoined":
            self.joined, self._epoch, self._seq = data, data["epoch"], data["seq"]
            # what was missed has come, too, as it would be for a front end
            self._received += [Received(item["event"], item["data"]) for item in data.get("missed", ())]
        elif data.get("sessionCode") == self._code and isinstance(data.get("seq"), int):
            self._seq = max(self._seq, data["seq"])

    # what they do

    def send(self, event: str, payload: Any = None, /, *more: Any) -> dict[str, Any]:
        """Send an event and return its ack.

        ``sessionCode`` is filled in where the event has one and the payload does not say it.

        :raises AssertionError: they are not connected, or there was no ack.
        """
        __tracebackhide__ = True
        claim(self.connected, f"{self.name} is not connected{self._reason()}; reconnect() connects them again")
        ack = self._wire.ask(event, *self._arguments(event, payload, more))
        claim(ack is not None and ack != [], f"{event} was not acked")
        self._acks.append((event, ack))
        return ack  # type: ignore[no-any-return] # a shop's own handler may ack what it likes

    def _arguments(self, event: str, payload: Any, more: tuple[Any, ...]) -> list[Any]:
        if payload is None and not more:
            if event in self._stage.backstage.positional():
                return [self._code]
            payload = {}
        fills = isinstance(payload, dict) and event in self._stage.backstage.in_session()
        return [{"sessionCode": self._code, **payload} if fills else payload, *more]

    def join(self) -> dict[str, Any]:
        """Join the session, and return the ack."""
        return self._join(())

    def _join(self, resume: tuple[Any, ...]) -> dict[str, Any]:
        ack = self.send("joinSession", self._code, *resume)
        if ack["ok"] and not ack.get("waiting"):
            self.assert_received("sessionJoined")
        return ack

    def leave(self) -> dict[str, Any]:
        """Leave the session, and stay connected."""
        return self.send("leaveSession", self._code)

    def disconnect(self) -> None:
        """Lose the connection, without leaving the session."""
        self._wire.take()
        self._wire.close()
        self._stage.settle()

    def reconnect(self, *, resume: bool = True, token: str | None = None) -> dict[str, Any]:
        """Connect again and join, and return the ack. What was missed meanwhile comes into :attr:`received`.

        :param resume: ask for what was missed; else start anew, as a page that was loaded anew does.
        :param token: another access token.
        """
        if self.connected:
            self.disconnect()
        self.token = token or self.token
        self._wire = self._stage.wire(self.token)
        position = {"sinceSeq": self._seq, "epoch": self._epoch}
        return self._join((position,) if resume and self._epoch else ())

    def clear(self) -> None:
        """Forget what has come, and the acks."""
        self._stage.settle()
        self.received.clear()
        self._acks.clear()

    # what a test says about it

    def assert_received(self, event: str, /, **fields: Any) -> Any:
        """They were sent this event, with these fields beside others; what is on its way is waited for.

        :return: the payload of the newest that fits.
        """
        __tracebackhide__ = True

        def find() -> Received | None:
            return next((one for one in reversed(self.received) if one.event == event and one.has(fields)), None)

        found = self._wait(find)
        if found is None:
            raise AssertionError(
                f"{self.name} has not been sent {described(event, fields)}.\n"
                f"{explain(self.received, event, fields)}{self._trouble()}"
            )
        return found.data

    def refute_received(self, event: str, /, within: float = 0.0, **fields: Any) -> None:
        """They were not sent this event with these fields, although everything that is on its way has come.

        :param within: nor in so many seconds from now, for which the clock goes forward (a real server's test waits).
        """
        __tracebackhide__ = True
        self._flush()
        if within:
            self._stage.wait(within)
            self._flush()
        came = [one for one in self.received if one.event == event and one.has(fields)]
        if came:
            raise AssertionError(f"{self.name} has been sent {event} {shortened(came[0].data)}, which was not expected")

    def assert_error(self, code: str, /, event: str | None = None) -> dict[str, Any]:
        """They were told an ``error`` with this code.

        :param event: the client event that caused it.
        :return: the payload.
        """
        __tracebackhide__ = True
        fields = {"code": code} | ({"event": event} if event else {})
        told: dict[str, Any] = self.assert_received("error", **fields)
        return told

    def assert_acked(self, event: str | None = None, /, **fields: Any) -> dict[str, Any]:
        """The last event that they sent (or the last of this name) went well, and its ack has these fields.

        :return: the ack.
        """
        __tracebackhide__ = True
        acks = [(name, ack) for name, ack in self._acks if event in (None, name)]
        claim(acks, f"{self.name} has sent {'no ' + event if event else 'nothing'} since clear()")
        name, ack = acks[-1] if acks else ("", {})
        claim(isinstance(ack, dict), f"{name} was acked {ack!r}")
        claim(ack.get("ok") is not False, f"{name} was refused: {shortened(ack.get('error'))}")
        lacks = Received(name, ack).lacks(fields)
        claim(not lacks, f"the ack of {name}: {'; '.join(lacks)}. It is {shortened(ack)}")
        return ack

    def _wait(self, condition: Callable[[], T]) -> T:
        found = condition()
        if not found:
            self._stage.settle()
            found = condition()
        until = time.monotonic() + self._stage.patience
        while not found and time.monotonic() < until:
            time.sleep(PAUSE)
            found = condition()
        return found

    def _flush(self) -> None:
        """Everything that was sent to them before has come: the answer to a question comes after it."""
        self._stage.settle()
        if not (self._stage.remote and self.connected and self._epoch):
            return
        position = {"sessionCode": self._code, "sinceSeq": self._seq, "epoch": self._epoch}
        answer = self._wire.ask("syncSession", position)
        # on Redis, what is in the log may still be on its way
        missed = [item["data"].get("seq", 0) for item in answer.get("missed", ())]
        self._wait(lambda: self._position() >= max(missed, default=0))
        if not answer["ok"]:  # they are not in the session any more; the test has not asked
            ours = {"event": "syncSession"}
            self._received[:] = [one for one in self.received if one.event != "error" or not one.has(ours)]

    def _position(self) -> int:
        for one in self._wire.take():
            self._note(one)
        return self._seq

    def _trouble(self) -> str:
        """What may be the cause: their connection, or what they were refused last."""
        if not self.connected:
            return f"\n{self.name} is not connected{self._reason()}."
        for name, ack in self._acks[-1:]:
            if ack.get("ok") is False:
                return f"\nThe last that {self.name} sent, {name}, was refused: {shortened(ack.get('error'))}"
        return ""

    def _reason(self) -> str:
        errors = [one.data.get("code") for one in self.received if one.event == "error" and isinstance(one.data, dict)]
        return f" (the last error: {errors[-1]})" if errors else ""
