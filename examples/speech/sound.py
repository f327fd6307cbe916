"""Sound as engines want it: 16 kHz, one channel, 16 bits, in pieces of a tenth of a second."""

from __future__ import annotations

import array
import itertools
import queue
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path

RATE = 16_000
#: Samples in a piece, and its length in seconds.
PIECE = RATE // 10
SECONDS = PIECE / RATE


def from_wav(path: Path) -> Iterator[bytes]:
    """Read a WAV file (PCM, any rate, 8 to 32 bits, any number of channels), never more of it than a second.

    :raises ValueError: it is no such file.
    """
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            yield from pieces(resampled(_samples(file, width, channels, rate), rate))
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path} cannot be read ({error}): give a WAV file with PCM in it") from None


def _samples(file: wave.Wave_read, width: int, channels: int, rate: int) -> Iterator[array.array[int]]:
    frame = width * channels
    while data := file.readframes(rate):
        yield mono(data[: len(data) // frame * frame], width, channels)  # a recording may be cut off anywhere


def mono(data: bytes, width: int, channels: int) -> array.array[int]:
    """The mean of all channels, in 16 bits."""
    if width == 1:  # unsigned, unlike all others
        samples = array.array("h", ((byte - 128) << 8 for byte in data))
    else:  # the upper two bytes of each sample
        kept = bytearray(len(data) // width * 2)
        kept[0::2], kept[1::2] = data[width - 2 :: width], data[width - 1 :: width]
        samples = array.array("h", bytes(kept))
        if sys.byteorder == "big":
            samples.byteswap()
    if channels == 1:
        return samples
    sides = [samples[at::channels] for at in range(channels)]
    return array.array("h", (sum(one) // channels for one in zip(*sides, strict=True)))


def resampled(blocks: Iterator[array.array[int]], rate: int) -> Iterator[array.array[int]]:
    """The same sound at :data:`RATE`: the mean of each new sample's time, or a straight line where it has no mean."""
    if rate == RATE:
        yield from blocks
        return
    step, at = rate / RATE, 0.0
    before: array.array[int] = array.array("h")
    for block in blocks:
        samples = before + block
        count = max(0, int((len(samples) - 2 - at) / step))
        moments = [at + step * number for number in range(count + 1)]
        if step > 1:
            sums = array.array("q", itertools.accumulate(samples, initial=0))
            until = [sums[int(x)] + samples[int(x)] * (x - int(x)) for x in moments]
            made = array.array("h", (int((b - a) / step) for a, b in itertools.pairwise(until)))
        else:
            near = ((samples[int(x)], samples[int(x) + 1], x - int(x)) for x in moments[:count])
            made = array.array("h", (int(left + (right - left) * part) for left, right, part in near))
        at += step * count
        before, at = samples[int(at) :], at - int(at)
        yield made


def pieces(blocks: Iterator[array.array[int]]) -> Iterator[bytes]:
    """Cut into pieces of a tenth of a second; the last one is filled up with silence."""
    rest: array.array[int] = array.array("h")
    for block in blocks:
        rest += block
        while len(rest) >= PIECE:
            yield rest[:PIECE].tobytes()
            rest = rest[PIECE:]
    if rest:
        yield rest.tobytes().ljust(PIECE * 2, b"\0")


def at_its_pace(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A recording as if it was said now."""
    begun = time.monotonic()
    for number, piece in enumerate(pieces, 1):
        time.sleep(max(0.0, begun + number * SECONDS - time.monotonic()))
        yield piece


def from_microphone() -> Iterator[bytes]:
    """What the default microphone hears. What nobody takes within ten seconds is lost, which is said.

    :raises ValueError: there is none, or what reads it is not installed.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: without the PortAudio library
        raise ValueError(
            f"the microphone needs the package sounddevice and PortAudio ({error}): "
            "pip install sounddevice, and your system's libportaudio2"
        ) from None
    heard: queue.Queue[bytes] = queue.Queue(maxsize=int(10 / SECONDS))

    def keep(data: object, frames: int, time: object, status: object) -> None:
        try:
            heard.put_nowait(bytes(data))  # type: ignore[call-overload]
        except queue.Full:
            print("The engine is too slow: a tenth of a second is lost.", file=sys.stderr)

    try:
        with sounddevice.RawInputStream(RATE, PIECE, channels=1, dtype="int16", callback=keep):
            while True:
                yield heard.get()
    except sounddevice.PortAudioError as error:
        raise ValueError(f"the microphone does not work: {error}") from None
