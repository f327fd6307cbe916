"""A server over its wire: REST without a library, and Socket.IO by hand, so that a test may say anything it likes."""

import json
import urllib.error
import urllib.request
from typing import Any

from tests.support.apps import API, PASSWORD
from tests.support.wires import TIMEOUT, PollingWire, Wire
from tests.support.wires import Closed as Closed
from tests.support.wires import WebSocketWire as WebSocketWire


class Api:
    """The REST API of a server.

    :param url: of the server, without a slash at its end
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, token: str | None = None, body: Any = None) -> tuple[int, Any]:
        """Return the status and the decoded body of an answer, whatever they are."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + API + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def ok(self, method: str, path: str, token: str | None = None, body: Any = None) -> Any:
        """Return the body of an answer that must be a success."""
        status, answer = self.call(method, path, token, body)
        assert 200 <= status < 300, (status, answer)
        return answer

    def login(self, name: str, password: str = PASSWORD) -> dict[str, Any]:
        """Return the whole answer of a login: ``accessToken``, ``refreshToken``, ``user`` and so on."""
        answer: dict[str, Any] = self.ok("POST", "/auth/login", body={"username": name, "password": password})
        return answer

    def token(self, name: str) -> str:
        """Return the access token of a user whose password is the usual one."""
        return str(self.login(name)["accessToken"])

    def guest(self, code: str, name: str) -> str:
        """Return the access token of a new guest of a session."""
        return str(self.ok("POST", f"/sessions/{code}/join", body={"displayName": name})["accessToken"])

    def new_session(self, token: str, **settings: Any) -> str:
        """Create a session and return its code."""
        body = {"title": "A lesson", "settings": settings}
        return str(self.ok("POST", "/sessions", token, body)["sessionCode"])

    def step(self, token: str, code: str, name: str) -> None:
        """Take a step in a session's life: ``start``, ``pause``, ``resume``, ``end``."""
        self.ok("POST", f"/sessions/{code}/{name}", token)

    def messages(self, token: str, code: str) -> list[dict[str, Any]]:
        """Return all messages of a session, page by page."""
        found: list[dict[str, Any]] = []
        before = ""
        while True:
            page = self.ok("GET", f"/sessions/{code}/messages?limit=100{before}", token)
            found = page["messages"] + found
            if not page["hasMore"]:
                return found
            before = f"&beforeSeq={page['nextBeforeSeq']}"


class RawClient:
    """A Socket.IO client on a wire. It answers pings while it waits for something, and is not thread-safe.

    :param token: in ``auth``; no ``auth`` is sent if ``None``
    :param transport: ``websocket`` or ``polling``
    :param headers: of the handshake
    :param auth: sent as it is instead of the token
    :param query: more of the handshake's query, with ``&`` in front
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        transport: str = "websocket",
        headers: dict[str, str] | None = None,
        auth: Any = None,
        query: str = "",
    ) -> None:
        self.wire: Wire = self._open(url, transport, headers or {}, query)
        self.inbox: list[tuple[str, Any]] = []
        """All events received so far that :meth:`take` has not taken."""
        self.acks: dict[int, Any] = {}
        self.refusal: Any = None
        """The data of ``connect_error``, if that was the answer."""
        self.ready: dict[str, Any] = {}
        """What ``connectionReady`` said, which comes first."""
        self._ids = 0
        try:
            self._connect({"token": token} if token is not None else auth)
        except BaseException:
            self.wire.drop()
            raise

    def _open(self, url: str, transport: str, headers: dict[str, str], query: str) -> Wire:
        kind = WebSocketWire if transport == "websocket" else PollingWire
        return kind(url, headers, query)

    def _connect(self, auth: Any) -> None:
        self.handshake: dict[str, Any] = json.loads(self.wire.receive()[1:])
        self.wire.send("40" + ("" if auth is None else json.dumps(auth)))
        answer = self._packet()
        assert answer[:2] in ("40", "44"), answer
        if answer[1] == "4":
            self.refusal = json.loads(answer[2:])
        else:
            self.read()
            event, self.ready = self.inbox.pop()
            assert event == "connectionReady", event

    def _packet(self) -> str:
        while (packet := self.wire.receive()) == "2":
            self.wire.send("3")
        return packet

    def read(self) -> None:
        """Wait for one packet and keep what it says. :raises Closed: the connection has ended."""
        packet = self._packet()
        if packet == "41":
            raise Closed("disconnected by the server")
        if packet == "6":
            return
        kind, start = packet[:2], packet.index("[")
        assert kind in ("42", "43"), packet
        data = json.loads(packet[start:])
        if kind == "42":
            assert len(data) == 2, packet
            self.inbox.append((data[0], data[1]))
        else:
            number = int(packet[2:start])
            assert number not in self.acks, f"a second ack: {packet}"
            assert len(data) == 1, packet
            self.acks[number] = data[0]

    def send(self, event: str, *args: Any) -> int:
        """Send an event that asks for an ack, do not wait, and return the ack's number."""
        self._ids += 1
        self._send(str(self._ids), [event, *args])
        return self._ids

    def _send(self, number: str, data: list[Any]) -> None:
        """Bytes in it follow as attachments (the Socket.IO protocol, version 5)."""
        attachments: list[bytes] = []

        def place(value: bytes) -> dict[str, Any]:
            attachments.append(value)
            return {"_placeholder": True, "num": len(attachments) - 1}

        text = json.dumps(data, default=place)
        self.wire.send(f"45{len(attachments)}-{number}{text}" if attachments else f"42{number}{text}")
        for attachment in attachments:
            self.wire.send(attachment)

    def tell(self, event: str, *args: Any) -> None:
        """Send an event that asks for no ack."""
        self._send("", [event, *args])

    def ack(self, number: int) -> dict[str, Any]:
        """Wait for an ack."""
        while number not in self.acks:
            self.read()
        answer: dict[str, Any] = self.acks[number]
        return answer

    def ask(self, event: str, *args: Any) -> dict[str, Any]:
        """Send an event and wait for its ack."""
        return self.ack(self.send(event, *args))

    def wait_for(self, event: str, **fields: Any) -> Any:
        """Return the payload of the first event in the inbox, now or later, with these fields."""
        at = 0
        while True:
            for name, payload in self.inbox[at:]:
                if name == event and payload.items() >= fields.items():
                    return payload
            at = len(self.inbox)
            self.read()

    def take(self) -> list[tuple[str, Any]]:
        """Empty the inbox."""
        taken, self.inbox = self.inbox, []
        return taken

    def join(self, code: str, *resume: Any) -> dict[str, Any]:
        """Join a session and return ``sessionJoined``."""
        ack = self.ask("joinSession", code, *resume)
        assert ack["ok"], ack
        joined: dict[str, Any] = next(data for name, data in reversed(self.inbox) if name == "sessionJoined")
        return joined

    def say(self, code: str, message: str, **more: Any) -> dict[str, Any]:
        """Send a message and return the ack of success."""
        ack = self.ask("sendMessage", {"sessionCode": code, "message": message, **more})
        assert ack["ok"], ack
        return ack

    def close(self) -> None:
        """End the connection in an orderly way."""
        self.wire.close()
