"""Resuming while others send: no event is lost, none comes twice, on both stores and with two workers."""

import threading
from collections.abc import Iterator

import pytest

from tests.support.clients import RawClient
from tests.support.school import School, open_school

pytestmark = pytest.mark.xdist_group("resume-races")

SENDERS, MESSAGES, ROUNDS = 3, 150, 40


@pytest.fixture(scope="module", params=["memory", "redis"])
def running(request: pytest.FixtureRequest) -> Iterator[School]:
    """A server with two workers where the store allows, and so small a ring that the log is read as well."""
    with open_school(request.param, WEB_CONCURRENCY="2", CLASSWAVES_RING_ENTRIES="20") as school:
        yield school


@pytest.fixture
def school(running: School) -> Iterator[School]:
    yield running
    running.dismiss()


def send_all(client: RawClient, code: str) -> None:
    for number in range(MESSAGES):
        client.say(code, str(number))
        client.take()


class Follower:
    """Somebody who goes and comes back, and notes every message in the order of reception."""

    def __init__(self, school: School, code: str) -> None:
        self.school, self.code = school, code
        self.token = school.api.guest(code, "Follower")
        self.client = school.connect(self.token)
        self.seqs: list[int] = []
        first = self.client.join(code)
        self.position, self.epoch = first["seq"], first["epoch"]
        self.note()

    def note(self) -> None:
        """Take what has come: the newest ``sessionJoined`` brings what was missed, all before it is already known."""
        for name, data in self.client.take():
            if name == "sessionJoined":
                for item in data["missed"]:
                    self.heard(item["data"])
                self.position = max(self.position, data["seq"])
            elif "seq" in data:
                self.heard(data)

    def heard(self, data: dict[str, int]) -> None:
        assert data["seq"] > self.position, "twice, or out of order"
        self.seqs.append(data["seq"])
        self.position = data["seq"]

    def come_back(self, how: str) -> None:
        if how == "leave":
            self.client.ask("leaveSession", self.code)
            self.note()
        elif how == "vanish":
            self.client.wire.drop()
            self.client = self.school.connect(self.token)
        number = self.client.send("joinSession", self.code, {"sinceSeq": self.position, "epoch": self.epoch})
        assert self.client.ack(number)["recovered"] is True
        assert self.client.inbox[0][0] == "sessionJoined", "an event of the session came before"
        self.note()


@pytest.mark.parametrize("how", ["leave", "vanish"])
def test_nothing_is_lost_or_doubled_by_resuming_while_others_send(school: School, how: str) -> None:
    code = school.session()
    follower = Follower(school, code)
    senders = [school.joined(code, f"Sender {number}") for number in range(SENDERS)]
    threads = [threading.Thread(target=send_all, args=(client, code)) for client in senders]
    for thread in threads:
        thread.start()
    rounds = 0
    while any(thread.is_alive() for thread in threads) or rounds < ROUNDS:
        follower.come_back(how)
        rounds += 1
    for thread in threads:
        thread.join()
    follower.client.say(code, "the last one")
    follower.client.wait_for("messageReceived", message="the last one")
    follower.note()
    messages = school.api.messages(school.teacher, code)
    assert len(messages) == SENDERS * MESSAGES + 1
    assert follower.seqs == [message["seq"] for message in messages]
