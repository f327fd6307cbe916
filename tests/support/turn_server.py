"""A real TURN server (coturn), for tests of the credentials that we make for it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import minimal_environ
from tests.support.server_process import ServerProcess


class TurnServer(ServerProcess):
    """coturn on 127.0.0.1 that takes credentials made with a shared secret, over TCP and UDP.

    :param secret: its ``static-auth-secret``
    """

    name = "turnserver"

    def __init__(self, secret: str) -> None:
        super().__init__()
        self.secret = secret

    def command(self) -> list[str]:
        """Return the server with its arguments; there is no configuration file."""
        return [
            tool("turnserver"),
            *("-n", "--no-cli", "--no-tls", "--no-dtls", "--allow-loopback-peers", "--simple-log"),
            *("--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={self.port}"),
            *("--use-auth-secret", f"--static-auth-secret={self.secret}", "--realm=classroom"),
            *("--log-file=stdout", f"--userdb={self.directory / 'users'}", f"--pidfile={self.directory / 'pid'}"),
        ]

    def is_ready(self) -> bool:
        """Look for what it says when it listens."""
        return f"127.0.0.1:{self.port}" in self.log() and "listener opened" in self.log().lower()

    def relays(self, username: str, credential: str) -> bool:
        """Whether it relays packets from one client to another with these credentials, tried by coturn's own client."""
        packets = ("-n", "2", "-m", "1", "-l", "100", "-c")
        address = ("-p", str(self.port), "127.0.0.1")
        command = [tool("turnutils_uclient"), "-y", "-u", username, "-w", credential, *packets, *address]
        done = subprocess.run(command, env=minimal_environ(), capture_output=True, text=True, timeout=20)
        return done.returncode == 0 and "Total lost packets 0" in done.stdout


def tool(name: str) -> str:
    """Return the path of one of coturn's programs, or skip the test."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is missing: install coturn")
    return str(Path(found))
