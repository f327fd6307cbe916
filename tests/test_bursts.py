"""Messages that one client sends in a burst go to the store together, and stay in the order in which they were sent."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clients import RawClient
from tests.support.school import STORES, School, open_school
from tests.support.waiting import eventually

BURST = 300


@pytest.fixture(scope="module", params=STORES)
def running(request: pytest.FixtureRequest) -> Iterator[School]:
    with open_school(request.param) as school:
        yield school


@pytest.fixture
def school(running: School) -> Iterator[School]:
    yield running
    running.dismiss()


def burst(client: RawClient, code: str, count: int = BURST, first: int = 0) -> list[int]:
    """Send messages named by numbers, without waiting, and return the numbers of their acks."""
    return [
        client.send("sendMessage", {"sessionCode": code, "message": str(number)})
        for number in range(first, first + count)
    ]


def said(school: School, code: str) -> list[dict[str, Any]]:
    return school.api.messages(school.teacher, code)


def test_a_burst_keeps_its_order(school: School) -> None:
    code = school.session()
    ann, ben = school.joined(code, "Ann"), school.joined(code, "Ben")
    acks = [ann.ack(number) for number in burst(ann, code)]
    assert all(ack["ok"] for ack in acks)
    assert [ack["seq"] for ack in acks] == sorted(ack["seq"] for ack in acks)
    ben.wait_for("messageReceived", message=str(BURST - 1))
    received = [data["message"] for name, data in ben.take() if name == "messageReceived"]
    assert received == [str(number) for number in range(BURST)]


def test_a_burst_keeps_its_order_while_fences_move(school: School) -> None:
    """Each step of the session refuses what was under way; all of it is tried again, in order."""
    code = school.session()
    ann, ended = school.joined(code, "Ann"), threading.Event()

    def disturb() -> None:
        school.api.step(school.teacher, code, "start")
        while not ended.is_set():
            school.api.step(school.teacher, code, "pause")
            school.api.step(school.teacher, code, "resume")

    teacher = threading.Thread(target=disturb)
    teacher.start()
    try:
        numbers = [number for first in range(0, 10 * BURST, BURST) for number in burst(ann, code, first=first)]
        acks = [ann.ack(number) for number in numbers]
    finally:
        ended.set()
        teacher.join()
    stored = [(ack["seq"], str(number)) for number, ack in enumerate(acks) if ack["ok"]]
    # whoever is refused again and again is told so, and stored nothing
    assert {ack["error"]["code"] for ack in acks if not ack["ok"]} <= {"SERVICE_UNAVAILABLE"}
    assert len(stored) > len(acks) * 0.9
    assert [(item["seq"], item["message"]) for item in said(school, code)] == stored == sorted(stored)


def test_the_end_cuts_a_burst_in_two(school: School) -> None:
    code = school.session()
    ann = school.joined(code, "Ann")
    numbers = burst(ann, code, 3 * BURST)
    ann.ack(numbers[0])
    school.api.step(school.teacher, code, "end")
    acks = [ann.ack(number) for number in numbers]
    stored = [ack["ok"] for ack in acks]
    assert stored == sorted(stored, reverse=True), "once refused, all refused"
    assert {ack["error"]["code"] for ack in acks if not ack["ok"]} <= {"SESSION_ENDED"}
    assert [item["message"] for item in said(school, code)] == [str(number) for number in range(sum(stored))]


def test_other_events_wait_for_a_burst(school: School) -> None:
    code = school.session()
    ann = school.joined(code, "Ann")
    before = burst(ann, code)
    left = ann.send("leaveSession", code)
    after = burst(ann, code)
    back = ann.send("joinSession", code)
    last = burst(ann, code)
    assert all(ann.ack(number)["ok"] for number in [*before, left, back, *last])
    assert {ann.ack(number)["error"]["code"] for number in after} == {"NOT_IN_SESSION"}


def test_two_sessions_in_one_burst(school: School) -> None:
    codes = [school.session() for _ in range(2)]
    teacher = school.connect(school.teacher)
    for code in codes:
        teacher.join(code)
    acks = [teacher.send("sendMessage", {"sessionCode": codes[n % 2], "message": str(n)}) for n in range(BURST)]
    assert all(teacher.ack(number)["ok"] for number in acks)
    for which, code in enumerate(codes):
        assert [item["message"] for item in said(school, code)] == [str(n) for n in range(which, BURST, 2)]


def test_a_repeated_message_in_one_burst_is_stored_once(school: School) -> None:
    code = school.session()
    ann = school.joined(code, "Ann")
    message = {"sessionCode": code, "message": "once", "clientMessageId": "mine"}
    answers = [ann.ack(number) for number in [ann.send("sendMessage", message) for _ in range(50)]]
    assert all(answer == answers[0] for answer in answers)
    assert len(said(school, code)) == 1


def test_a_client_that_goes_in_mid_burst_leaves_a_beginning(school: School) -> None:
    code = school.session()
    ann = school.joined(code, "Ann")
    burst(ann, code)
    ann.wire.drop()
    ben = school.joined(code, "Ben")
    eventually(
        lambda: any(p["status"] == "disconnected" for p in ben.join(code)["participants"]), 20, "Ann's departure"
    )
    messages = [item["message"] for item in said(school, code)]
    assert messages == [str(number) for number in range(len(messages))]
