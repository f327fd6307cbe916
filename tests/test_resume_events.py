"""``joinSession`` with ``{sinceSeq, epoch}``: everything that was missed, in order and as it was sent, or nothing."""

import json
from typing import Any

import pytest

from tests.support.apps import AppFactory, headers_for, new_session, state_of, step
from tests.support.tabs import Classroom, Received, open_classroom


@pytest.fixture
def classroom(make_app: AppFactory) -> Classroom:
    return open_classroom(make_app())


def at(joined: dict[str, Any], seq: int | None = None) -> dict[str, Any]:
    """Return the second argument of ``joinSession``: the position of a ``sessionJoined``, or another one."""
    return {"sinceSeq": joined["seq"] if seq is None else seq, "epoch": joined["epoch"]}


def durable(taken: list[Received]) -> list[dict[str, Any]]:
    """Return what a witness received, as ``missed`` has it."""
    return [{"event": name, "data": data} for name, data in taken if "seq" in data]


def test_what_was_missed_comes_in_order_and_as_it_was_sent(classroom: Classroom) -> None:
    code = classroom.code
    witness, student = classroom.teacher(), classroom.tab("Ada")
    joined = student.join(code)
    student.vanish()
    witness.take()
    for number in range(20):
        witness.say(code, f"{number} \U0001f600", clientMessageId=f"m{number}")
    classroom.step("start")
    classroom.step("pause")
    back = classroom.tab("Ada").join(code, at(joined))
    assert back["recovered"] is True
    assert back["missed"] == durable(witness.take())
    assert len(back["missed"]) == 22
    assert [item["data"]["seq"] for item in back["missed"]] == list(range(joined["seq"] + 1, joined["seq"] + 23))
    assert (back["status"], back["epoch"], back["seq"]) == ("paused", joined["epoch"], joined["seq"] + 22)
    assert [one["userId"] for one in back["participants"]] == ["grace", "ada"]


def test_the_ack_says_the_same_as_the_event(classroom: Classroom) -> None:
    student = classroom.tab("Ada")
    joined = student.join(classroom.code)
    for resume, recovered in [(at(joined), True), ({"sinceSeq": 0, "epoch": "other"}, False)]:
        ack = student.ask("joinSession", classroom.code, resume)
        told = student.take_only("sessionJoined")
        assert {name: ack[name] for name in ("seq", "epoch", "recovered")} == {
            name: told[name] for name in ("seq", "epoch", "recovered")
        }
        assert told["recovered"] is recovered


def test_nothing_was_missed(classroom: Classroom) -> None:
    student = classroom.tab("Ada")
    joined = student.join(classroom.code)
    again = student.join(classroom.code, at(joined))
    assert (again["recovered"], again["missed"]) == (True, [])


def test_arrivals_and_departures_are_in_the_snapshot_and_not_in_missed(classroom: Classroom) -> None:
    student = classroom.tab("Ada")
    joined = student.join(classroom.code)
    classroom.joined("Bob").ask("leaveSession", classroom.code)
    classroom.joined("Cyd")
    student.take()
    again = student.join(classroom.code, at(joined))
    assert (again["recovered"], again["missed"]) == (True, [])
    assert [one["userId"] for one in again["participants"]] == ["ada", "cyd"]
    assert again["seq"] > joined["seq"]


def test_resuming_after_leaving(classroom: Classroom) -> None:
    teacher, student = classroom.teacher(), classroom.tab("Ada")
    joined = student.join(classroom.code)
    student.ask("leaveSession", classroom.code)
    teacher.take()
    teacher.say(classroom.code, "while you were out")
    student.take()
    back = student.join(classroom.code, at(joined))
    assert back["recovered"] is True
    assert back["missed"] == durable(teacher.take())


def test_from_the_very_start(classroom: Classroom) -> None:
    teacher = classroom.tab("Grace", "teacher")
    epoch = teacher.join(classroom.code)["epoch"]
    for number in range(3):
        teacher.say(classroom.code, str(number))
    back = classroom.tab("Ada").join(classroom.code, {"sinceSeq": 0, "epoch": epoch})
    assert back["recovered"] is True
    assert [item["data"]["message"] for item in back["missed"]] == ["0", "1", "2"]


@pytest.mark.parametrize("ahead", [1, 1000, 2**53 - 100])
def test_a_position_that_does_not_exist_yet(classroom: Classroom, ahead: int) -> None:
    student = classroom.tab("Ada")
    joined = student.join(classroom.code)
    again = student.join(classroom.code, at(joined, joined["seq"] + ahead))
    assert (again["recovered"], again["missed"]) == (False, [])


