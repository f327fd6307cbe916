"""What is put into a store by the suites, and somebody who listens to its feed.

Imports models, the stores' base and waiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from ...models import AuthSession, Draft, Entry, SessionRecord, new_code, new_id
from ...store.base import Limits, PresenceResult, Room, Seat, Store, Upload
from ..waiting import eventually

T = TypeVar("T")

LIMITS = Limits(log_entries=10_000, log_bytes=10_000_000, dedupe_keys=1000)

LONG = 3600.0
"""Seconds that no test lasts."""

ROOM = Room(files=10, bytes=1000, uploads=5, own_uploads=3)


class NewStore(Protocol):
    """What the fixture ``new_store`` is."""

    def __call__(self, limits: Limits = LIMITS) -> Store: ...


@dataclass
class Listener:
    """Writes down what a store's feed brings; a :class:`~classwaves.store.base.Feed`."""

    entries: list[tuple[str, Entry]] = field(default_factory=list)
    ephemeral: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    control: list[dict[str, Any]] = field(default_factory=list)
    reconnects: int = 0
    new_connections: int = 0

    def on_entry(self, session_id: str, entry: Entry) -> None:
        self.entries.append((session_id, entry))

    def on_ephemeral(self, session_id: str, message: dict[str, Any]) -> None:
        self.ephemeral.append((session_id, message))

    def on_control(self, message: dict[str, Any]) -> None:
        self.control.append(message)

    def on_new_connection(self) -> None:
        self.new_connections += 1

    def on_reconnect(self) -> None:
        self.reconnects += 1

    def heard(self, session_id: str) -> list[Entry]:
        """The entries of one session, as they came."""
        return [entry for of, entry in self.entries if of == session_id]

    def hears(self, session_id: str, *messages: str) -> None:
        """Wait until just these messages of a session have come, in this order."""
        eventually(lambda: texts(self.heard(session_id)) == list(messages), what=f"{messages[-1:]} in the feed")

    def returns(self, times: int = 1) -> None:
        """Wait until the feed has been away and is back, this often."""
        eventually(lambda: self.reconnects >= times, what="on_reconnect")

    def statuses(self, session_id: str) -> list[tuple[str, str]]:
        """The announced changes of status of one session: user and status."""
        return [(m["userId"], m["presence"]) for of, m in self.ephemeral if of == session_id and "presence" in m]


def new_record(owner: str = "teacher", code: str | None = None, **changes: Any) -> SessionRecord:
    """Return the record of a session that no store has yet."""
    return SessionRecord(new_id(), code or new_code(), "Biology", owner, int(time.time() * 1000), **changes)


def created(record: SessionRecord) -> Draft:
    """Return the first entry of a session."""
    return Draft("sessionCreated", {"record": record.to_dict()}, record.owner_id, "none", bumps=("session",))


def new_session(store: Store, **record: Any) -> SessionRecord:
    """Create a session, with its first entry at seq 1, and return its record."""
    made = new_record(**record)
    assert store.create_session(made, created(made))
    return made


def message(text: str, author: str = "teacher", **more: Any) -> Draft:
    """Return a message as chat makes it."""
    data = {"userId": author, "displayName": author.title(), "message": text, "type": "text"}
    return Draft("messageReceived", data, author, id_field="messageId", **more)


def say(store: Store, session: SessionRecord, *texts: str) -> list[int]:
    """Append a message for each text, one by one, and return their seqs."""
    return [store.append(session.id, [message(text)], dedupe=f"-{new_id()}").seq for text in texts]


def texts(entries: list[Entry]) -> list[str]:
    """What the messages among the entries say."""
    return [entry.draft.data["message"] for entry in entries if entry.draft.event == "messageReceived"]


def seat(user: str, socket: str = "1", worker: str = "w") -> Seat:
    """Return the place of one of a user's tabs on a worker."""
    return Seat(user, f"{worker}:{user}-{socket}")


def join(
    store: Store,
    session: SessionRecord,
    at: Seat,
    capacity: int | None = None,
    fences: Mapping[str, int] | None = None,
) -> PresenceResult:
    """Let a student take a seat."""
    name = at.user_id.title()
    return store.join(session.id, at, display_name=name, role="student", fences=fences or {}, capacity=capacity)


def upload(user: str, name: str = "", size: int = 100, **more: Any) -> Upload:
    """Return a file that a user begins to send; ``name`` tells it from others of theirs."""
    of = f"{name or 'file'} of {user}"
    return Upload(of, user, name or "c", f"{of} \N{SEEDLING}.txt", "text/plain", size, "0" * 64, **more)


def facts(store: Store, session: SessionRecord) -> list[tuple[str, str]]:
    """The arrivals and departures in the log: user and change."""
    log = store.read(session.id, 0, 10_000)
    return [(e.draft.author, e.draft.data["change"]) for e in log if e.draft.event == "participantChanged"]


def login(user: str = "ann") -> AuthSession:
    """Return an auth session that no store has yet."""
    return AuthSession(new_id(), user, user.title(), "student", scopes=("transcriber",))


def at_once(count: int, task: Callable[[int], T]) -> list[T]:
    """Call ``task`` with 0 to ``count - 1``, each in a thread, all let go together, and return the results in order."""
    gate = threading.Barrier(count)

    def run(number: int) -> T:
        gate.wait()
        return task(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
