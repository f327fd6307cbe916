"""The proxies in front, of which each adds to three fields what it has seen. Imports nothing of the package."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

FIELDS = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST")


class Proxies(ProxyFix):
    """WSGI middleware that believes so many proxies: the client's address, scheme and host are as the outermost says.

    werkzeug reads the fields as lists that may quote. So a quote that a client opens would take in what the proxies add
    after it: their word would not count, or count as part of the client's. No address, scheme or host has one.

    :param hops: how many proxies are in front.
    """

    def __init__(self, app: Any, hops: int) -> None:
        super().__init__(app, x_for=hops, x_proto=hops, x_host=hops)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        for field in FIELDS:
            if '"' in (said := environ.get(field, "")):
                environ[field] = said.replace('"', "")
        return super().__call__(environ, start_response)