def test_another_epoch_is_never_recovered(classroom: Classroom) -> None:
    student = classroom.tab("Ada")
    joined = student.join(classroom.code)
    again = student.join(classroom.code, {**at(joined), "epoch": "another"})
    assert (again["recovered"], again["missed"]) == (False, [])
    assert again["epoch"] == joined["epoch"]


def test_a_join_without_a_position_is_no_recovery(classroom: Classroom) -> None:
    teacher = classroom.teacher()
    teacher.say(classroom.code, "hello")
    joined = classroom.tab("Ada").join(classroom.code, None)
    assert (joined["recovered"], joined["missed"]) == (False, [])


@pytest.mark.parametrize("count", [1000, 1001])
def test_a_thousand_events_at_the_most(classroom: Classroom, count: int) -> None:
    """They are read from the log, beyond the 500 newest that the worker keeps."""
    code = classroom.code
    teacher, student = classroom.teacher(), classroom.tab("Ada")
    joined = student.join(code)
    student.vanish()
    teacher.take()
    for number in range(count):
        teacher.say(code, str(number))
    back = classroom.tab("Ada").join(code, at(joined))
    assert back["recovered"] is (count == 1000)
    assert back["missed"] == (durable(teacher.take()) if count == 1000 else [])


def test_512_kib_at_the_most(make_app: AppFactory) -> None:
    classroom = open_classroom(make_app(CLASSWAVES_MAX_MESSAGE_LENGTH=50_000))
    code = classroom.code
    teacher, student = classroom.teacher(), classroom.tab("Ada")
    joined = student.join(code)
    for number in range(10):
        teacher.say(code, str(number) * 50_000)
    student.take()
    back = student.join(code, at(joined))
    assert back["recovered"] is True
    assert back["missed"] == durable(teacher.take())[-10:]
    assert len(json.dumps(back["missed"])) < 512 * 1024
    teacher.say(code, "x" * 50_000)
    student.take()
    back = student.join(code, at(joined))
    assert (back["recovered"], back["missed"]) == (False, [])


@pytest.mark.parametrize("ring", [1, 3, 500])
def test_whatever_the_worker_keeps_itself_the_answer_is_the_same(make_app: AppFactory, ring: int) -> None:
    classroom = open_classroom(make_app(CLASSWAVES_RING_ENTRIES=ring))
    teacher, student = classroom.teacher(), classroom.tab("Ada")
    joined = student.join(classroom.code)
    teacher.take()
    for number in range(10):
        teacher.say(classroom.code, str(number))
    said = durable(teacher.take())
    student.take()
    for seen in range(11):
        back = student.join(classroom.code, at(joined, joined["seq"] + seen))
        assert (back["recovered"], back["missed"]) == (True, said[seen:])


def test_a_worker_that_has_not_served_the_session_reads_the_log(classroom: Classroom) -> None:
    code, student = classroom.code, classroom.tab("Ada")
    joined = student.join(code)
    for number in range(5):
        student.say(code, str(number))
    said = durable(student.take())
    student.ask("leaveSession", code)
    student.take()
    assert state_of(classroom.app).hub.live_sessions() == []
    back = student.join(code, at(joined))
    assert (back["recovered"], back["missed"]) == (True, said)


def test_missed_events_of_several_sessions_do_not_mix(classroom: Classroom) -> None:
    app = classroom.app
    other = new_session(app.test_client(), headers_for(app, "Grace", "teacher"))
    student, teacher = classroom.tab("Ada"), classroom.teacher()
    here, there = student.join(classroom.code), student.join(other)
    teacher.take()
    teacher.join(other)
    teacher.say(classroom.code, "here")
    teacher.say(other, "there")
    student.take()
    assert [item["data"]["message"] for item in student.join(classroom.code, at(here))["missed"]] == ["here"]
    assert [item["data"]["message"] for item in student.join(other, at(there))["missed"]] == ["there"]


def test_internal_entries_are_nobodys(classroom: Classroom) -> None:
    """Creation, settings and participants are in the log too, and never in ``missed``."""
    client, grace = classroom.app.test_client(), headers_for(classroom.app, "Grace", "teacher")
    teacher = classroom.tab("Grace", "teacher")
    epoch = teacher.join(classroom.code)["epoch"]
    client.patch(f"/api/v1/sessions/{classroom.code}", json={"settings": {"fileSharing": False}}, headers=grace)
    step(client, grace, classroom.code, "start")
    back = classroom.tab("Ada").join(classroom.code, {"sinceSeq": 0, "epoch": epoch})
    assert back["recovered"] is True
    assert [item["event"] for item in back["missed"]] == ["sessionStatusChanged"]
