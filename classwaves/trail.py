"""Which client event, request or delivery is at work: one id, from the client's packet to every worker that delivers.

Imports nothing of the package. A context variable holds it, so each thread and each greenlet has its own, and one that
is begun has none: gevent and Python give a new one an empty context.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from typing import Any, ParamSpec, Protocol, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: What stands for the name of an event that is none of ours: the client's own is never written down.
UNKNOWN = "unknown"

EVENT, REQUEST, PUBLISH, DELIVER = "event", "request", "publish", "deliver"


class Spans(Protocol):
    """Who measures trails and their steps; see :mod:`classwaves.tracing`."""

    def begin(self, trail: Trail, parent: str) -> Any:
        """A trail begins. Sets its ``id`` and ``mark``, and returns what :meth:`end` gets."""

    def end(self, span: Any, trail: Trail, error: BaseException | None) -> None: ...

    def step(self, name: str) -> AbstractContextManager[Any]:
        """A step of the trail that is at work."""


class Trail:
    """What is at work, and for whom: used as a context manager, it is :func:`current` meanwhile.

    :param kind: one of the names above.
    :param event: a name of ours, never one that a client made up.
    :param user_id: whose event or request it is.
    :param session_id: the internal id of the session that it is about, as soon as that is known.
    :param parent: the ``mark`` of what it comes of; a trail of its own without.
    """

    #: a W3C trace id: 32 hexadecimal digits (Trace Context, section 3.2.2.3); empty if there is none
    id: str
    #: what log entries carry: the id, or a whole ``traceparent`` if somebody measures
    mark: str
    _span: Any
    _token: Token[Trail | None]

    __slots__ = (
        "_span",
        "_token",
        "began",
        "code",
        "event",
        "id",
        "kind",
        "mark",
        "parent",
        "request_id",
        "session_id",
        "user_id",
    )

    def __init__(self, kind: str, event: str, user_id: str = "", session_id: str = "", parent: str = "") -> None:
        self.kind, self.event, self.user_id, self.session_id, self.parent = kind, event, user_id, session_id, parent
        #: the error code of a refusal
        self.code = ""
        #: a request's own id, which may be one that a proxy gave
        self.request_id = ""

    def __enter__(self) -> Self:
        self.began = _clock()
        if _spans is None:
            self._span = None
            if self.parent or self.kind == DELIVER:
                # what came from nobody, or was made by an older version, is not made to look like one event
                given = self.mark = self.parent
                self.id = given if len(given) == 32 else id_of(given)
            else:
                self.mark = self.id = _bits(128).to_bytes(16, "big").hex()  # new_trace_id(), without a call
        else:
            self._span = _spans.begin(self, self.parent)
        self._token = _current.set(self)
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        _current.reset(self._token)
        if self._span is not None and _spans is not None:
            _spans.end(self._span, self, error)

    @property
    def seconds(self) -> float:
        """How long it has been at work."""
        return _clock() - self.began


_current: ContextVar[Trail | None] = ContextVar("classwaves_trail", default=None)
_spans: Spans | None = None

current = _current.get
_clock = time.perf_counter
_bits = random.getrandbits


def new_trace_id() -> str:
    """A random trace id. It guards nothing, so it costs no system call; a forked process begins with a new seed."""
    return _bits(128).to_bytes(16, "big").hex()  # a third of what formatting the number takes


def id_of(mark: str) -> str:
    """The trace id in a mark: a ``traceparent`` (Trace Context, section 3.2) has the version before it."""
    return mark if len(mark) == 32 else mark[3:35]


def mark() -> str:
    """What an entry that is made now carries; empty if nothing is at work."""
    trail = _current.get()
    return trail.mark if trail is not None else ""


def marked(message: dict[str, Any]) -> dict[str, Any]:
    """A signal with the mark of what is at work, if anything is."""
    return {**message, "t": now} if (now := mark()) else message


def about(session_id: str) -> None:
    """It is known now which session the work is about."""
    if (trail := _current.get()) is not None:
        trail.session_id = session_id


def part_of(kind: str, event: str, session_id: str = "") -> AbstractContextManager[Trail]:
    """The trail that is at work; if there is none, a new one."""
    trail = _current.get()
    return nullcontext(trail) if trail is not None else Trail(kind, event, session_id=session_id)


def run_step(name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function as a step of what is at work, for whoever measures."""
    if _spans is None:
        return function(*args, **kwargs)
    with _spans.step(name):
        return function(*args, **kwargs)


def measure(spans: Spans | None) -> None:
    """Let all trails of this process be measured from now on; ``None``: no more."""
    global _spans
    _spans = spans
