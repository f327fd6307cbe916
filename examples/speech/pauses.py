"""Where somebody speaks and where they pause: sound is cut into utterances by how loud it is."""

import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from .sound import RATE

#: Samples of a frame (30 ms).
FRAME = RATE * 30 // 1000
#: Frames kept from before it got loud; frames of quiet that end an utterance, and one that is long already.
BEFORE, PAUSE, SHORT_PAUSE = 10, 20, 5
#: Frames after which a short pause is enough, and after which it is cut wherever it is.
LONG, LONGEST = 400, 600
#: How much louder than the quiet around it speech is, and the least loudness that can be speech at all.
FACTOR, LEAST = 3.0, 120.0


@dataclass(frozen=True)
class Part:
    """More of an utterance: ``sound`` that begins at ``start_ms``. ``last``: a pause follows."""

    sound: bytes
    start_ms: int
    end_ms: int
    first: bool
    last: bool


class Pauses:
    """Cuts a stream of sound into utterances. It keeps less than a second of it, however long the silence is."""

    def __init__(self) -> None:
        self._rest = b""
        self._at = 0  # frames so far
        self._noise = LEAST
        self._before: deque[bytes] = deque(maxlen=BEFORE)
        self._loud = 0  # loud frames in a row
        self._quiet = 0
        self._length = 0  # frames of the utterance; 0: nobody speaks

    def cut(self, sound: bytes) -> Iterator[Part]:
        """The parts of utterances that this sound, which follows what was cut before, has in it."""
        data = self._rest + sound
        whole = len(data) // (FRAME * 2) * FRAME * 2
        self._rest = data[whole:]
        for start in range(0, whole, FRAME * 2):
            if part := self._frame(data[start : start + FRAME * 2]):
                yield part

    @property
    def is_open(self) -> bool:
        """Whether somebody speaks."""
        return self._length > 0

    @property
    def now_ms(self) -> int:
        return self._at * 30

    def _frame(self, frame: bytes) -> Part | None:
        self._at += 1
        loud = self._is_loud(frame)
        self._loud = self._loud + 1 if loud else 0
        if not self._length:
            self._before.append(frame)
            if self._loud < 3:  # a click is no speech
                return None
            sound = b"".join(self._before)
            self._length = len(self._before)
            self._before.clear()
            self._quiet = 0
            return self._part(sound, self._length, first=True)
        self._length += 1
        self._quiet = 0 if loud else self._quiet + 1
        pause = SHORT_PAUSE if self._length > LONG else PAUSE
        if self._quiet >= pause or self._length >= LONGEST:
            self._length = 0
            return self._part(frame, 1, last=True)
        return self._part(frame, 1)

    def _part(self, sound: bytes, frames: int, first: bool = False, last: bool = False) -> Part:
        return Part(sound, (self._at - frames) * 30, self._at * 30, first, last)

    def _is_loud(self, frame: bytes) -> bool:
        samples = array.array("h", frame)
        loudness: float = (sum(sample * sample for sample in samples[::2]) / (len(samples) / 2)) ** 0.5
        # the quiet around is followed quickly downwards and slowly upwards, so that speech is not taken for it
        self._noise += (loudness - self._noise) * (0.2 if loudness < self._noise else 0.0005)
        return loudness > max(LEAST, self._noise * FACTOR)
