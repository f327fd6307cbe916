"""A real TURN server (coturn), and what a browser asks of it first, by hand (RFC 8489, RFC 8656)."""

import hashlib
import hmac
import secrets
import shutil
import socket
import struct

import pytest

from tests.support.server_process import ServerProcess

COOKIE = b"\x21\x12\xa4\x42"
ALLOCATE, ALLOCATED = 0x0003, 0x0103
USERNAME, INTEGRITY, ERROR_CODE, REALM, NONCE, TRANSPORT = 0x0006, 0x0008, 0x0009, 0x0014, 0x0015, 0x0019
UDP = struct.pack("!Bxxx", 17)


class TurnServer(ServerProcess):
    """coturn on 127.0.0.1 that takes credentials made with a shared secret. The test is skipped where it is missing.

    :param secret: its ``static-auth-secret``
    """

    name = "turnserver"

    def __init__(self, secret: str) -> None:
        super().__init__()
        self.secret = secret

    def command(self) -> list[str]:
        """Return the server with its arguments; there is no configuration file."""
        binary = shutil.which("turnserver")
        if not binary:
            pytest.skip("turnserver is missing: install coturn")
        return [
            binary,
            *("-n", "--no-cli", "--no-tls", "--no-dtls", "--allow-loopback-peers", "--simple-log"),
            *("--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={self.port}"),
            *("--use-auth-secret", f"--static-auth-secret={self.secret}", "--realm=classroom"),
            *("--log-file=stdout", f"--userdb={self.directory / 'users'}", f"--pidfile={self.directory / 'pid'}"),
        ]

    def is_ready(self) -> bool:
        """Ask it for something that it refuses without credentials."""
        try:
            with Client(self.port) as client:
                kind, found = client.ask(_request(ALLOCATE, {TRANSPORT: UDP}))
        except (OSError, AssertionError):
            return False
        return kind != ALLOCATED and NONCE in found

    def allocates(self, username: str, credential: str) -> bool:
        """Whether it gives a relay to who has these credentials."""
        with Client(self.port) as client:
            _, challenge = client.ask(_request(ALLOCATE, {TRANSPORT: UDP}))
            name, realm = username.encode(), challenge[REALM]
            key = hashlib.md5(b":".join((name, realm, credential.encode())), usedforsecurity=False).digest()
            attributes = {TRANSPORT: UDP, USERNAME: name, REALM: realm, NONCE: challenge[NONCE]}
            kind, found = client.ask(_request(ALLOCATE, attributes, key))
        assert (kind == ALLOCATED) != (ERROR_CODE in found)
        return kind == ALLOCATED


class Client:
    """A TCP connection to a TURN server."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._received = self._socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._received.close()
        self._socket.close()

    def ask(self, request: bytes) -> tuple[int, dict[int, bytes]]:
        """Return the kind and the attributes of the answer."""
        self._socket.sendall(request)
        head = self._received.read(20)
        assert len(head) == 20 and head[4:] == request[4:20], head
        kind, length = struct.unpack("!HH", head[:4])
        return kind, _attributes(self._received.read(length))


def _request(kind: int, attributes: dict[int, bytes], key: bytes | None = None) -> bytes:
    body = b"".join(_attribute(name, value) for name, value in attributes.items())
    ident = COOKIE + secrets.token_bytes(12)
    if key is not None:  # over the message as it is before, with the length that it will have
        signed = struct.pack("!HH", kind, len(body) + 24) + ident + body
        body += _attribute(INTEGRITY, hmac.digest(key, signed, hashlib.sha1))
    return struct.pack("!HH", kind, len(body)) + ident + body


def _attribute(name: int, value: bytes) -> bytes:
    return struct.pack("!HH", name, len(value)) + value + b"\0" * (-len(value) % 4)


def _attributes(body: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at < len(body):
        name, length = struct.unpack("!HH", body[at : at + 4])
        found[name] = body[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4
    return found
