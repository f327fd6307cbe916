"""The worker's door: where other workers of this machine hand in connections whose requests are for it.

Imports nothing of ours. What is handed over is the descriptor of the client's connection and what was read from it, so
the worker that gets it goes on as if it had accepted the connection itself: nothing is forwarded, no answer comes
back, and whatever the client sends next over this connection is where it belongs already.
"""

from __future__ import annotations

import _socket
import array
import contextlib
import logging
import os
import re
import secrets
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent.hub import get_hub

logger = logging.getLogger(__name__)

#: The name of a worker, which begins the ids of its connections.
NAME = re.compile(r"[A-Za-z0-9_-]{8}")
#: What one message over a door may hold; the kernel's own limit is about 208 KiB.
LARGEST = 262_144
#: How long a worker is waited for whose door is crowded, and how long between two tries, in seconds.
PATIENCE, PAUSE = 5.0, 0.02
READABLE = 1


class NotHere(Exception):
    """No worker of this machine has this name; one of another machine may."""


class Gone(Exception):
    """The worker has died, or takes nothing."""


def doors_folder() -> Path:
    """Where the doors of this user's workers are. :raises PermissionError: somebody else made the folder."""
    folder = Path(tempfile.gettempdir()) / f"classwaves-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(1, "the folder belongs to somebody else")
    return folder


def _door() -> _socket.socket:
    door = _socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    door.setblocking(False)
    return door


class Door:
    """One worker's door, open until :meth:`close`.

    :param adopt: called by the loop with a connection and what was read from it.
    """

    def __init__(self, adopt: Callable[[socket.socket, bytes], None], folder: Path | None = None) -> None:
        self.name = secrets.token_urlsafe(6)
        self._adopt = adopt
        self._folder = folder or doors_folder()
        self._path = self._folder / self.name
        self._sock = _door()
        _clear(self._folder)
        self._sock.bind(str(self._path))
        self._out = _door()
        self._watcher = get_hub().loop.io(self._sock.fileno(), READABLE)
        self._watcher.start(self._on_readable)

    def pass_on(self, owner: str, descriptor: int, read: bytes) -> None:
        """Give a connection to another worker. The caller closes its own descriptor, whatever comes of it.

        :raises NotHere: there is no such worker on this machine.
        :raises Gone: it has died, or takes nothing for :data:`PATIENCE` seconds.
        """
        path = str(self._folder / owner)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        for _ in range(int(PATIENCE / PAUSE)):
            try:
                self._out.sendmsg([read], rights, 0, path)
                return
            except BlockingIOError:
                gevent.sleep(PAUSE)
            except FileNotFoundError:
                raise NotHere from None
            except OSError as error:  # refused: it has died; or the message is too long
                raise Gone from error
        raise Gone

    def close(self) -> None:
        """Take nothing more. What has been handed in before is taken. May be called again."""
        if self._sock.fileno() < 0:
            return
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._on_readable()
        self._watcher.stop()
        self._watcher.close()
        self._sock.close()
        self._out.close()

    def _on_readable(self) -> None:
        while True:
            try:
                read, rights, _, _ = self._sock.recvmsg(LARGEST, _socket.CMSG_SPACE(4))
            except BlockingIOError:
                return
            for descriptor in _descriptors(rights):
                try:
                    self._adopt(socket.socket(fileno=descriptor), read)
                except Exception:  # the others that wait are to be taken all the same
                    logger.exception("a connection could not be taken over")


def _descriptors(rights: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in rights:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)


def _clear(folder: Path) -> None:
    """Take away the doors of workers that could not do so themselves."""
    with contextlib.closing(_door()) as probe:
        for path in folder.iterdir():
            if NAME.fullmatch(path.name) and path.is_socket():
                try:
                    probe.sendto(b"", str(path))
                except ConnectionRefusedError:
                    path.unlink(missing_ok=True)
                except OSError:
                    continue
