"""An origin as browsers write it (RFC 6454, section 6.2), and as a setting may write several at once, by a wildcard.

Imports nothing of the package.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Ports that browsers leave out.
USUAL = {"http": 80, "https": 443}
_FORM = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\s/?#@:\[\]\\]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class WebOrigin:
    """Scheme, host and port. :param host: in small letters and ASCII; ``*.`` before it: any real subdomain."""

    scheme: str
    host: str
    port: int | None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port and self.port != self._usual else "")

    @property
    def _usual(self) -> int | None:
        return USUAL.get(self.scheme)

    def covers(self, other: WebOrigin) -> bool:
        """Whether the other one is this one, or one of those that this wildcard means."""
        if (self.scheme, self.port) != (other.scheme, other.port):
            return False
        if not self.host.startswith("*."):
            return self.host == other.host
        suffix = self.host[1:]
        return other.host.endswith(suffix) and all(map(_LABEL.fullmatch, other.host[: -len(suffix)].split(".")))


def parse_origin(text: str) -> WebOrigin:
    """:raises ValueError: this is no origin: scheme and host, a port if it is not the usual one, and nothing else."""
    found = _FORM.fullmatch(text)
    if not found:
        raise ValueError("not scheme://host or scheme://host:port")
    scheme, host, port = found[1].lower(), found[2].lower(), found[3]
    if port and not 0 < int(port) < 65536:
        raise ValueError("not a port")
    if not host.isascii():  # browsers send it in this form
        try:
            wildcard = "*." if host.startswith("*.") else ""
            host = wildcard + host.removeprefix("*.").encode("idna").decode()
        except UnicodeError:
            raise ValueError("not the name of a host") from None
    if "*" in host.removeprefix("*."):
        raise ValueError("a wildcard may only stand for the first parts of a host, as in https://*.school.example")
    if host.startswith("*.") and ("." not in host[2:] and host[2:] != "localhost"):
        raise ValueError("a wildcard for a whole top-level domain")
    return WebOrigin(scheme, host, int(port) if port else USUAL.get(scheme))
