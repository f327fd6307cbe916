"""What clients must not send: each gets its code, the connection stays usable, nobody else notices."""

import json
from typing import Any

import pytest

from tests.support.apps import AppFactory
from tests.support.payloads import DEEP, HUGE, NO_TEXT, refused_all
from tests.support.tabs import Classroom, Tab, open_classroom

EMOJI = "\U0001f600"
"""One character, four bytes."""


@pytest.fixture
def pair(make_app: AppFactory) -> tuple[Classroom, Tab, Tab]:
    """Return a classroom, a student in it, and a witness."""
    classroom = open_classroom(make_app())
    pair = classroom.joined("Ada"), classroom.joined("Bob")
    pair[0].take()
    return classroom, *pair


def test_a_session_code_of_any_event(pair: tuple[Classroom, Tab, Tab]) -> None:
    bad = [*NO_TEXT, "A" * 33, DEEP, HUGE]
    for event in ("joinSession", "leaveSession"):
        refused_all(pair, event, [(), *[(value,) for value in bad]], "sessionCode")
    rest: dict[str, dict[str, Any]] = {"sendMessage": {"message": "hello"}, "updatePresence": {"status": "idle"}}
    for event, fields in rest.items():
        refused_all(pair, event, [fields, *({**fields, "sessionCode": value} for value in bad)], "sessionCode")


def test_a_message(pair: tuple[Classroom, Tab, Tab]) -> None:
    code = pair[0].code
    bad = [*NO_TEXT, "x" * 4001, " \n\t ", DEEP, HUGE]
    payloads = [{"sessionCode": code}, *({"sessionCode": code, "message": value} for value in bad)]
    refused_all(pair, "sendMessage", payloads, "message")


@pytest.mark.parametrize("field", ["clientMessageId", "groupId", "replyTo"])
def test_an_id_beside_a_message(pair: tuple[Classroom, Tab, Tab], field: str) -> None:
    payloads = [{"sessionCode": pair[0].code, "message": "hello", field: value} for value in [*NO_TEXT, "x" * 65, DEEP]]
    refused_all(pair, "sendMessage", payloads, field)


def test_a_status(pair: tuple[Classroom, Tab, Tab]) -> None:
    code = pair[0].code
    bad = [*NO_TEXT, "ACTIVE", "left", "disconnected", "x" * 1000, DEEP, HUGE]
    payloads = [{"sessionCode": code}, *({"sessionCode": code, "status": value} for value in bad)]
    refused_all(pair, "updatePresence", payloads, "status")


def test_where_a_client_wants_to_resume(pair: tuple[Classroom, Tab, Tab]) -> None:
    code = pair[0].code
    seqs = ["1", 1.5, 1.0, -1, True, None, [], {}, 2**53 + 1, HUGE, -HUGE, float("nan"), float("inf"), b"1"]
    resumes: list[Any] = [7, True, "now", [], [1], b"x", {}, {"epoch": "e"}, {"sinceSeq": 1}]
    resumes += [{"sinceSeq": value, "epoch": "e"} for value in seqs]
    resumes += [{"sinceSeq": 1, "epoch": value} for value in [*NO_TEXT, "x" * 65]]
    resumes += [{"sinceSeq": 1, "epoch": "e", "more": 1}]
    refused_all(pair, "joinSession", [(code, resume) for resume in resumes], "resume")


@pytest.mark.parametrize("name", ["more", "userId", "seq", "__proto__", "constructor", "", "\ud800", "x" * 1000, "☃"])
def test_an_unknown_field(pair: tuple[Classroom, Tab, Tab], name: str) -> None:
    code = pair[0].code
    shown = name[:64].replace("\ud800", "?")
    refused_all(pair, "sendMessage", [{"sessionCode": code, "message": "hello", name: "x"}], shown)
    refused_all(pair, "updatePresence", [{"sessionCode": code, "status": "idle", name: "x"}], shown)


def test_a_thousand_unknown_fields_get_a_short_answer(pair: tuple[Classroom, Tab, Tab]) -> None:
    fields = {f"{number:064}": number for number in range(1000)}
    error = pair[1].refused("sendMessage", {"sessionCode": pair[0].code, "message": "hello", **fields})
    assert error["code"] == "INVALID_PAYLOAD"
    assert len(json.dumps(error)) < 4000


@pytest.mark.parametrize("event", ["sendMessage", "updatePresence"])
def test_what_is_no_object(pair: tuple[Classroom, Tab, Tab], event: str) -> None:
    bad = [(), ({}, {}), (None,), ("text",), (7,), (True,), ([],), ([{}],), (b"bytes",), (DEEP,)]
    refused_all(pair, event, bad, "_schema")


@pytest.mark.parametrize("event", ["joinSession", "leaveSession"])
def test_too_many_arguments(pair: tuple[Classroom, Tab, Tab], event: str) -> None:
    refused_all(pair, event, [(pair[0].code, None, None), (pair[0].code, *range(1000))], "_schema")


def test_the_longest_of_everything_is_taken(pair: tuple[Classroom, Tab, Tab]) -> None:
    classroom, tab, _ = pair
    tab.say(classroom.code, EMOJI * 4000, clientMessageId="x" * 64)
    assert tab.take_only("messageReceived")["message"] == EMOJI * 4000
