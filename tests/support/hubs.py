"""Workers without a server: a hub on a real store, and sockets that write down what they are sent."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from classwaves.connections import Connection
from classwaves.errors import ClassWavesError
from classwaves.features import FEATURES
from classwaves.hub import Hub
from classwaves.limits import RateLimits
from classwaves.live import LiveSession
from classwaves.models import AuthSession, Entry, Principal, SessionRecord
from classwaves.pipeline import Pipeline
from classwaves.ring import Resume
from classwaves.settings import Settings
from classwaves.store import MemoryStore
from classwaves.store.base import Limits, Loaded, Store
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.stores import LIMITS
from tests.support.waiting import eventually


def settings_of(**config: Any) -> Settings:
    """Return settings; ``settings_of(RENEW=0.1)`` is ``CLASSWAVES_RENEW``."""
    named = {f"CLASSWAVES_{name}": value for name, value in config.items()}
    usual = {"CLASSWAVES_RATELIMIT_ENABLED": False, "CLASSWAVES_EPHEMERAL_WINDOW": 0, "CLASSWAVES_ARCHIVE_URL": "none"}
    return Settings.load({**TEST_KEYS, **usual, **named}, {})


def principal(user: str = "ann", role: str = "student") -> Principal:
    """Return somebody with a token that does not end."""
    return Principal(AuthSession(f"login of {user}", user, user.title(), role), float("inf"))


class Sockets:
    """Rooms and inboxes; an :class:`~classwaves.connections.Emitter`."""

    def __init__(self) -> None:
        self.rooms: dict[str, set[str]] = defaultdict(set)
        self.inbox: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        """All that each socket was sent: event and payload."""

    def emit(self, event: str, payload: dict[str, Any], to: str | list[str], skip: Sequence[str] = ()) -> None:
        for sid in (set(self.rooms[to]) if isinstance(to, str) else set(to)) - set(skip):
            self.inbox[sid].append((event, payload))

    def enter(self, sid: str, room: str) -> None:
        self.rooms[room].add(sid)

    def leave(self, sid: str, room: str) -> None:
        self.rooms[room].discard(sid)

    def let_next(self, eio_sid: str) -> None:
        """There is one event at a time."""

    def request(self, sid: str) -> None:
        """There was no handshake."""

    def of(self, sid: str, *events: str) -> list[dict[str, Any]]:
        """The payloads of these events that a socket was sent."""
        return [payload for event, payload in self.inbox[sid] if event in events]

    def said(self, sid: str) -> list[str]:
        """The messages that a socket was sent."""
        return [payload["message"] for payload in self.of(sid, "messageReceived")]

    def gets(self, sid: str, event: str, count: int) -> list[dict[str, Any]]:
        """Wait until a socket was sent so many of an event, and return their payloads."""
        eventually(lambda: len(self.of(sid, event)) >= count, what=f"{count} {event} for {sid}")
        return self.of(sid, event)

    def hears(self, sid: str, *messages: str) -> None:
        """Wait until a socket was sent just these messages, in this order."""
        eventually(lambda: self.said(sid) == list(messages), what=f"{messages[-1:]} for {sid}")


class GatedStore(MemoryStore):
    """A memory store whose answers to ``load`` and ``read`` can be held back, after they were made."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        super().__init__(limits)
        self.open = threading.Event()
        self.open.set()
        self.asked = threading.Event()
        """Set when an answer is being held back."""
        self._within = threading.local()

    def _hold(self) -> None:
        if not self.open.is_set():
            self.asked.set()
            assert self.open.wait(10)

    def load(self, session_id: str, fold_version: int) -> Loaded | None:
        self._within.load = True  # which reads, and holds its lock meanwhile
        loaded = super().load(session_id, fold_version)
        self._within.load = False
        self._hold()
        return loaded

    def read(self, session_id: str, after: int, limit: int) -> list[Entry]:
        entries = super().read(session_id, after, limit)
        if not getattr(self._within, "load", False):
            self._hold()
        return entries


def open_live(store: Store, session: SessionRecord, sockets: Sockets, **config: Any) -> LiveSession:
    """Return a session, loaded, without a feed: its entries come by hand."""
    live = LiveSession(session.id, store, sockets, settings_of(**config))
    live.load()
    return live


def enter(live: LiveSession, sid: str, who: Principal, resume: Resume | None = None) -> dict[str, Any]:
    """Let a socket in as ``joinSession`` does, and return what it is told."""
    older = live.older(resume)
    with live.lock:
        snapshot = live.snapshot(who, live.missed(who, resume, older))
        live.enter(sid, who, snapshot)
    return snapshot


class Worker:
    """A hub with its sockets and the pipeline, on a store that it closes.

    :param config: settings, e.g. ``RENEW=0.1``
    """

    def __init__(self, store: Store, **config: Any) -> None:
        self.store = store
        self.sockets = Sockets()
        self.connections: list[Connection] = []
        self.ended: list[str] = []
        """The auth sessions of the sockets that were put out."""
        settings = settings_of(**config)
        self.hub = Hub(store, self.sockets, settings, entrance=self)
        self.pipeline = Pipeline(FEATURES, self.hub, RateLimits(settings))

    def connect(self, user: str, role: str = "student", sid: str = "") -> Connection:
        """Return a new socket of a user; its id is the user's unless told."""
        sid = sid or user
        connection = Connection(sid, sid, principal(user, role), "127.0.0.1")
        self.connections.append(connection)
        return connection

    def send(self, connection: Connection, event: str, *args: Any) -> dict[str, Any]:
        """Run a client's event and return its ack."""
        return self.pipeline.handle(connection, event, args)

    def joined(self, session: SessionRecord, user: str, role: str = "student", sid: str = "") -> Connection:
        """Return a new socket that has joined a session."""
        connection = self.connect(user, role, sid)
        ack = self.send(connection, "joinSession", session.code)
        assert ack["ok"], ack
        return connection

    def say(self, connection: Connection, session: SessionRecord, text: str) -> dict[str, Any]:
        """Send a message and return its ack."""
        return self.send(connection, "sendMessage", {"sessionCode": session.code, "message": text})

    def open_connections(self) -> list[Connection]:
        return list(self.connections)

    def check(self, token: str) -> Principal:
        """A token is the name of its user."""
        return principal(token)

    def end(self, connection: Connection, error: ClassWavesError) -> None:
        self.ended.append(connection.principal.auth.id)

    def close(self) -> None:
        self.hub.close()


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    """Return a list; the workers that a test puts into it are closed after it."""
    made: list[Worker] = []
    yield made
    for worker in made:
        worker.close()
