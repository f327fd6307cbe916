"""One id from a client's event to each delivery, right also where many are at work at once."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from classwaves import trail
from classwaves.brake import Brake
from classwaves.logs import AddTrail
from classwaves.models import Draft
from classwaves.refusals import Refusals
from classwaves.store.base import decode_entry, encode_draft
from classwaves.trail import DELIVER, EVENT, Trail
from tests.support.apps import AppFactory
from tests.support.tabs import Classroom, open_classroom
from tests.support.waiting import eventually


@pytest.fixture
def classroom(make_app: AppFactory) -> Classroom:
    return open_classroom(make_app())


@pytest.fixture
def debug(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.handler.addFilter(AddTrail())
    with caplog.at_level(logging.DEBUG, "classwaves"):
        yield caplog


def records(caplog: pytest.LogCaptureFixture, message: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if message in record.getMessage()]


def test_ids_are_those_of_w3c_and_differ() -> None:
    ids = {trail.new_trace_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == 32 and int(one, 16) and one == one.lower() for one in ids)


def test_a_draft_remembers_what_it_was_made_in() -> None:
    assert Draft("a", {}).trace == ""
    assert b'"t"' not in encode_draft(Draft("a", {}))
    with Trail(EVENT, "sendMessage") as at_work:
        draft = Draft("a", {})
    assert draft.trace == at_work.id
    assert decode_entry(1, "e", 0, encode_draft(draft)).draft.trace == at_work.id
    assert draft == Draft("a", {}), "it is the same event, whoever made it"


def test_an_entry_from_before_has_none() -> None:
    with Trail(EVENT, "another"):
        entry = decode_entry(1, "e", 0, b'{"n":"a","d":{}}')
    assert entry.draft.trace == ""
    with Trail(DELIVER, "a", parent=entry.draft.trace) as at_work:
        assert (at_work.id, trail.mark()) == ("", "")


def test_it_ends_with_the_event_and_can_be_nested() -> None:
    assert trail.current() is None
    with Trail(EVENT, "outer") as outer:
        with Trail(DELIVER, "inner", parent=outer.mark) as inner:
            assert inner.id == outer.id
            assert trail.current() is inner
        assert trail.current() is outer
    assert trail.current() is None


def test_a_message_has_one_id_until_it_is_delivered(classroom: Classroom, debug: pytest.LogCaptureFixture) -> None:
    ada, bob = classroom.joined("Ada"), classroom.joined("Bob")
    debug.clear()
    seq = ada.ask("sendMessage", {"sessionCode": classroom.code, "message": "hello"})["seq"]
    (delivered,) = records(debug, "delivered")
    assert delivered.__dict__.items() >= {"seq": seq, "recipients": 2, "event": "messageReceived"}.items()
    assert delivered.__dict__["user_id"] == "ada"
    assert len(delivered.__dict__["trace_id"]) == 32
    assert "hello" not in debug.text
    assert all(not {"t", "trace"} & payload.keys() for _, payload in bob.take())


def test_a_refusal_is_written_with_its_code(classroom: Classroom, debug: pytest.LogCaptureFixture) -> None:
    ada = classroom.tab("Ada")
    debug.clear()
    ada.ask("sendMessage", {"sessionCode": classroom.code, "message": "hello"})
    ada.ask("a name of Ada's own")
    refused = records(debug, "was refused")
    assert [(one.__dict__["event"], one.__dict__["code"]) for one in refused] == [
        ("sendMessage", "NOT_IN_SESSION"),
        ("unknown", "UNKNOWN_EVENT"),
    ]
    assert refused[0].__dict__["trace_id"] != refused[1].__dict__["trace_id"]
    assert "Ada's own" not in debug.text


def test_who_is_refused_all_the_time_fills_no_disk(classroom: Classroom, debug: pytest.LogCaptureFixture) -> None:
    ada = classroom.tab("Ada")
    debug.clear()
    for _ in range(60):
        ada.ask("no such event")

    def told() -> int:
        """A second may end meanwhile: its rest is told by itself."""
        rest = records(debug, "more were refused")
        assert rest and {one.__dict__["code"] for one in rest} == {"UNKNOWN_EVENT"}
        return len(records(debug, "was refused")) + sum(int(one.__dict__["left_out"]) for one in rest)

    eventually(lambda: told() == 60, what="the number of the rest")


def test_what_is_left_out_in_the_next_second_is_told_too(debug: pytest.LogCaptureFixture) -> None:
    """Nobody may be refused after that, whose refusal would bring it up."""
    now, later = [0.0], list[Callable[[], Any]]()
    refusals = Refusals(lambda seconds, task: later.append(task))
    refusals._brake = Brake(10, lambda: now[0])
    for now[0] in (0.9, 1.1):
        for _ in range(30):
            refusals.note("FORBIDDEN")
    for now[0] in (1.9, 2.9):
        (tell,) = later
        later.clear()
        tell()
    assert later == []
    assert [one.__dict__["left_out"] for one in records(debug, "more were refused")] == [20, 20]


def test_what_took_long_is_named(make_app: AppFactory, debug: pytest.LogCaptureFixture) -> None:
    classroom = open_classroom(make_app(CLASSWAVES_SLOW_HANDLER=0.000001))
    debug.clear()
    classroom.joined("Ada")
    slow = records(debug, "joinSession took")
    assert slow and slow[0].levelno == logging.WARNING
    assert slow[0].__dict__["duration_ms"] >= 0
