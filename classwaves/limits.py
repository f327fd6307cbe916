"""Rate limits: events in this process, logins and joins over all workers, there by the ``limits`` library.

Imports errors, settings, windows and the URL's parser. Keys are users and names; an address alone has wide
limits, because a school has one.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from limits import RateLimitItem, parse_many
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from .errors import ClassWavesError, StoreUnavailable
from .redis_url import parse_redis_url
from .settings import Settings
from .tally import Tally, add
from .windows import Places, Windows

#: What all workers count together, at the price of a round trip to Redis.
SHARED = ("login", "login_name", "wrong_password", "guest", "guess", "personal")
#: What each worker counts for itself: what is frequent, and where the number of workers more does no harm.
LOCAL = ("handshake", "connect", "read", "create", "event", "session", "chunk", "signal")
#: No limit, but kept as one: an address from which a session has been entered, or a name logged in, once in so long.
WELCOME, WELCOME_RATE = "welcome", "1 per 12 hour"
#: How soon somebody comes again who found no place to log in, in seconds.
LOGIN_PAUSE = 1.0
#: How many refusals of the shared limits are remembered before those that have passed are forgotten.
REMEMBERED = 1024

Key = tuple[str, ...]


class RateLimits:
    """The limits of one application, each named as its setting is (``CLASSWAVES_<NAME>_RATE``).

    :param clock: seconds, never backwards.
    """

    def __init__(
        self, settings: Settings, tally: Tally | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tally = tally or Tally()
        self._enabled = settings.ratelimit_enabled
        self._settings = settings
        self._clock = clock
        self._items = {name: parse_many(getattr(settings, f"{name}_rate")) for name in (*SHARED, *LOCAL)}
        self._items[WELCOME] = parse_many(WELCOME_RATE)
        self._windows = {name: self._window(items) for name, items in self._items.items()}
        self._here = {name: self._windows[name] for name in LOCAL}
        self._events = {name: self._window(parse_many(rate)) for name, rate in settings.own_rates.items()}
        #: until when somebody is refused by a shared limit, as far as this worker has been told
        self._refused: dict[Key, float] = {}
        self._sweep_at = REMEMBERED
        self._redis: FixedWindowRateLimiter | None = None
        self.connections = Places(settings.user_connections if self._enabled else math.inf)
        self._houses = Places(settings.address_connections if self._enabled else math.inf)
        self.logins = Places(settings.address_logins if self._enabled else math.inf)
        self.downloads = Places(settings.user_downloads if self._enabled else math.inf)

    def _window(self, items: list[RateLimitItem]) -> Windows:
        return Windows([(item.amount, item.get_expiry()) for item in items], self._clock)

    def add_event_rate(self, event: str, rate: str) -> None:
        """Give an event a rate of its own, unless a setting has given it one."""
        if event not in self._events:
            self._events[event] = self._window(parse_many(rate))

    def hit(self, name: str, *key: str, times: int = 1) -> None:
        """Count one try, or so many.

        :raises ClassWavesError: ``RATE_LIMIT`` with ``retryAfterMs``; ``SERVICE_UNAVAILABLE``.
        """
        if not self._enabled:
            return
        windows = self._here.get(name)
        wait = windows.take(key, times) if windows is not None else self._take(name, key, times)
        if wait > 0:
            self._refuse(name, wait)

    def hit_event(self, event: str, user_id: str) -> None:
        """Count one event against the rate that it has of its own, if any. :raises ClassWavesError: see above."""
        if self._enabled and event in self._events:
            self._refuse("event", self._events[event].take(user_id))

    def check(self, name: str, *key: str) -> None:
        """Raise what :meth:`hit` would raise, without counting."""
        if not self._enabled:
            return
        self._refuse(name, self._take(name, key, 0))

    def note_wrong_password(self, address: str) -> None:
        """Somebody there had a wrong one, and is told so; it is the next one who may be refused.

        :raises StoreUnavailable: Redis is away.
        """
        if self._enabled:
            self._take("wrong_password", (address,), 1)

    def welcome(self, address: str, *what: str) -> None:
        """Somebody at this address has entered this session, or leads it. :raises StoreUnavailable: Redis is away."""
        if self._enabled:
            self._take(WELCOME, (address, *what), 1)

    def is_welcome(self, address: str, *what: str) -> bool:
        """Whether somebody was there not long ago. :raises StoreUnavailable: Redis is away."""
        return self._enabled and self._take(WELCOME, (address, *what), 0) > 0

    def enter(self, address: str, user_id: str) -> None:
        """A socket of a user comes in, until :meth:`leave`. :raises ClassWavesError: ``CONNECTION_LIMIT``."""
        if not self.connections.take(user_id):
            raise ClassWavesError("CONNECTION_LIMIT")
        if not self._houses.take(address):
            self.connections.leave(user_id)
            raise ClassWavesError("CONNECTION_LIMIT")

    def leave(self, address: str, user_id: str) -> None:
        """It has gone."""
        self.connections.leave(user_id)
        self._houses.leave(address)

    @contextmanager
    def login(self, address: str, name: str) -> Iterator[None]:
        """While a password is checked, which takes a core for a moment; see :meth:`note_wrong_password` too.

        Each address has its tries with each name. Beyond that, who guesses from elsewhere, makes up names, or tries
        one password on many, keeps out nobody who has logged in from the same address not long ago.

        :raises ClassWavesError: ``RATE_LIMIT``; ``SERVICE_UNAVAILABLE``.
        """
        self.hit("login", address, name)
        placed = self.logins.take(address)
        try:
            if self._enabled:
                waits = {
                    "login_name": self._take("login_name", (name,), 1),
                    "wrong_password": self._wait_here("wrong_password", (address,)),
                    "login": 0.0 if placed else LOGIN_PAUSE,
                }
                longest = max(waits, key=waits.__getitem__)
                if waits[longest] > 0 and not self.is_welcome(address, "login", name):
                    self._refuse(longest, waits[longest])
            yield
        finally:
            if placed:
                self.logins.leave(address)

    def check_here(self, name: str, *key: str) -> None:
        """The same, without asking anybody: what this worker has refused before."""
        if self._enabled:
            self._refuse(name, self._wait_here(name, key))

    def _wait_here(self, name: str, key: Key) -> float:
        return max(self._refused.get((name, *key), 0.0) - self._clock(), self._windows[name].wait(key))

    def _refuse(self, name: str, wait: float) -> None:
        if wait > 0:
            add(self._tally.rate_limited, name)
            raise ClassWavesError("RATE_LIMIT", retry_after_ms=math.ceil(wait * 1000))

    def _take(self, name: str, key: Key, times: int) -> float:
        """Count so many tries, or none, and return how long to wait."""
        if name not in LOCAL and self._settings.store_kind == "redis":
            return self._take_shared(name, key, times)
        windows = self._windows[name]
        return windows.take(key, times) if times else windows.wait(key)

    def _take_shared(self, name: str, key: Key, times: int) -> float:
        """How long to wait. Who has been refused is not counted again, and costs Redis nothing, until then."""
        full = (name, *key)
        if (wait := self._refused.get(full, 0.0) - self._clock()) > 0:
            return wait
        try:
            wait = self._ask_redis(name, _digest(key), times)
        except Exception as error:  # Redis is away
            add(self._tally.store_errors, "limits")
            raise StoreUnavailable from error
        if wait > 0:
            if len(self._refused) >= self._sweep_at:
                self._refused = {old: until for old, until in self._refused.items() if until > self._clock()}
                self._sweep_at = max(REMEMBERED, 2 * len(self._refused))
            self._refused[full] = self._clock() + wait
        return wait

    def _ask_redis(self, name: str, digest: str, times: int) -> float:
        limiter, wait = self._shared(), 0.0
        for item in self._items[name]:
            if not (limiter.hit(item, name, digest, cost=times) if times else limiter.test(item, name, digest)):
                storage: Any = limiter.storage
                # the library's own answer is in whole seconds, rounded down too: who waits so long would be refused
                left = storage.storage.pttl(storage.prefixed_key(item.key_for(name, digest)))
                wait = max(wait, (max(left, 0) + 1) / 1000)
        return wait

    def forget(self) -> None:
        """Begin anew with all that this process counts, for the next test; what Redis counts stays."""
        for windows in (*self._windows.values(), *self._events.values()):
            windows.forget()
        self._refused.clear()

    def close(self) -> None:
        """Let go of the connections to Redis."""
        if self._redis is not None:
            self._redis.storage.storage.close()  # type: ignore[attr-defined]
            self._redis = None

    def _shared(self) -> FixedWindowRateLimiter:
        """The limiter over all workers, made when it is first needed: a cluster's asks the cluster for its nodes."""
        if self._redis is None:
            self._redis = FixedWindowRateLimiter(_redis_storage(self._settings))
        return self._redis


def _digest(key: Key) -> str:
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
