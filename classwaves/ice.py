"""ICE servers for calls: what the settings list (RFC 7064, RFC 7065), and credentials for TURN that end by themselves.

Imports nothing of the package.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: ``stun:host[:port]`` and ``turn:host[:port][?transport=udp|tcp]``, each also with TLS; an IPv6 address in brackets.
#: With a port that is none, a browser makes no call at all.
PORT = "(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4})"
HOST = rf"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:{PORT})?"
URL = re.compile(rf"(stuns?:{HOST}|turns?:{HOST}(\?transport=(udp|tcp))?)\Z")


@dataclass(frozen=True, slots=True)
class IceServer:
    """One server, as browsers want it; ``username`` and ``credential`` are those of a TURN server with fixed ones."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = field(default="", repr=False)

    @property
    def relays(self) -> bool:
        """Whether it is a TURN server, which asks for a user name and a credential."""
        return self.urls[0].startswith("turn")


def parse_ice_servers(value: Any) -> tuple[IceServer, ...]:
    """Read the setting: URLs, separated by commas, or what a browser's ``iceServers`` is, as JSON or as a list.

    :raises ValueError: it is neither; the message says what is wrong and shows no credential.
    """
    if isinstance(value, str):
        value = _json(value) if value.lstrip().startswith(("[", "{")) else value.split(",")
    items = [value] if isinstance(value, Mapping) else value
    if not isinstance(items, Iterable):
        raise ValueError("must be URLs (stun:, turn:) or a list of servers")
    servers: list[IceServer] = []
    for item in items:
        servers += _servers(item)
    return tuple(servers)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(
            "is no JSON: give URLs, separated by commas, or a list of {urls, username, credential}"
        ) from None


def _servers(item: Any) -> list[IceServer]:
    if isinstance(item, IceServer):
        return [item]
    if isinstance(item, str):
        return [IceServer((_url(item),))] if item.strip() else []
    if not isinstance(item, Mapping) or not set(item) <= {"urls", "username", "credential"} or not item.get("urls"):
        raise ValueError("must list URLs, or objects with urls and perhaps username and credential")
    urls = [item["urls"]] if isinstance(item["urls"], str) else list(item["urls"])
    username, credential = item.get("username", ""), item.get("credential", "")
    if not isinstance(username, str) or not isinstance(credential, str) or bool(username) != bool(credential):
        raise ValueError("has a server with only one of username and credential, which are texts")
    # STUN asks for no credentials: what is of the other kind becomes a server of its own
    kinds = [
        tuple(_url(url) for url in urls if str(url).strip().startswith("turn") == relays) for relays in (False, True)
    ]
    stun, turn = ([IceServer(kinds[0])] if kinds[0] else []), []
    if kinds[1]:
        turn = [IceServer(kinds[1], username, credential)]
    return stun + turn


def _url(text: Any) -> str:
    if not isinstance(text, str) or not URL.match(text.strip()):
        raise ValueError("has something that is no ICE server: give stun:host:port or turn:host:port?transport=udp")
    return text.strip()


def for_user(
    servers: Iterable[IceServer], user: str, *, secret: str, expires_at: int
) -> tuple[list[dict[str, Any]], bool]:
    """The servers as a browser's ``iceServers``, and whether there are credentials among them that end.

    :param user: who it is for, which a TURN server sees only as a hash.
    :param secret: shared with the TURN servers that have no credentials of their own (coturn: ``static-auth-secret``).
    :param expires_at: when such a credential ends, in seconds since the epoch.
    """
    made, ends = [], False
    for server in servers:
        shown: dict[str, Any] = {"urls": list(server.urls)}
        if server.username:
            shown |= {"username": server.username, "credential": server.credential}
        elif server.relays:
            username = f"{expires_at}:{_opaque(user, secret)}"
            shown |= {"username": username, "credential": turn_credential(username, secret)}
            ends = True
        made.append(shown)
    return made, ends


def turn_credential(username: str, secret: str) -> str:
    """coturn's REST convention (``use-auth-secret``): base64 of HMAC-SHA1 of a user name that begins with its end."""
    return base64.b64encode(hmac.digest(secret.encode(), username.encode(), hashlib.sha1)).decode()


def _opaque(user: str, secret: str) -> str:
    """The same for the same user, so that a TURN server can count by user, and nobody's name or id."""
    return hmac.digest(secret.encode(), f"user\0{user}".encode("utf-8", "surrogatepass"), hashlib.sha256).hex()[:16]
