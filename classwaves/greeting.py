"""``connectionReady``: what a client is told first, so that it knows who it is and what it may send.

Imports files, models and settings.
"""

from __future__ import annotations

import time
from typing import Any

from .files import CHUNK
from .models import Principal, iso
from .readers import rate_items
from .settings import Settings


def limits(settings: Settings) -> dict[str, Any]:
    """What a client needs to know not to be refused. Lengths are in characters, sizes in bytes."""
    shares = settings.files != "none"
    return {
        "maxMessageLength": settings.max_message_length,
        "maxEventBytes": settings.max_event_bytes,
        "maxPacketBytes": settings.max_packet_bytes,
        "maxResponseBytes": settings.max_response_bytes,
        "maxFileBytes": settings.max_file_bytes if shares else 0,
        "maxFileChunkBytes": CHUNK if shares else 0,
        "fileTypes": list(settings.file_types),
        "eventRates": rates(settings, settings.event_rate),
        "singleEventRates": {name: rates(settings, text) for name, text in settings.own_rates.items()},
        "fileChunkRates": rates(settings, settings.chunk_rate),
        "signalRates": rates(settings, settings.signal_rate),
    }


def rates(settings: Settings, text: str) -> list[dict[str, int]]:
    """A rate as a list of ``{count, seconds}``, all of which hold; empty where nothing is limited."""
    if not settings.ratelimit_enabled:
        return []
    return [{"count": count, "seconds": seconds} for count, seconds in rate_items(text)]


def greeting(principal: Principal, limits: dict[str, Any]) -> dict[str, Any]:
    """The payload of ``connectionReady``."""
    return {
        "userId": principal.user_id,
        "role": principal.role,
        "serverTime": iso(int(time.time() * 1000)),
        "expiresAt": iso(int(principal.expires_at * 1000)),
        "limits": limits,
    }
