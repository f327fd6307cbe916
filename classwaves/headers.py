"""The headers by which browsers guard a page and who looks at it, on every answer of ours; a shop's are its own.

Imports state.
"""

from __future__ import annotations

import base64
import hashlib
import re

from flask import Response, request

from .state import current_state

#: Data is no page: nothing in it is run, framed, or read by a page that may not read it by CORS.
DATA = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
#: Pages of ours call; nobody else's does in their name.
PAGE = {
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
}
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


def guard(response: Response) -> Response:
    """Guard an answer that is data. What it says itself stays."""
    return _add(response, DATA)


def guard_page(response: Response, policy: str) -> Response:
    """Guard a page, or what belongs to one. :param policy: see :func:`page_policy`."""
    return _add(response, {**PAGE, "Content-Security-Policy": policy})


def page_policy(html: str, *, scripts: str = "", connects: str = "'self'") -> str:
    """A content security policy under which a page's own inline scripts and styles run, by their hashes, and no others.

    :param scripts: further sources of scripts.
    :param connects: where it may send requests.
    """
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(html):
        digest = hashlib.sha256(text.encode()).digest()
        hashes[kind].append(f"'sha256-{base64.b64encode(digest).decode()}'")
    allowed = {
        "default-src": "'none'",
        "script-src": " ".join(["'self'", *scripts.split(), *hashes["script"]]),
        "style-src": " ".join(["'self'", *hashes["style"]]),
        "connect-src": connects,
        "img-src": "'self' data:",
        "media-src": "'self' blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in allowed.items())


def _add(response: Response, headers: dict[str, str]) -> Response:
    for name, value in {**COMMON, **headers}.items():
        response.headers.setdefault(name, value)
    seconds = current_state().settings.hsts_seconds
    if seconds and request.is_secure:  # as the proxy says: this server itself speaks no TLS
        response.headers.setdefault("Strict-Transport-Security", f"max-age={seconds}")
    return response
