"""The environs of the handshakes, which handlers may ask for as long as their connections live.

Imports the name of what a request alone is offered. A dict for each would be several kilobytes; what differs between
them is a few strings.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from . import HAND_OVER_KEY

#: What belongs to the request alone, and would keep its socket and buffers.
FORGOTTEN = frozenset(
    {"wsgi.input", "wsgi.input_terminated", "gunicorn.sock", "gunicorn.socket", "eventlet.input", HAND_OVER_KEY}
)

Environ = dict[str, Any]


class Handshakes(MutableMapping[str, Environ]):
    """A mapping of ids to environs that keeps the text of each and shares the rest.

    What is read is a copy: what a handler writes into it is not kept.
    """

    def __init__(self) -> None:
        self._shared: Environ = {}
        self._kept: dict[str, tuple[str, Environ | None]] = {}

    def __setitem__(self, sid: str, environ: Environ) -> None:
        texts: list[str] = []
        own: Environ = {}
        for key, value in environ.items():
            if key in FORGOTTEN:
                continue
            if type(value) is str and "\0" not in value:
                texts += (key, value)
            elif isinstance(value, str) or self._shared.setdefault(key, value) is not value:
                own[key] = value
        self._kept[sid] = "\0".join(texts), own or None

    def __getitem__(self, sid: str) -> Environ:
        text, own = self._kept[sid]
        texts = text.split("\0")
        return {**self._shared, **dict(zip(texts[::2], texts[1::2], strict=True)), **(own or {})}

    def __delitem__(self, sid: str) -> None:
        del self._kept[sid]

    def __contains__(self, sid: object) -> bool:
        return sid in self._kept

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)
