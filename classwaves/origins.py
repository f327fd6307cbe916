"""Which pages may talk to the server: one rule for WebSocket, polling and REST (RFC 6454, section 7).

Imports settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .settings import Settings


class Origins:
    """The server's own origin, those in ``CLASSWAVES_ORIGINS``, and in demo mode ``null``: a page opened from disk."""

    def __init__(self, settings: Settings) -> None:
        self._listed = frozenset(settings.origins) | ({"null"} if settings.demo else set())

    def allowed(self, origin: str | None, environ: Mapping[str, Any]) -> bool:
        """Whether a request with this ``Origin`` header is welcome; the environ tells the server's own."""
        own = f"{environ.get('wsgi.url_scheme')}://{environ.get('HTTP_HOST')}"
        return origin is not None and (origin in self._listed or origin == own)
