"""Plain Flask-SocketIO, as its documentation shows it: rooms and ``emit``, its Redis queue if there is a Redis."""

import os
from datetime import UTC, datetime

from flask import Flask, request
from flask_socketio import SocketIO, emit, join_room

app = Flask(__name__)
socketio = SocketIO(app, message_queue=os.environ.get("REDIS_URL"))


@socketio.on("joinSession")  # type: ignore[untyped-decorator]
def join_session(code: str) -> None:
    """Enter the room, for whoever asks."""
    join_room(code)
    emit("sessionJoined", {"sessionCode": code})


@socketio.on("sendMessage")  # type: ignore[untyped-decorator]
def send_message(data: dict[str, str]) -> None:
    """Pass the message on to the room, the sender included."""
    about = {"userId": request.sid, "timestamp": datetime.now(UTC).isoformat()}  # type: ignore[attr-defined]
    emit("messageReceived", {**data, **about}, to=data["sessionCode"])
