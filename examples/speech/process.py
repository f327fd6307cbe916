"""An engine in a process of its own: sound goes in, segments of text come out."""

import contextlib
import multiprocessing
import queue
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import engines
from .pauses import Pauses

#: How much sound of an utterance there must be for another interim text, in ms; how many pieces may wait.
INTERIM_MS, WAITING = 700, 100


@dataclass(frozen=True)
class Segment:
    """What was said between two moments of the sound, in ms; ``revision`` counts the texts of this segment."""

    number: int
    revision: int
    text: str
    is_final: bool
    start_ms: int
    end_ms: int


class Failed(Exception):
    """The engine does not work; the text says why."""


class Recognizer:
    """Feed it with :meth:`hear` in one thread and read :meth:`segments` in another one.

    At most :data:`WAITING` pieces of sound and as many segments wait; then whoever brings more has to.
    """

    def __init__(self, engine: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._sound: Any = context.Queue(WAITING)
        self._found: Any = context.Queue(WAITING)
        self._process = context.Process(target=_work, args=(engine, self._sound, self._found), daemon=True)
        self._process.start()

    def hear(self, piece: bytes | None) -> None:
        """More sound; ``None``: that was all. Waits while the engine is behind. :raises Failed: it is gone."""
        while self._process.is_alive():
            try:
                self._sound.put(piece, timeout=0.5)
                return
            except queue.Full:
                continue
        raise Failed("the speech engine's process has ended")

    def ready(self) -> None:
        """Wait until the engine is loaded. :raises Failed: it cannot be."""
        self._next()

    def segments(self) -> Iterator[Segment]:
        """What it finds, until the sound is over. :raises Failed: it is gone, or says that it does not work."""
        while (found := self._next()) is not None:
            yield found

    def _next(self) -> Any:
        while True:
            try:
                found = self._found.get(timeout=0.5)
            except queue.Empty:
                if self._process.is_alive():
                    continue
                raise Failed(f"the speech engine's process has ended ({self._process.exitcode})") from None
            if isinstance(found, str):
                raise Failed(found)
            return found

    def close(self) -> None:
        with contextlib.suppress(queue.Full):
            self._sound.put_nowait(None)
        self._process.join(2)
        self._process.terminate()
        self._process.join(5)
        for one in (self._sound, self._found):
            one.cancel_join_thread()
            one.close()


def _work(engine: str, sound: Any, found: Any) -> None:
    """The process: cut the sound into utterances and put their texts out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program, which ends this
    try:
        made = engines.make(engine)
    except ImportError as error:
        found.put(f"the engine {engine} is not installed ({error}): pip install {engines.ENGINES[engine]}")
        return
    found.put(True)
    try:
        for segment in recognize(made, iter(sound.get, None), lambda: sound.qsize() > 5):
            found.put(segment)
    except Exception as error:  # whatever a library of somebody else raises
        found.put(f"the engine {engine} has failed: {type(error).__name__}")
        raise
    found.put(None)


def recognize(engine: engines.Engine, sound: Iterator[bytes], is_behind: Any = lambda: False) -> Iterator[Segment]:
    """The segments of a stream of sound. While the engine is behind, it makes no interim texts."""
    pauses, number, revision, start, told, before = Pauses(), 0, 0, 0, 0, ""
    for piece in sound:
        for part in pauses.cut(piece):
            if part.first:
                number, revision, start, told, before = number + 1, 0, part.start_ms, part.start_ms, ""
                engine.start()
            engine.hear(part.sound)
            if not part.last and (part.end_ms - told < INTERIM_MS or is_behind()):
                continue
            told, text = part.end_ms, engine.text(part.last).strip()
            if text and (part.last or text != before):
                revision += 1
                before = text
                yield Segment(number, revision, text, part.last, start, part.end_ms)
    # what the end of the sound has cut short is over, too
    if pauses.is_open:
        text = engine.text(True).strip()
        if text:
            yield Segment(number, revision + 1, text, True, start, pauses.now_ms)
