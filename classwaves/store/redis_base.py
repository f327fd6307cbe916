"""What the parts of the store on Redis share: its servers, the names of keys, and one error for all its troubles.

Imports errors and the servers.
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import redis

from ..errors import ClassWavesError, StaleFence, StoreUnavailable
from ..tally import Tally, add
from .redis_servers import Servers

logger = logging.getLogger(__name__)

P = ParamSpec("P")
S = TypeVar("S", bound="RedisPart")
T = TypeVar("T")
LUA = Path(__file__).parent / "lua"

#: The last parts of the keys of a session's log, in the order in which ``common.lua`` takes them.
LOG_KEYS = ("meta", "log", "fences", "dedupe", "roster", "feed")


def guarded(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Whatever Redis cannot do now (away, full, read-only, loading) is one error, which clients may retry."""

    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            result = method(self, *args, **kwargs)
        except (redis.RedisError, OSError) as error:
            self._note(method.__name__, error)
            raise StoreUnavailable from error
        if self._trouble:
            self._note(method.__name__, None)
        return result

    functools.update_wrapper(call, method)
    return call


class RedisPart:
    """A part of the store.

    :param prefix: the first part of every key.
    """

    def __init__(self, servers: Servers, prefix: str) -> None:
        self._servers, self._prefix = servers, prefix
        self._redis, self._lane = servers.client, servers.lane
        self._trouble: str | None = None
        self.tally = Tally()

    def _note(self, step: str, error: Exception | None) -> None:
        """Log that Redis went away, and that it came back, once each."""
        kind = type(error).__name__ if error else None
        if error:
            add(self.tally.store_errors, _kind_of(error))
        if kind != self._trouble:
            self._trouble = kind
            if error:
                logger.warning("Redis did not do %s: %s", step, kind)
            else:
                logger.info("Redis answers again")

    def _key(self, *parts: str) -> str:
        return ":".join((self._prefix, *parts))

    def _of(self, session_id: str, *names: str) -> list[str]:
        start = f"{self._prefix}:{{{session_id}}}:"
        return [start + name for name in names]

    def _log_keys(self, session_id: str) -> list[str]:
        return self._of(session_id, *LOG_KEYS)

    def _due(self, index: str, older_than: float) -> list[str]:
        """The sessions that an index has had for so long, in seconds."""
        before = self._now() - int(older_than * 1000)
        due = cast("list[bytes]", self._redis.zrangebyscore(self._key(index), "-inf", before))
        return [session_id.decode() for session_id in due]

    def _now(self) -> int:
        seconds, micros = self._redis.time()
        return seconds * 1000 + micros // 1000

    @staticmethod
    def _text(value: Any) -> str | None:
        return value.decode() if value is not None else None


def _kind_of(error: Exception) -> str:
    """One of a few words, whatever else a Redis may say."""
    if isinstance(error, redis.TimeoutError | TimeoutError):
        return "timeout"
    return "connection" if isinstance(error, redis.ConnectionError | OSError) else "refused"


def script(*names: str) -> str:
    return "".join((LUA / f"{name}.lua").read_text() for name in ("common", *names))


def dump(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def fence_args(fences: Mapping[str, int] | None) -> list[Any]:
    args: list[Any] = [len(fences) if fences else 0]
    for pair in (fences or {}).items():
        args += pair
    return args


def checked(answer: Any) -> Any:
    """A script's answer, or the error that its first item stands for."""
    match answer[0]:
        case b"gone":
            raise ClassWavesError("SESSION_NOT_FOUND")
        case b"stale":
            raise StaleFence
        case b"full":
            raise ClassWavesError("SESSION_FULL")
    return answer
