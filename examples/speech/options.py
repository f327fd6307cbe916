"""What ``transcriber.py`` is told on its command line and in the environment."""

import argparse
import os
import secrets
from pathlib import Path

from .classroom import Captions, token_for
from .engines import ENGINES


def arguments(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
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


def captions(args: argparse.Namespace) -> Captions:
    """A stream of captions into the session. :raises Refused: the server gives no token for it."""
    user, password = os.environ.get("CLASSWAVES_USER", "teacher"), os.environ.get("CLASSWAVES_PASSWORD", "classwaves")
    token = os.environ.get("CLASSWAVES_TOKEN") or token_for(args.server, args.code, user, password)
    more = {"speakerId": args.speaker, "groupId": args.group, "language": args.language}
    more = {name: value for name, value in more.items() if value}
    return Captions(args.server, token, args.code, secrets.token_hex(6), more)
