"""A real server for a test: gunicorn with ClassWaves' worker, in a process of its own, its store as its settings say.

Imports errors, backstage's names, clock and sockets.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess  # nosec B404
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from ..errors import ClassWavesError
from .backstage import Backstage
from .clock import RoomClock
from .served import APP, KEY, PATH
from .sockets import SocketWire
from .stages import Wire

#: How long a server may take to start and to end, in seconds.
START, END = 30.0, 15.0
HOST = "127.0.0.1"


class Server:
    """gunicorn with one worker and one application.

    :param named: the application, as gunicorn has it: ``package:app`` or ``package:factory()``.
    :param env: of the server, beside this process's.
    :param folder: where it is started.
    """

    def __init__(self, named: str, env: Mapping[str, str], folder: Path) -> None:
        self._key = secrets.token_hex()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        path = os.pathsep.join([str(folder), *filter(None, sys.path)])
        environ = {**os.environ, "PYTHONPATH": path, **env, APP: named, KEY: self._key}
        worker = ["--worker-class", "classwaves.transport.worker.Worker", "--workers", "1"]
        # without the shop's own gunicorn.conf.py, which is for its server
        command = [sys.executable, "-m", "gunicorn", "--config", os.devnull, *worker]
        with socket.create_server((HOST, 0)) as listener:
            self.port: int = listener.getsockname()[1]
            listener.set_inheritable(True)
            self._process = subprocess.Popen(  # noqa: S603 # nosec B603
                [*command, "--bind", f"fd://{listener.fileno()}", "classwaves.testing.served:make_app()"],
                cwd=folder,
                env=environ,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(listener.fileno(),),
            )
        try:
            self.do("in_session")  # its worker takes what has been waiting since the socket was opened
        except OSError:
            self._process.wait(END)
            log = self.log()
            self.close()
            raise RuntimeError(f"gunicorn did not start with {named}:\n{log}") from None

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://{HOST}:{self.port}"

    def log(self) -> str:
        """What the server has written."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def do(self, name: str, *args: Any) -> Any:
        """Ask for something behind the scenes. :raises ClassWavesError: as it was there."""
        body, headers = json.dumps(args), {"Content-Type": "application/json", "X-Testing-Key": self._key}
        status, _, answer = self.request("POST", PATH + name, body.encode(), headers)
        if status == 409:
            raise ClassWavesError(**json.loads(answer))
        if status != 200:
            raise RuntimeError(f"the server answered {status}:\n{self.log()}")
        return json.loads(answer)

    def request(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Send a request, and return status, headers and body of the answer."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=START)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def close(self) -> None:
        """End it. May be called again."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(END)
            except subprocess.TimeoutExpired:
                self._process.kill()  # its worker sees that it has gone, and goes, too
                self._process.wait()
        self._log.close()


class Remote:
    """A :class:`~classwaves.testing.backstage.Backstage` of a server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._names: dict[str, Any] = {}

    def login(self, user_id: str, display_name: str, role: str) -> str:
        token: str = self._server.do("login", user_id, display_name, role)
        return token

    def guest(self, code: str, display_name: str) -> tuple[str, str]:
        token, user_id = self._server.do("guest", code, display_name)
        return token, user_id

    def create(self, owner_id: str, title: str, settings: Mapping[str, Any]) -> str:
        code: str = self._server.do("create", owner_id, title, dict(settings))
        return code

    def step(self, code: str, name: str) -> None:
        self._server.do("step", code, name)

    def forget_rates(self) -> None:
        self._server.do("forget_rates")

    def namespace(self) -> str:
        name: str = self._known("namespace")
        return name

    def in_session(self) -> list[str]:
        names: list[str] = self._known("in_session")
        return names

    def positional(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = self._known("positional")
        return names

    def _known(self, what: str) -> Any:
        if what not in self._names:
            self._names[what] = self._server.do(what)
        return self._names[what]


class ServerStage:
    """A :class:`~classwaves.testing.stages.Stage`: a server, and clients as they are."""

    patience = 5.0
    remote = True

    def __init__(self, server: Server) -> None:
        self.server = server
        self.backstage: Backstage = Remote(server)
        self.backstage.forget_rates()

    @property
    def clock(self) -> RoomClock:
        raise RuntimeError("a real server goes by the machine's time: test with the clock without classwaves_server")

    def wire(self, token: str) -> Wire:
        return SocketWire(self.server.url, token, self.backstage.namespace())

    def rest(self, token: str) -> Client:
        return Client(Forward(self.server, token))

    def settle(self) -> None:
        """What a client is sent comes before the answer to what it asks then; see :meth:`Person.refute_received`."""

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


class Forward:
    """A WSGI application that is a server elsewhere, so that its answers are those of Flask's test client."""

    def __init__(self, server: Server, token: str) -> None:
        self._server = server
        self._token = token

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        headers = {"Authorization": f"Bearer {self._token}", **dict(request.headers)}
        path = request.full_path.removesuffix("?")
        status, answered, body = self._server.request(request.method, path, request.get_data(), headers)
        kept = [(name, value) for name, value in answered if name.lower() not in ("transfer-encoding", "connection")]
        return Response(body, status, kept)(environ, start_response)
