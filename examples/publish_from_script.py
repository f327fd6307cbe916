"""Tell a class something from a plain script, which serves nobody and needs nothing but the server's Redis.

    REDIS_URL=redis://localhost:6379/0 python examples/publish_from_script.py DEM234 "The bus leaves at noon"

What is published with classwaves is in the session's log: it has its place in the order, and who was away gets it when
they come back. What is emitted with Flask-SocketIO reaches whoever is connected at the moment, and is kept nowhere.
"""

import os
import sys

from flask_socketio import SocketIO

from classwaves import ClassWavesError, Publisher


def main(session_code: str, text: str) -> None:
    """Say it in the chat, note it as an event of our own, and ring a bell everywhere."""
    redis_url = os.environ["REDIS_URL"]
    with Publisher(redis_url) as classroom:
        said = classroom.say(session_code, text)
        classroom.publish(session_code, "noticePosted", {"text": text, "messageId": said["messageId"]})
    SocketIO(message_queue=redis_url).emit("bellRings", {"times": 2})  # to every socket of every session
    print(f"said as number {said['seq']}, at {said['timestamp']}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("publish_from_script.py CODE TEXT")
    try:
        main(*sys.argv[1:])
    except ClassWavesError as error:
        sys.exit(f"{error.code}: {error.message}")
