"""Rate limits, by the ``limits`` library: events in this process, logins and joins over all workers.

Imports errors, settings and the URL's parser. Keys are users and names; an address alone has wide limits, because a
school has one.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from .errors import ClassWavesError, StoreUnavailable
from .redis_url import parse_redis_url
from .settings import Settings
from .tally import Tally, add

#: What is counted in this process only, so that it costs no round trip.
LOCAL = frozenset({"event", "chunk", "read", "signal"})


class RateLimits:
    """The limits of one application, each named as its setting is (``CLASSWAVES_<NAME>_RATE``)."""

    def __init__(self, settings: Settings, tally: Tally | None = None) -> None:
        self._tally = tally or Tally()
        self._enabled = settings.ratelimit_enabled
        self._items: dict[str, list[RateLimitItem]] = {
            name: parse_many(getattr(settings, f"{name}_rate"))
            for name in (
                "login",
                "login_name",
                "guest",
                "guess",
                "connect",
                "event",
                "chunk",
                "read",
                "personal",
                "signal",
            )
        }
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._settings = settings
        self._redis: FixedWindowRateLimiter | None = None

    def hit(self, name: str, *key: str, times: int = 1) -> None:
        """Count one try, or so many.

        :raises ClassWavesError: ``RATE_LIMIT`` with ``retryAfterMs``; ``SERVICE_UNAVAILABLE``.
        """
        self._apply(name, key, times)

    def check(self, name: str, *key: str) -> None:
        """Raise what :meth:`hit` would raise, without counting."""
        self._apply(name, key, 0)

    def _apply(self, name: str, key: tuple[str, ...], times: int) -> None:
        if not self._enabled:
            return
        parts = (name, _digest(key))
        try:
            limiter = self._local if name in LOCAL else self._shared()
            for item in self._items[name]:
                if not (limiter.hit(item, *parts, cost=times) if times else limiter.test(item, *parts)):
                    add(self._tally.rate_limited, name)
                    wait = max(0.0, limiter.get_window_stats(item, *parts).reset_time - time.time())
                    raise ClassWavesError("RATE_LIMIT", retry_after_ms=int(wait * 1000) + 1)
        except ClassWavesError:
            raise
        except Exception as error:  # the storage is Redis, and away
            add(self._tally.store_errors, "limits")
            raise StoreUnavailable from error

    def close(self) -> None:
        """Let go of the connections to Redis."""
        if self._redis is not None:
            self._redis.storage.storage.close()  # type: ignore[attr-defined]
            self._redis = None

    def _shared(self) -> FixedWindowRateLimiter:
        """The limiter over all workers, made when it is first needed: a cluster's asks the cluster for its nodes."""
        if self._settings.store_kind != "redis":
            return self._local
        if self._redis is None:
            self._redis = FixedWindowRateLimiter(_redis_storage(self._settings))
        return self._redis


def _digest(key: tuple[str, ...]) -> str:
    """Names and addresses do not belong into the store's key names."""
    return hashlib.sha256("\0".join(key).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _redis_storage(settings: Settings) -> Storage:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options: dict[str, Any] = {
        "socket_timeout": settings.redis_timeout,
        "socket_connect_timeout": settings.redis_timeout,
        "retry": Retry(NoBackoff(), 1),
        "key_prefix": f"{settings.redis_prefix}:limit",
    }
    address = parse_redis_url(settings.redis_url)
    url, more = address.limits()
    if address.form == "cluster":
        options["require_full_coverage"] = False  # who is counted on another node is not to suffer
    elif address.form == "sentinel":
        more["sentinel_kwargs"] |= {
            name: options[name] for name in ("socket_timeout", "socket_connect_timeout", "retry")
        }
    storage = storage_from_string(url, **options, **more)
    assert isinstance(storage, Storage)  # noqa: S101 - the scheme has no async+ in it
    return storage
