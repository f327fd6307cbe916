"""A reload (SIGHUP): the old workers serve until the new ones do, and go on if those cannot be loaded.

And workers that end after so many requests (``max_requests``), which do so one by one.

Imports tallies, which name the folder. gunicorn's master calls a part of it, so it uses no sockets. Master and workers
tell each other by files in that folder: which workers are to go, who serves, and for whom nobody needs to wait.
gunicorn tells the old workers to end as soon as it has begun to start the new ones, and tells them again and again,
which changes nothing. Where the folder cannot be written, they end when they are told to, as gunicorn's own do.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from ..tallies import FOLDER

logger = logging.getLogger(__name__)

#: How long the old workers wait for the new ones, and between two looks, in seconds.
PATIENCE, PAUSE = 60.0, 0.05
#: What files are called; after the last three comes a worker's age, which gunicorn gives each, one by one.
_RELOAD, _SERVES, _SETTLED, _FAILED = "reload", "serves-", "settled-", "failed-"
#: Who has it locked is the one that ends after so many requests.
_TURN = "turn"


def announce(folder: Path, last: int, workers: int) -> None:
    """The master reloads. :param last: workers up to this age are to go; :param workers: how many come.

    :raises OSError: the folder cannot be written, and the old workers will not wait.
    """
    for path in (*folder.glob(f"{_SETTLED}*"), *folder.glob(f"{_FAILED}*")):  # of the old ones
        path.unlink(missing_ok=True)
    new = folder / f"{_RELOAD}.new"
    new.write_text(f"{last} {workers}")
    new.replace(folder / _RELOAD)


def serve(age: int) -> None:
    """A worker is ready for clients."""
    if folder := _folder():
        with contextlib.suppress(OSError):  # the old ones go when they have waited long enough
            (folder / f"{_SERVES}{age}").touch()
            (folder / f"{_SETTLED}{age}").touch()


def settle(age: int, folder: Path | None = None) -> None:
    """A worker ends, or has: if it is one of the new ones, nobody waits for it any more."""
    if folder := folder or _folder():
        with contextlib.suppress(OSError):
            (folder / f"{_SETTLED}{age}").touch()
            (folder / f"{_SERVES}{age}").unlink(missing_ok=True)


def fail(age: int) -> bool:
    """A worker could not be loaded. The master settles it, when it does not count on it any more.

    :return: whether others serve, who are to go on
    """
    if folder := _folder():
        with contextlib.suppress(OSError):
            (folder / f"{_FAILED}{age}").touch()
            return bool(_ages(folder, _SERVES))
    return False


def await_successors(age: int, sleep: Callable[[float], None]) -> bool:
    """A worker was told to end: if that is for a reload, return when the new workers serve, else at once.

    :return: whether it is to end; not, if new ones could not be loaded
    """
    began, told = time.monotonic(), False
    while (folder := _folder()) and (reload := _reload(folder)) and age <= reload[0]:
        last, count = reload
        if sum(new > last for new in _ages(folder, _SETTLED)) >= count:
            # who is told to end after that is one too many
            return not (told and any(new > last for new in _ages(folder, _FAILED)))
        if time.monotonic() - began > PATIENCE:
            logger.warning("the new workers do not serve after %g s; this one ends all the same", PATIENCE)
            return True
        if not told:
            logger.info("reload: this worker serves until the new ones do")
            told = True
        sleep(PAUSE)
    return True


def await_turn(workers: int, sleep: Callable[[float], None]) -> None:
    """A worker would like to end: return when no other one does so, and as many serve as there are to be.

    They are waited for no longer than :data:`PATIENCE`: gunicorn may have been told to have fewer (TTOU). The turn ends
    with the process.
    """
    if not (folder := _folder()):
        return
    try:
        turn = os.open(folder / _TURN, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        return
    while not _is_locked(turn):
        sleep(PAUSE)
    began = time.monotonic()
    while len(_ages(folder, _SERVES)) < workers and time.monotonic() - began < PATIENCE:
        sleep(PAUSE)


def _is_locked(turn: int) -> bool:
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # another one has it
        return False
    except OSError:  # a file system without locks
        logger.warning("workers that have handled max_requests do not end in turn: the folder takes no locks")
    return True


def _folder() -> Path | None:
    name = os.environ.get(FOLDER)
    return Path(name) if name else None


def _ages(folder: Path, prefix: str) -> list[int]:
    return [int(path.name.removeprefix(prefix)) for path in folder.glob(f"{prefix}*")]


def _reload(folder: Path) -> tuple[int, int] | None:
    try:
        last, count = (folder / _RELOAD).read_text().split()
    except OSError:
        return None
    return int(last), int(count)
