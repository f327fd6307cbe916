"""python-socketio's own client through the whole seed flow, on every transport and both stores."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import socketio

from tests.support.school import STORES, School, open_school
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("python-client")

WAYS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": None}


@pytest.fixture(scope="module", params=STORES)
def school(request: pytest.FixtureRequest) -> Iterator[School]:
    # over polling this client may wait for the next ping when it disconnects
    with open_school(request.param, CLASSWAVES_PING_INTERVAL="1") as school:
        yield school


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Client:
    """A python-socketio client that notes what it receives, in order."""

    def __init__(self, school: School, way: str, **how: Any) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.ended = threading.Event()
        self.sio = socketio.Client(reconnection=False, handle_sigint=False)
        self.sio.on("*", lambda event, *args: self.heard.append((event, *args)))
        self.sio.on("disconnect", lambda *reason: self.ended.set())
        self.sio.connect(school.url, transports=WAYS[way], wait_timeout=10, **how)

    def ask(self, event: str, *args: Any) -> dict[str, Any]:
        """Emit and return the ack."""
        ack: dict[str, Any] = self.sio.call(event, tuple(args), timeout=10)
        return ack

    def payloads(self, event: str) -> list[Any]:
        return [data for name, data in list(self.heard) if name == event]

    def wait_for(self, event: str, **fields: Any) -> Any:
        """Return the newest payload of an event with these fields, when there is one."""
        return eventually(
            lambda: [data for data in self.payloads(event) if data.items() >= fields.items()],
            what=f"{event} with {fields}",
        )[-1]


@contextmanager
def connected(school: School, way: str, token: str | None = None, **how: Any) -> Iterator[Client]:
    client = Client(school, way, auth=None if token is None else {"token": token}, **how)
    try:
        yield client
    finally:
        client.sio.disconnect()


def in_order(messages: list[Any]) -> list[Any]:
    """By seq: this client runs a thread for each packet, and they overtake one another."""
    return sorted(messages, key=lambda message: int(message["seq"]))


def test_a_lesson(school: School, way: str) -> None:
    code = school.session()
    ann = school.api.guest(code, "Ann")
    with connected(school, way, school.teacher) as teacher, connected(school, way, ann) as student:
        assert teacher.ask("joinSession", code)["ok"]
        teacher.wait_for("sessionJoined", sessionCode=code)
        joined = student.ask("joinSession", code)
        assert joined["ok"]
        told = student.wait_for("sessionJoined")
        student.wait_for("connectionReady")
        assert [one["displayName"] for one in told["participants"]] == ["Demo Teacher", "Ann"]
        teacher.wait_for("presenceUpdated", displayName="Ann", status="active")

        said = {"sessionCode": code, "message": "Good morning ✓", "clientMessageId": "m1"}
        sent = teacher.ask("sendMessage", said)
        assert teacher.ask("sendMessage", said) == sent
        for client in (teacher, student):
            message = client.wait_for("messageReceived")
            assert (message["messageId"], message["seq"], message["clientMessageId"]) == (
                *(sent["messageId"], sent["seq"], "m1"),
            )
        student.sio.emit("sendMessage", {"sessionCode": code, "message": "without an ack"})
        teacher.wait_for("messageReceived", message="without an ack")

        assert student.ask("updatePresence", {"sessionCode": code, "status": "away"})["ok"]
        teacher.wait_for("presenceUpdated", status="away")
        assert student.ask("noSuchEvent")["error"]["code"] == "UNKNOWN_EVENT"
        assert student.wait_for("error")["event"] == "noSuchEvent"

        assert student.ask("leaveSession", code) == {"ok": True}
        student.wait_for("sessionLeft", sessionCode=code)
        teacher.wait_for("presenceUpdated", status="left")
        teacher.ask("sendMessage", {"sessionCode": code, "message": "missed"})
        back = student.ask("joinSession", code, {"sinceSeq": sent["seq"], "epoch": joined["epoch"]})
        assert back["recovered"] is True
        missed = student.wait_for("sessionJoined", recovered=True)["missed"]
        assert [item["data"]["message"] for item in missed] == ["without an ack", "missed"]

        school.api.step(school.teacher, code, "end")
        for client in (teacher, student):
            client.wait_for("sessionStatusChanged", status="ended")
            client.wait_for("sessionEnded", sessionCode=code)
        assert student.ask("sendMessage", {**said, "clientMessageId": "m2"})["error"]["code"] == "SESSION_ENDED"
        teacher.wait_for("messageReceived", message="missed")
        assert student.payloads("presenceUpdated") == []
        assert len(teacher.payloads("messageReceived")) == 3


def test_resuming_after_the_connection_was_lost(school: School, way: str) -> None:
    code = school.session()
    ann = school.api.guest(code, "Ann")
    with connected(school, way, school.teacher) as teacher:
        teacher.ask("joinSession", code)
        with connected(school, way, ann) as student:
            position = student.ask("joinSession", code)
        for number in range(5):
            teacher.ask("sendMessage", {"sessionCode": code, "message": str(number)})
        with connected(school, way, ann) as student:
            resume = {"sinceSeq": position["seq"], "epoch": position["epoch"]}
            assert student.ask("joinSession", code, resume)["recovered"] is True
            missed = student.wait_for("sessionJoined")["missed"]
            assert [item["event"] for item in missed] == ["messageReceived"] * 5
            eventually(lambda: len(teacher.payloads("messageReceived")) == 5, what="what the teacher heard")
            assert [item["data"] for item in missed] == in_order(teacher.payloads("messageReceived"))


def test_two_hundred_events_at_once_keep_their_order(school: School, way: str) -> None:
    code = school.session()
    with connected(school, way, school.teacher) as client:
        client.ask("joinSession", code)
        acks: dict[int, Any] = {}
        for number in range(200):
            body = {"sessionCode": code, "message": str(number)}
            client.sio.emit("sendMessage", body, callback=partial(acks.__setitem__, number))
        eventually(lambda: len(acks) == 200, 30, "all acks")
        eventually(lambda: len(client.payloads("messageReceived")) == 200, 30, "all messages")
        heard = in_order(client.payloads("messageReceived"))
        assert [message["message"] for message in heard] == [str(n) for n in range(200)]
        assert [acks[n]["seq"] for n in range(200)] == [message["seq"] for message in heard]


def test_a_token_in_the_header(school: School, way: str) -> None:
    with connected(school, way, headers={"Authorization": f"Bearer {school.teacher}"}) as client:
        assert client.ask("joinSession", school.session())["ok"]


@pytest.mark.parametrize(
    ("token", "code", "message"),
    [
        (None, "AUTH_REQUIRED", "Authentication required"),
        ("nonsense", "INVALID_TOKEN", "Invalid authentication token"),
    ],
)
def test_a_refusal_says_why(school: School, way: str, token: str | None, code: str, message: str) -> None:
    refusals: list[Any] = []
    sio = socketio.Client(reconnection=False, handle_sigint=False)
    sio.on("connect_error", refusals.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        sio.connect(school.url, transports=WAYS[way], auth=token and {"token": token}, wait_timeout=10)
    (refusal,) = refusals
    assert (refusal["message"], refusal["data"]["code"]) == (message, code)


def test_a_logout_ends_the_connection(school: School, way: str) -> None:
    token = school.api.token("student")
    with connected(school, way, token) as client:
        assert client.ask("leaveSession", "ABC234")["ok"]
        school.api.ok("POST", "/auth/logout", token)
        assert client.ended.wait(10)
        assert client.wait_for("error")["code"] == "SESSION_EXPIRED"
