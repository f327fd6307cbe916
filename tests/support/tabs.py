"""Sockets inside the test process: the Flask-SocketIO test client, with what it received kept in order.

The store is in memory, so whatever an event causes has been delivered when the call returns, except for the departures
of sockets that ended by themselves, which are the scheduler's. Everything that is received is compared with what the
features declare.

A test file imports the fixtures it uses: ``from tests.support.tabs import room as room``.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask

from tests.support.apps import AppFactory, guest, headers_for, new_session, sign_in, state_of, step
from tests.support.declared import check_ack, check_event

Received = tuple[str, Any]
"""The name and the payload of an event."""


class Tab:
    """One socket of a user.

    :param token: in ``auth``; not sent if ``None``
    :param headers: of the handshake
    """

    def __init__(self, app: Flask, token: str | None = None, headers: dict[str, str] | None = None) -> None:
        auth = None if token is None else {"token": token}
        self._client = state_of(app).socketio.test_client(app, auth=auth, headers=headers)
        #: what ``connectionReady`` said, which comes first
        self.ready: dict[str, Any] = self._first("connectionReady") if self.connected else {}

    def _first(self, event: str) -> Any:
        packet = self._client.queue.pop(0)
        assert packet["name"] == event, packet
        payload = packet["args"] if not isinstance(packet["args"], list) else packet["args"][0]
        check_event(event, payload)
        return payload

    @property
    def connected(self) -> bool:
        return bool(self._client.is_connected())

    def ask(self, event: str, *args: Any) -> dict[str, Any]:
        """Send an event and return its ack."""
        ack = self._client.emit(event, *args, callback=True)
        assert isinstance(ack, dict), f"{event} was not acked: {ack!r}"
        check_ack(event, ack)
        return ack

    def tell(self, event: str, *args: Any) -> None:
        """Send an event that asks for no ack, and see that there is none."""
        ack = self._client.emit(event, *args)
        assert ack is None, f"{event} was acked unasked: {ack!r}"

    def take(self) -> list[Received]:
        """Return what has come since the last call."""
        taken = []
        while self._client.queue:  # get_received() may lose what a thread adds at that moment
            packet = self._client.queue.pop(0)
            args = packet["args"] if isinstance(packet["args"], list) else [packet["args"]]
            assert len(args) == 1, f"{packet['name']} has {len(args)} arguments"
            check_event(packet["name"], args[0])
            taken.append((packet["name"], args[0]))
        return taken

    def take_only(self, name: str) -> Any:
        """Return the payload of the one event that has come since the last call."""
        taken = self.take()
        assert [event for event, _ in taken] == [name], taken
        return taken[0][1]

    def join(self, code: str, *resume: Any) -> dict[str, Any]:
        """Join and return ``sessionJoined``, which must be the only event that this brings."""
        ack = self.ask("joinSession", code, *resume)
        assert ack["ok"], ack
        joined: dict[str, Any] = self.take_only("sessionJoined")
        return joined

    def join_after_warning(self, code: str) -> None:
        """Join with a token that ends soon, of which the socket was warned before."""
        assert self.ask("joinSession", code)["ok"]
        assert [name for name, _ in self.take()] == ["authExpiring", "sessionJoined"]

    def say(self, code: str, message: str, **more: Any) -> dict[str, Any]:
        """Send a message and return the ack of success."""
        ack = self.ask("sendMessage", {"sessionCode": code, "message": message, **more})
        assert ack["ok"], ack
        return ack

    def refused(self, event: str, *args: Any) -> dict[str, Any]:
        """Send an event that fails, see that ``error`` says once what the ack says, and return the error."""
        ack = self.ask(event, *args)
        assert set(ack) == {"ok", "error"}, ack
        assert ack["ok"] is False, ack
        assert self.take_only("error") == {**ack["error"], "event": event}
        error: dict[str, Any] = ack["error"]
        return error

    def vanish(self) -> None:
        """End the connection without leaving the session."""
        self._client.disconnect()


Tabs = dict[str, Tab]
"""Tabs by the names of their users."""


@dataclass
class Classroom:
    """An application and one session of the teacher ``Grace``, which is ``created``; users come by name."""

    app: Flask
    code: str
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, name: str, role: str = "student") -> str:
        """Return the access token of a user, who is signed in once."""
        if name not in self.tokens:
            self.tokens[name] = sign_in(self.app, name, role).access
        return self.tokens[name]

    def tab(self, name: str, role: str = "student") -> Tab:
        """Open another socket of a user."""
        return Tab(self.app, self.token(name, role))

    def joined(self, name: str, role: str = "student") -> Tab:
        """Open another socket of a user and join. What others hear of it stays in their inboxes."""
        tab = self.tab(name, role)
        tab.join(self.code)
        return tab

    def teacher(self) -> Tab:
        """Open a socket of the session's owner and join."""
        return self.joined("Grace", "teacher")

    def guest(self, name: str, code: str | None = None) -> Tab:
        """Open a socket of a new guest of the session (or of another one), without joining."""
        return Tab(self.app, guest(self.app.test_client(), code or self.code, name)[0])

    def step(self, name: str) -> None:
        """Take a step in the session's life as its owner."""
        step(self.app.test_client(), headers_for(self.app, "Grace", "teacher"), self.code, name)


def open_classroom(app: Flask, **settings: Any) -> Classroom:
    """Create a session with these settings, as its teacher ``Grace``."""
    return Classroom(app, new_session(app.test_client(), headers_for(app, "Grace", "teacher"), **settings))


@pytest.fixture
def room(make_app: AppFactory) -> Classroom:
    return open_classroom(make_app())


@pytest.fixture
def tabs(room: Classroom) -> Tabs:
    """The teacher and some students, who have heard of each other."""
    made = {"Grace": room.teacher(), **{name: room.joined(name) for name in ("Ada", "Bob", "Cyd")}}
    for tab in made.values():
        tab.take()
    return made
