"""The store: where the log, the roster and the logins live. ``base`` says what one must do; two do it."""

from __future__ import annotations

from ..clock import AppClock
from ..settings import Settings
from .base import Limits as Limits
from .base import Store as Store
from .memory import MemoryStore as MemoryStore


def open_store(settings: Settings, clock: AppClock | None = None) -> Store:
    """The store that these settings mean. Nothing is connected yet.

    :param clock: by which a store in memory goes; Redis has its own.
    """
    limits = Limits(settings.log_entries, settings.log_bytes, settings.dedupe_keys, settings.archives)
    if settings.store_kind == "memory":
        return MemoryStore(limits, (clock or AppClock()).time)
    from .redis import RedisStore  # only who uses Redis pays for importing it

    return RedisStore(
        settings.redis_url,
        prefix=settings.redis_prefix,
        limits=limits,
        timeout=settings.redis_timeout,
        connections=settings.redis_connections,
    )
