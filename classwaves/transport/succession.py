"""A reload (SIGHUP): the old workers serve on until the new ones do, however long those take to load.

Imports tallies, which name the folder. gunicorn's master calls a part of it, so it uses no sockets. Master and workers
tell each other by files in that folder which workers are to go, and which of the new ones serve. gunicorn tells the
old workers to end as soon as it has begun to start the new ones, and tells them again and again, which changes nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from ..tallies import FOLDER

logger = logging.getLogger(__name__)

#: How long the old workers wait for the new ones, and between two looks, in seconds.
PATIENCE, PAUSE = 60.0, 0.05
_RELOAD, _SERVES = "reload", "serves-"


def announce(folder: Path, last: int, workers: int) -> None:
    """The master reloads. :param last: workers up to this age are to go; :param workers: how many come."""
    new = folder / f"{_RELOAD}.new"
    new.write_text(f"{last} {workers}")
    new.replace(folder / _RELOAD)


def call_off(age: int, folder: Path | None = None) -> None:
    """A worker ends, or has: if it is one of the new ones, nobody waits for them any more."""
    folder = folder or _folder()
    if folder is None:
        return
    (folder / f"{_SERVES}{age}").unlink(missing_ok=True)
    if (reload := _reload(folder)) and age > reload[0]:
        (folder / _RELOAD).unlink(missing_ok=True)


def serve(age: int) -> None:
    """A worker is ready for clients."""
    if folder := _folder():
        with contextlib.suppress(OSError):  # the old ones go when they have waited long enough
            (folder / f"{_SERVES}{age}").touch()


def await_successors(age: int, sleep: Callable[[float], None]) -> None:
    """A worker was told to end: if that is for a reload, return when the new workers serve, else at once."""
    began, told = time.monotonic(), False
    while (folder := _folder()) and (reload := _reload(folder)) and age <= reload[0]:
        last, count = reload
        if sum(int(path.name.removeprefix(_SERVES)) > last for path in folder.glob(f"{_SERVES}*")) >= count:
            return
        if time.monotonic() - began > PATIENCE:
            logger.warning("the new workers do not serve after %g s; this one ends all the same", PATIENCE)
            return
        if not told:
            logger.info("reload: this worker serves until the new ones do")
            told = True
        sleep(PAUSE)


def _folder() -> Path | None:
    name = os.environ.get(FOLDER)
    return Path(name) if name else None


def _reload(folder: Path) -> tuple[int, int] | None:
    try:
        last, count = (folder / _RELOAD).read_text().split()
    except OSError:
        return None
    return int(last), int(count)
