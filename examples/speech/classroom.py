"""The way of captions into a session: it survives lost connections, and keeps little in memory."""

import json
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import socketio

from .process import Segment

#: Final texts that wait at the most while the server is away; the oldest are lost beyond that, which is said.
WAITING = 2000
#: Seconds between signs of life while nobody speaks, of an ack, and between attempts to come back.
ALIVE, PATIENCE, LEAST_PAUSE, LONGEST_PAUSE = 10.0, 10.0, 0.5, 10.0

RETRYABLE = {"RATE_LIMIT", "CONNECTION_LIMIT", "SERVICE_UNAVAILABLE", "INTERNAL_ERROR"}
#: After these the same segment is not sent again, and captions go on: while a session is paused nothing is captioned.
DROPPED = {"SESSION_NOT_ACTIVE", "INVALID_PAYLOAD", "GROUP_NOT_FOUND", "CONFLICT"}


class Refused(Exception):
    """The server does not let this program caption; the text says why."""


def call_api(server: str, path: str, token: str | None, body: dict[str, Any]) -> dict[str, Any]:
    """A POST to the REST API. :raises Refused: it was answered with an error, or there is no answer."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(f"{server}/api/v1{path}", json.dumps(body).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - the operator's
            made: dict[str, Any] = json.load(answer)
            return made
    except urllib.error.HTTPError as error:
        with error:
            raise Refused(f"{path}: {error.code} {error.read(500).decode(errors='replace')}") from None
    except OSError as error:
        raise Refused(f"{server} cannot be reached: {error}") from None


def token_for(server: str, code: str, username: str, password: str) -> str:
    """A token for captions of this session alone, which one of its staff gets."""
    login = call_api(server, "/auth/login", None, {"username": username, "password": password})
    made = call_api(server, f"/sessions/{code}/transcriber", login["accessToken"], {"displayName": "Captions"})
    return str(made["accessToken"])


class Captions:
    """A stream of captions. :meth:`put` may be called from any thread; :meth:`run` sends until :meth:`finish`.

    Of a segment only the newest text waits. What was not acknowledged is sent again after a reconnect: its
    ``segmentId`` and ``revision`` keep it from being taken twice.

    :param more: for each segment: ``speakerId``, ``groupId``, ``language``.
    """

    def __init__(self, server: str, token: str, code: str, stream: str, more: dict[str, Any]) -> None:
        self._server, self._token, self._code, self._stream, self._more = server, token, code, stream, more
        self._client: Any = None
        self._unsent: dict[int, Segment] = {}
        self._changed = threading.Condition()
        self._finished = False
        self._failure: str | None = None
        self._sent_at = 0.0
        self._news = threading.Event()  # an ack has come, or the connection has ended

    def put(self, segment: Segment) -> None:
        with self._changed:
            self._unsent.pop(segment.number, None)
            self._unsent[segment.number] = segment
            if len(self._unsent) > WAITING:
                del self._unsent[next(iter(self._unsent))]
                print("The server is away for too long: the oldest caption is lost.", file=sys.stderr)
            self._changed.notify_all()

    def finish(self, failure: str | None = None) -> None:
        """No more comes; ``failure``: because something went wrong."""
        with self._changed:
            self._finished, self._failure = True, failure
            self._changed.notify_all()

    def connect(self) -> None:
        """Be in the session. :raises Refused: it does not let this program in."""
        pause = LEAST_PAUSE
        while True:
            refusals: list[Any] = []
            client = socketio.Client(reconnection=False)
            client.on("connect_error", refusals.append)
            client.on("disconnect", lambda *_: self._news.set())
            try:
                client.connect(
                    self._server, auth={"token": self._token}, transports=["websocket"], wait_timeout=PATIENCE
                )
                self._client = client
                self._ask("joinSession", self._code)
                self._ask("startTranscription", {"sessionCode": self._code, "streamId": self._stream}, drop=True)
                return
            except (socketio.exceptions.SocketIOError, TimeoutError):
                client.disconnect()
            code = next((one["data"]["code"] for one in refusals if isinstance(one, dict) and "data" in one), None)
            if code:
                raise Refused(f"the server does not accept the token: {code}")
            print(f"The server is away, trying again in {pause:g} s.", file=sys.stderr)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def run(self) -> None:
        """Send what comes, until all is sent after :meth:`finish`. :raises Refused: it may not."""
        while True:
            try:
                self._send_all()
                about = {"failed": True, "reason": self._failure[:200]} if self._failure else {}
                self._ask(
                    "stopTranscription", {"sessionCode": self._code, "streamId": self._stream, **about}, drop=True
                )
                self._client.disconnect()
                return
            except (socketio.exceptions.SocketIOError, TimeoutError):
                self._client.disconnect()
                self.connect()

    def _send_all(self) -> None:
        while segment := self._next():
            body = {
                "sessionCode": self._code,
                "streamId": self._stream,
                "segmentId": f"{self._stream}-{segment.number}",
                "revision": segment.revision,
                "text": segment.text[:4000],
                "isFinal": segment.is_final,
                "startMs": segment.start_ms,
                "endMs": segment.end_ms,
                **self._more,
            }
            self._ask("publishTranscription", body, drop=True)
            with self._changed:
                if self._unsent.get(segment.number) is segment:
                    del self._unsent[segment.number]

    def _next(self) -> Segment | None:
        """The next segment to send; signs of life while there is none; ``None`` when all is sent."""
        while True:
            with self._changed:
                if self._unsent:
                    return next(iter(self._unsent.values()))
                if self._finished:
                    return None
                self._changed.wait(1.0)
                idle = not self._unsent and time.monotonic() - self._sent_at > ALIVE
            if idle:
                self._ask("startTranscription", {"sessionCode": self._code, "streamId": self._stream}, drop=True)

    def _ask(self, event: str, data: Any, drop: bool = False) -> None:
        """Send an event until it is answered with something else than "try again". :raises Refused: see above."""
        while True:
            ack = self._call(event, data)
            self._sent_at = time.monotonic()
            if ack["ok"]:
                return
            error = ack["error"]
            if error["code"] in RETRYABLE:
                time.sleep(error.get("retryAfterMs", 1000) / 1000)
            elif error["code"] == "NOT_IN_SESSION" and event != "joinSession":
                raise TimeoutError  # the store has lost the seat: come in again
            elif drop and error["code"] in DROPPED:
                print(f"{event}: {error['code']}", file=sys.stderr)
                return
            else:
                raise Refused(f"{event}: {error['code']}: {error['message']}")

    def _call(self, event: str, data: Any) -> dict[str, Any]:
        """The ack of an event. :raises TimeoutError: none has come. (``Client.call`` waits on without a connection.)"""
        acks: list[dict[str, Any]] = []

        def take(ack: dict[str, Any]) -> None:
            acks.append(ack)
            self._news.set()

        self._news.clear()
        self._client.emit(event, data, callback=take)
        if not self._news.wait(PATIENCE) or not acks:
            raise TimeoutError
        return acks[0]


def in_background(task: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=task, daemon=True)
    thread.start()
    return thread
