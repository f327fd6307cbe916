"""Ports that nobody else takes between choosing and using them."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

# The bus of a Redis Cluster node listens on its port + 10000: both are below the range that the kernel gives to
# outgoing connections (from 32768), and no bus is where another server may be.
FIRST, LAST = 10000, 20000

_locks: list[int] = []
"""Descriptors of the locked files, one a port, held until this process ends."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free and stays ours.

    A lock on a file named after the port keeps it from all other test processes of this machine,
    also while our server is down between two starts.
    """
    directory = Path(tempfile.gettempdir()) / f"classwaves-ports-{os.getuid()}"
    directory.mkdir(exist_ok=True)
    for port in random.sample(range(FIRST, LAST), k=1000):
        if _reserve(directory / str(port)):
            if _unused(port):
                return port
            os.close(_locks.pop())
    raise RuntimeError(f"no free port between {FIRST} and {LAST}")


def _reserve(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _locks.append(descriptor)
    return True


def _unused(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections are in TIME_WAIT is free, one that is listened on is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
