"""The numbers of all workers of one machine: each leaves its own in a file, and whoever is asked adds them up.

Imports the tally. gunicorn's master makes the folder and buries the workers that have died, so this imports nothing
that uses sockets. Counts of dead workers stay, or they would seem to fall; what they had at that moment does not.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .tally import Raw, Tally

logger = logging.getLogger(__name__)

#: The environment variable in which gunicorn's master names the folder.
FOLDER = "CLASSWAVES_METRICS_DIR"
#: How the names of folders begin, and how old those are that nobody uses any more, in seconds.
START, LEFT = "cw-numbers-", 600.0
#: What is there at a moment, and not counted; the last ones are not added up, but the most of them counts.
GAUGES = frozenset(
    ("connections", "outbox_bytes", "sessions", "members", "archive_backlog", "workers", "draining", "loop_lag_now")
)
MOST = frozenset(("loop_lag_now",))
#: How often a worker writes, in seconds. Who is killed takes no more than so much with it.
PAUSE = 1.0
#: How many names of the newest dead are remembered, for who has read a file just before it was buried.
BURIED = 1000


class Workers:
    """One application's numbers, of this worker and of the others that share its folder.

    :param tally: of this worker.
    :param folder: ``None`` where there is one process only.
    :param number: tells the applications of a process apart: the same one in all workers.
    """

    def __init__(self, tally: Tally, folder: Path | None, number: int = 0) -> None:
        self._tally = tally
        self._folder = folder
        self._number = number
        self._name = ""
        self._written = 0.0
        self._trouble = False

    def beat(self, lag: float, due: float) -> None:
        """The loop has come round; see :mod:`classwaves.transport.beat`."""
        self._tally.loop.beat(lag, due)
        if time.monotonic() - self._written >= PAUSE:
            self.write()

    def end(self) -> None:
        """This worker ends: its counts are to be whole."""
        self.write()

    def write(self) -> Raw:
        """Leave the numbers of this worker for the others, all at once or not at all; and return them."""
        self._written, raw = time.monotonic(), self._tally.raw()
        if self._folder is None:
            return raw
        self._name = self._name or f"{self._number}-{os.getpid()}-{secrets.token_hex(4)}"  # not before a fork
        try:
            _put(self._folder / f"{self._name}.json", raw)
            self._trouble = False
        except OSError as error:
            self._tally.fail("metrics")
            if not self._trouble:
                logger.warning("the numbers of this worker could not be written: %s", error.strerror)
            self._trouble = True
        return raw

    def total(self) -> Raw:
        """The numbers of all workers, of this one as they are now, of the others as they were a second ago.

        What is told here is written first: the next to be asked may be another worker, and no count is to fall.
        """
        return added([self.write(), *self._others()])

    def _others(self) -> list[Raw]:
        if self._folder is None:
            return []
        files = {path.stem: _get(path) for path in self._folder.glob(f"{self._number}-*-*.json")}
        dead = _get(_grave(self._folder, self._number)) or {"names": [], "raw": {}}  # last: none is in neither
        known = {self._name, *dead["names"]}
        return [dead["raw"], *(raw for name, raw in files.items() if raw and name not in known)]


def added(raws: Iterable[Raw]) -> Raw:
    """The sum of several workers' numbers."""
    sums: dict[str, dict[tuple[str, ...], Any]] = {}
    for raw in raws:
        for name, rows in raw.items():
            mine = sums.setdefault(name, {})
            for labels, value in rows:
                key = tuple(labels)
                mine[key] = _both(name, mine[key], value) if key in mine else value
    return {name: [(list(labels), value) for labels, value in rows.items()] for name, rows in sums.items()}


def _both(name: str, one: Any, other: Any) -> Any:
    if name in MOST:
        return max(one, other)
    if isinstance(one, list):
        return [mine + more for mine, more in zip(one, other, strict=True)]
    return one + other


# what the master does


def make_folder() -> Path:
    """Make the folder, for this user alone, and name it in the environment; once for each master.

    A master that another one has started (SIGUSR2) finds that one's in the environment, and makes its own. What others
    have left that were killed is removed: whoever lives writes once a second.
    """
    folder, start = Path(os.environ.get(FOLDER, "")), f"{START}{os.getpid()}-"
    if folder.name.startswith(start) and folder.is_dir():
        return folder
    for old in Path(tempfile.gettempdir()).glob(f"{START}*"):
        with contextlib.suppress(OSError):  # another master removes it, too, or it is another user's
            if old.stat().st_mtime < time.time() - LEFT:
                shutil.rmtree(old)
    folder = Path(tempfile.mkdtemp(prefix=start))
    os.environ[FOLDER] = str(folder)
    return folder


_dead: list[int] = []
_burying = False


def bury(folder: Path, pid: int) -> None:
    """A worker has died: keep its counts, and forget what it had. Called by a signal's handler, maybe within itself.

    :raises OSError: they cannot be written; this is tried again when the next one dies.
    """
    global _burying
    _dead.append(pid)
    if _burying:
        return
    _burying = True
    try:
        while _dead:
            dead = _dead.pop()
            try:
                _bury(folder, dead)
            except OSError:
                _dead.append(dead)
                raise
    finally:
        _burying = False


def _bury(folder: Path, pid: int) -> None:
    for path in folder.glob(f"*-{pid}-*.json"):
        number = int(path.stem.split("-")[0])
        grave = _get(_grave(folder, number)) or {"names": [], "raw": {}}
        counts = {name: rows for name, rows in (_get(path) or {}).items() if name not in GAUGES}
        names = [*grave["names"], path.stem][-BURIED:]
        _put(_grave(folder, number), {"names": names, "raw": added([grave["raw"], counts])})
        path.unlink(missing_ok=True)
    for path in folder.glob(f"*-{pid}-*.new"):  # killed while it wrote
        path.unlink(missing_ok=True)


def _grave(folder: Path, number: int) -> Path:
    return folder / f"{number}-dead.json"


def _put(path: Path, content: Any) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content, separators=(",", ":")))
    new.replace(path)


def _get(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
