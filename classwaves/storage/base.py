"""What a storage of shared files must be able to do: the protocol that ``disk`` and ``s3`` fulfil.

Imports errors. A file is its chunks, objects under ``session/file/index``; nobody ever needs more than one at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ..errors import StoreUnavailable

logger = logging.getLogger(__name__)


class Storage(Protocol):
    """The chunks of all files. Ids are ours: letters, digits, ``-`` and ``_``.

    Methods raise :class:`~classwaves.errors.StoreUnavailable` for whatever the storage cannot do now: it is away, full,
    or forbidden.
    """

    def put(self, session_id: str, file_id: str, index: int, data: bytes) -> None:
        """Keep a chunk, whole or not at all. One that is there already stays as it is, so nobody can exchange it."""

    def get(self, session_id: str, file_id: str, index: int) -> bytes | None:
        """One chunk, ``None`` if it is not there."""

    def delete(self, session_id: str, file_id: str) -> None:
        """Let go of a file. Not an error if there is nothing."""

    def tidy(self, session_id: str) -> None:
        """Let go of what is left of a session that has no file any more, and never will."""

    def sessions(self) -> list[str]:
        """The sessions of which there is something."""

    def files(self, session_id: str) -> list[str]:
        """The files of a session of which there is something."""

    def touched(self, session_id: str, file_id: str) -> float:
        """When a chunk of this file was written last, in seconds since the epoch; 0 if there is none."""

    def close(self) -> None: ...


class Watched:
    """Tells of trouble with a storage once, and once that it is over."""

    def __init__(self, *errors: type[Exception]) -> None:
        self._errors = errors
        self._trouble = ""

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            self._note(type(error).__name__)
            raise StoreUnavailable from error
        self._note("")

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble:
                logger.warning("the storage of files does not work: %s", trouble)
            else:
                logger.info("the storage of files works again")
