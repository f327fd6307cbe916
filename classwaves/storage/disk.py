"""Shared files on a disk that all workers see: a folder a session, in it a folder a file, in it a file a chunk.

Imports the storage's base.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path

from ..models import new_id
from .base import Watched


class DiskStorage(Watched):
    """A :class:`~classwaves.storage.base.Storage` in a folder, which is made when the first chunk comes.

    It is not synced to the disk chunk by chunk: what a machine without power loses, a download misses.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(OSError)
        self._root = root

    def put(self, session_id: str, file_id: str, index: int, data: bytes) -> None:
        folder = self._root / session_id / file_id
        temporary = folder / f".{index}-{new_id(6)}"
        with self._watched():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(data)
                with contextlib.suppress(FileExistsError):
                    os.link(temporary, folder / str(index))  # atomic, and the first one stays
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)

    def get(self, session_id: str, file_id: str, index: int) -> bytes | None:
        with self._watched():
            try:
                return (self._root / session_id / file_id / str(index)).read_bytes()
            except FileNotFoundError:
                return None

    def delete(self, session_id: str, file_id: str) -> None:
        with self._watched(), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._root / session_id / file_id)

    def tidy(self, session_id: str) -> None:
        with contextlib.suppress(OSError):  # there is something that is not ours
            (self._root / session_id).rmdir()

    def sessions(self) -> list[str]:
        return self._folders(self._root)

    def files(self, session_id: str) -> list[str]:
        return self._folders(self._root / session_id)

    def _folders(self, folder: Path) -> list[str]:
        with self._watched():
            try:
                return [entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
            except FileNotFoundError:
                return []

    def touched(self, session_id: str, file_id: str) -> float:
        with self._watched():
            try:
                return (self._root / session_id / file_id).stat().st_mtime  # of the folder: its newest name
            except FileNotFoundError:
                return 0.0

    def close(self) -> None:
        """There is nothing to let go of."""


class TemporaryStorage(DiskStorage):
    """The same in a folder that ends with the process, as a store in memory does."""

    def __init__(self) -> None:
        root = Path(tempfile.gettempdir()) / f"classwaves-files-{new_id(9)}"
        super().__init__(root)
        self._end = weakref.finalize(self, shutil.rmtree, root, ignore_errors=True)  # also when the process ends

    def close(self) -> None:
        self._end()
