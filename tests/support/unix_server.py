"""gunicorn bound to a unix socket, as behind a proxy on the same machine, and raw clients of it."""

import http.client
import json
import socket
import tempfile
from pathlib import Path
from typing import Any

from tests.support.apps import API
from tests.support.debug_app import DebugGunicorn
from tests.support.protocol import TIMEOUT, Tcp, WebSocket


def socket_path(port: int) -> Path:
    """Return where the server with this port listens: the port is ours alone, and the path short enough."""
    return Path(tempfile.gettempdir()) / f"classwaves-{port}.sock"


class UnixTcp(Tcp):
    """A connection to a server by its unix socket."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self._host = "localhost"
        self._unread = b""
        try:
            self.socket.connect(str(socket_path(port)))
        except OSError:
            self.drop()
            raise


class UnixWebSocket(WebSocket, UnixTcp):
    """A WebSocket over a unix socket."""


class UnixGunicorn(DebugGunicorn):
    """``gunicorn --bind unix:...``."""

    def command(self) -> list[str]:
        *start, application = super().command()
        return [*start, "--bind", f"unix:{socket_path(self.port)}", application]

    def is_ready(self) -> bool:
        """Ask ``/healthz`` once."""
        try:
            return self.ask("GET", "/healthz")[0] == 200
        except (OSError, http.client.HTTPException, AssertionError):
            return False

    def ask(self, method: str, target: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """Send a request and return the status and the decoded JSON of the answer."""
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        with UnixTcp(self.port) as tcp:
            tcp.ask(method, target, headers, None if body is None else json.dumps(body).encode())
            answer = tcp.answer()
        return answer.status, json.loads(answer.body or b"null")

    def api(self, path: str, body: Any = None, token: str = "") -> Any:
        """POST to the REST API, which must be a success."""
        status, answer = self.ask("POST", API + path, body, token)
        assert 200 <= status < 300, (status, answer)
        return answer

    def close(self) -> None:
        super().close()
        socket_path(self.port).unlink(missing_ok=True)
