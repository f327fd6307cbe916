"""Which pages may talk to the server: one rule for WebSocket, polling and REST (RFC 6454, section 7).

Imports settings and the form of origins.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from .settings import Settings
from .web_origin import WebOrigin, parse_origin

logger = logging.getLogger(__name__)

#: How many refused origins are told of, and how much of each: clients choose them.
TOLD, SHOWN = 100, 100
#: What pages send that were opened from disk, and those in a sandbox.
NULL = "null"
ANY = "*"


class Origins:
    """The server's own origin, those in ``CLASSWAVES_ORIGINS``, and in demo mode ``null``: a page opened from disk."""

    def __init__(self, settings: Settings) -> None:
        self._any = ANY in settings.origins
        self._patterns = [parse_origin(origin) for origin in settings.origins if origin != ANY]
        exact = {str(pattern) for pattern in self._patterns if "*" not in pattern.host}
        self._listed = frozenset(exact | ({NULL} if settings.demo else set()))
        self._hops = settings.trusted_proxies
        self._told: set[str] = set()
        if self._any:
            logger.warning("CLASSWAVES_ORIGINS is *: any page may use this server with a token that it was given")

    def allowed(self, origin: str | None, environ: Mapping[str, Any]) -> bool:
        """Whether a request with this ``Origin`` header is welcome; the environ tells the server's own."""
        if origin is None:
            return False
        if origin in self._listed or self._any:
            return True
        own = f"{environ.get('wsgi.url_scheme')}://{environ.get('HTTP_HOST')}"
        if origin == own or self._matches(origin, own):
            return True
        self._tell(origin, own, environ)
        return False

    def _matches(self, origin: str, own: str) -> bool:
        asked = _parsed(origin)
        if asked is None or "*" in asked.host:
            return False
        return asked == _parsed(own) or any(pattern.covers(asked) for pattern in self._patterns)

    def _tell(self, origin: str, own: str, environ: Mapping[str, Any]) -> None:
        """Say once of each origin why its pages do not get through, and how to mend it."""
        shown = _printable(origin)
        if shown in self._told or len(self._told) >= TOLD:
            return
        self._told.add(shown)
        if len(self._told) == TOLD:
            logger.warning("pages of %d origins were refused; more are not told of", TOLD)
        elif not self._hops and "HTTP_X_FORWARDED_FOR" in environ and _host(origin) in _said_by_proxy(environ):
            logger.warning(
                "a page of %s was refused, which seems to be this server's own address behind a proxy: set "
                "CLASSWAVES_TRUSTED_PROXIES to the number of proxies in front",
                shown,
            )
        else:
            logger.warning(
                "a page of %s was refused: if it is yours, add it to CLASSWAVES_ORIGINS (this server itself is %s)",
                shown,
                _printable(own),
            )


def _parsed(text: str) -> WebOrigin | None:
    try:
        return parse_origin(text) if text.isascii() else None
    except ValueError:
        return None


def _host(origin: str) -> str:
    return origin.partition("://")[2].lower()


def _said_by_proxy(environ: Mapping[str, Any]) -> set[str]:
    return {str(environ.get(name, "")).lower() for name in ("HTTP_HOST", "HTTP_X_FORWARDED_HOST")} - {""}


def _printable(text: str) -> str:
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text[:SHOWN])
