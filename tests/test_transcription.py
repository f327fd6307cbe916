"""Live captions: interim texts of which the newest counts, final ones that are kept, and how a stream does."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask_jwt_extended import create_access_token
from marshmallow import fields

from classwaves.events import Event
from classwaves.hub import Hub
from classwaves.models import SessionRecord
from classwaves.store.redis import RedisStore
from classwaves.testing.clock import RoomClock
from tests.support import stores
from tests.support.apps import API, AppFactory, bearer, headers_for, new_session, sign_in, state_of
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.stores import direct as direct
from tests.support.tabs import Classroom, Received, Tab, open_classroom

UPDATE, STATUS = "transcriptionUpdate", "transcriptionStatus"


def segment(code: str, segment_id: str = "s1", revision: int = 0, text: str = "Hello", **more: Any) -> dict[str, Any]:
    """Return the payload of an interim text, unless told otherwise."""
    usual = {"isFinal": False, "startMs": 0, "endMs": 1000}
    return {"sessionCode": code, "segmentId": segment_id, "revision": revision, "text": text, **usual, **more}


class Captioner:
    """A socket that captions in one session."""

    def __init__(self, tab: Tab, code: str) -> None:
        self.tab, self.code = tab, code

    def publish(self, *what: Any, **more: Any) -> dict[str, Any]:
        """Publish a :func:`segment` and return the ack of success."""
        ack = self.tab.ask("publishTranscription", segment(self.code, *what, **more))
        assert ack.pop("ok"), ack
        return ack

    def close(self, *what: Any, **more: Any) -> dict[str, Any]:
        """Publish a final text."""
        return self.publish(*what, isFinal=True, **more)

    def start(self, stream_id: str = "mic", **more: Any) -> dict[str, Any]:
        ack = self.tab.ask("startTranscription", {"sessionCode": self.code, "streamId": stream_id, **more})
        assert ack.pop("ok"), ack
        return ack

    def stop(self, stream_id: str = "mic", **more: Any) -> dict[str, Any]:
        ack = self.tab.ask("stopTranscription", {"sessionCode": self.code, "streamId": stream_id, **more})
        assert ack.pop("ok"), ack
        return ack


def heard(tab: Tab, event: str = UPDATE) -> list[dict[str, Any]]:
    """Return the payloads of an event that have come since the last call."""
    return [payload for name, payload in tab.take() if name == event]


def texts(tab: Tab) -> list[str]:
    return [payload["text"] for payload in heard(tab)]


def fetched(tab: Tab, code: str, **page: Any) -> list[dict[str, Any]]:
    """Return the segments of a page of ``fetchTranscript``."""
    ack = tab.ask("fetchTranscript", {"sessionCode": code, **page})
    assert ack["ok"], ack
    segments: list[dict[str, Any]] = ack["segments"]
    return segments


def wait(where: Flask | Hub, seconds: float) -> None:
    """Let time pass in an application or a worker, and have done what is due by then."""
    hub = where if isinstance(where, Hub) else state_of(where).hub
    RoomClock(hub.clock, hub.scheduler).advance(seconds)


def active(app: Flask, **settings: Any) -> Classroom:
    classroom = open_classroom(app, **settings)
    classroom.step("start")
    return classroom


@pytest.fixture
def classroom(make_app: AppFactory) -> Classroom:
    return active(make_app())


@pytest.fixture
def teacher(classroom: Classroom) -> Captioner:
    return Captioner(classroom.teacher(), classroom.code)


@pytest.fixture
def student(classroom: Classroom, teacher: Captioner) -> Tab:
    """Somebody who only hears what comes after them."""
    student = classroom.joined("Ada")
    teacher.tab.take()
    return student


# interim and final texts


def test_an_interim_text_reaches_everybody_and_is_not_stored(
    classroom: Classroom, teacher: Captioner, student: Tab
) -> None:
    before = student.join(classroom.code)["seq"]
    assert teacher.publish("s1", 3, "Good mor", startMs=5, endMs=9) == {}
    told = student.take_only(UPDATE)
    assert teacher.tab.take_only(UPDATE) == told
    assert told.pop("timestamp").endswith("Z")
    assert told == {
        "sessionCode": classroom.code,
        "speakerId": "grace",
        "text": "Good mor",
        "confidence": None,
        "segmentId": "s1",
        "revision": 3,
        "isFinal": False,
        "startMs": 5,
        "endMs": 9,
    }
    assert student.join(classroom.code)["seq"] == before
    assert fetched(student, classroom.code) == []


def test_a_final_text_reaches_everybody_and_is_stored_with_all_that_was_said_of_it(
    classroom: Classroom, teacher: Captioner, student: Tab
) -> None:
    more = {"speakerId": "ada", "confidence": 0.5, "language": "en-GB", "streamId": "mic"}
    ack = teacher.close("s1", 7, "Good morning", startMs=5, endMs=5, **more)
    told = student.take_only(UPDATE)
    assert teacher.tab.take_only(UPDATE) == told
    assert (told["seq"], told["timestamp"]) == (ack["seq"], ack["timestamp"])
    expected = segment(classroom.code, "s1", 7, "Good morning", startMs=5, endMs=5, isFinal=True, **more)
    assert told == {**expected, **ack}
    assert fetched(student, classroom.code) == [told]


def test_a_higher_revision_replaces_and_what_is_not_newer_is_dropped(teacher: Captioner, student: Tab) -> None:
    assert teacher.publish("s1", 5, "five") == {}
    assert teacher.publish("s1", 5, "five again") == {"stale": True}
    assert teacher.publish("s1", 4, "four") == {"stale": True}
    assert teacher.publish("s1", 6, "six") == {}
    assert teacher.publish("s1", 0, "zero") == {"stale": True}
    assert teacher.publish("s1", 2**53, "the last") == {}
    assert texts(student) == ["five", "six", "the last"]


def test_every_segment_has_revisions_of_its_own(teacher: Captioner, student: Tab) -> None:
    for segment_id, revision in [("a", 9), ("b", 0), ("b", 1), ("c", 3), ("a", 10)]:
        assert teacher.publish(segment_id, revision, f"{segment_id}{revision}") == {}
    assert texts(student) == ["a9", "b0", "b1", "c3", "a10"]


def test_a_final_text_closes_its_segment(classroom: Classroom, teacher: Captioner, student: Tab) -> None:
    teacher.publish("s1", 1, "interim")
    teacher.close("s1", 2, "final")
    assert teacher.publish("s1", 3, "a later interim text") == {"stale": True}
    assert teacher.close("s1", 4, "a later final text") == {"stale": True}
    assert teacher.close("s1", 2, "final", clientMessageId="another") == {"stale": True}
    assert texts(student) == ["interim", "final"]
    assert [one["text"] for one in fetched(student, classroom.code)] == ["final"]


def test_a_final_text_needs_no_interim_one_before(teacher: Captioner, student: Tab) -> None:
    assert "seq" in teacher.close("s1", 0, "at once")
    assert texts(student) == ["at once"]


def test_a_repeated_final_text_gets_the_first_ack(classroom: Classroom, teacher: Captioner, student: Tab) -> None:
    first = teacher.close("s1", 2, "final", clientMessageId="c1")
    teacher.close("s2", 1, "another")
    assert teacher.close("s1", 2, "final", clientMessageId="c1") == first
    assert texts(student) == ["final", "another"]
    assert [one["text"] for one in fetched(student, classroom.code)] == ["final", "another"]
    classroom.step("pause")
    assert teacher.close("s1", 2, "final", clientMessageId="c1") == first, "also when it is not allowed any more"


def test_several_captioners_and_streams_at_once(classroom: Classroom, teacher: Captioner, student: Tab) -> None:
    token = classroom.app.test_client().post(
        f"{API}/sessions/{classroom.code}/transcriber", json={}, headers=bearer(classroom.token("Grace", "teacher"))
    )
    robot = Captioner(Tab(classroom.app, token.get_json()["accessToken"]), classroom.code)
    robot.tab.join(classroom.code)
    student.take()
    for revision in range(3):
        teacher.publish("t1", revision, f"t{revision}", streamId="teacher")
        robot.publish("r1", revision, f"r{revision}", streamId="robot")
    robot.close("r1", 3, "robot's", streamId="robot", startMs=1)
    teacher.publish("t1", 3, "t3", streamId="teacher")
    teacher.close("t1", 4, "teacher's", streamId="teacher")
    assert texts(student) == ["t0", "r0", "t1", "r1", "t2", "r2", "robot's", "t3", "teacher's"]
    assert [one["streamId"] for one in fetched(student, classroom.code)] == ["robot", "teacher"]


def test_an_interim_text_does_not_come_after_its_final_one(make_app: AppFactory) -> None:
    """It waits for the end of a window, in which the final text overtakes it."""
    classroom = active(make_app(CLASSWAVES_EPHEMERAL_WINDOW=20))
    teacher, student = Captioner(classroom.teacher(), classroom.code), classroom.joined("Ada")
    student.take()
    for segment_id in ("closed", "open"):
        for revision in range(3):
            teacher.publish(segment_id, revision, f"{segment_id} {revision}")
    teacher.close("closed", 3, "closed for good")
    wait(classroom.app, 20)
    assert texts(student) == ["closed 0", "open 0", "closed for good", "open 2"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"segmentId": ""}, "segmentId"),
        ({"segmentId": "x" * 65}, "segmentId"),
        ({"revision": -1}, "revision"),
        ({"revision": "1"}, "revision"),
        ({"revision": 2**53 + 1}, "revision"),
        ({"text": ""}, "text"),
        ({"text": "x" * 4001}, "text"),
        ({"isFinal": "yes"}, "isFinal"),
        ({"startMs": -1}, "startMs"),
        ({"startMs": 1001}, "endMs"),
        ({"endMs": 1.5}, "endMs"),
        ({"confidence": 1.01}, "confidence"),
        ({"confidence": -0.1}, "confidence"),
        ({"language": "en_GB"}, "language"),
        ({"language": "en\n"}, "language"),
        ({"speakerId": ""}, "speakerId"),
        ({"streamId": 7}, "streamId"),
        ({"more": 1}, "more"),
    ],
)
def test_a_wrong_payload_is_refused_and_named(
    classroom: Classroom, teacher: Captioner, student: Tab, wrong: dict[str, Any], field: str
) -> None:
    error = teacher.tab.refused("publishTranscription", {**segment(classroom.code), **wrong})
    assert (error["code"], list(error["details"])) == ("INVALID_PAYLOAD", [field])
    assert student.take() == []


@pytest.mark.parametrize("missing", ["segmentId", "revision", "text", "isFinal", "startMs", "endMs"])
def test_what_a_segment_must_have(classroom: Classroom, teacher: Captioner, missing: str) -> None:
    payload = {key: value for key, value in segment(classroom.code).items() if key != missing}
    error = teacher.tab.refused("publishTranscription", payload)
    assert (error["code"], list(error["details"])) == ("INVALID_PAYLOAD", [missing])


def test_students_do_not_caption(classroom: Classroom, teacher: Captioner, student: Tab) -> None:
    stream = {"sessionCode": classroom.code, "streamId": "mic"}
    assert student.refused("publishTranscription", segment(classroom.code))["code"] == "FORBIDDEN"
    assert student.refused("startTranscription", stream)["code"] == "FORBIDDEN"
    assert student.refused("stopTranscription", stream)["code"] == "FORBIDDEN"
    assert teacher.tab.take() == []


def test_captions_are_for_an_active_session(make_app: AppFactory) -> None:
    classroom = open_classroom(make_app())
    teacher = classroom.teacher()
    payloads = {
        "publishTranscription": segment(classroom.code),
        "startTranscription": {"sessionCode": classroom.code, "streamId": "mic"},
    }

    def codes() -> list[str]:
        teacher.take()
        return [teacher.refused(event, payload)["code"] for event, payload in payloads.items()]

    assert codes() == ["SESSION_NOT_ACTIVE"] * 2
    classroom.step("start")
    assert all(teacher.ask(event, payload)["ok"] for event, payload in payloads.items())
    classroom.step("pause")
    assert codes() == ["SESSION_NOT_ACTIVE"] * 2
    assert teacher.ask("stopTranscription", payloads["startTranscription"])["ok"], "a stream may stop in a pause"
    classroom.step("end")
    assert codes() == ["SESSION_ENDED"] * 2


def test_who_has_not_joined_does_not_caption(classroom: Classroom) -> None:
    tab = classroom.tab("Grace", "teacher")
    assert tab.refused("publishTranscription", segment(classroom.code))["code"] == "NOT_IN_SESSION"


# who hears it


@pytest.fixture
def owls(classroom: Classroom, teacher: Captioner) -> str:
    """The id of a group with Ada in it; Bob is in another one."""
    tabs = [classroom.joined(name) for name in ("Ada", "Bob")]
    ids = []
    for name, member in [("Owls", "ada"), ("Bees", "bob")]:
        payload = {"sessionCode": classroom.code, "name": name, "memberIds": [member]}
        ids.append(teacher.tab.ask("createGroup", payload)["groupId"])
    for tab in tabs:
        tab.vanish()
    teacher.tab.take()
    return str(ids[0])


def missed_texts(tab: Tab, classroom: Classroom, joined: dict[str, Any]) -> list[str]:
    """What somebody is told who resumes from where they joined."""
    answer = tab.join(classroom.code, {"sinceSeq": joined["seq"], "epoch": joined["epoch"]})
    assert answer["recovered"]
    return [item["data"]["text"] for item in answer["missed"] if item["event"] == UPDATE]


def rest_texts(classroom: Classroom, name: str, role: str = "student", **query: Any) -> list[str]:
    answer = classroom.app.test_client().get(
        f"{API}/sessions/{classroom.code}/transcript", query_string=query, headers=bearer(classroom.token(name, role))
    )
    return [one["text"] for one in answer.get_json()["segments"]]


def test_a_groups_text_reaches_the_group_and_staff_by_every_way(
    classroom: Classroom, teacher: Captioner, owls: str
) -> None:
    people = {"Ada": "student", "Bob": "student", "Root": "admin", "Grace": "teacher"}
    tabs, places = {}, {}
    for name, role in people.items():
        tabs[name] = classroom.tab(name, role)
        places[name] = tabs[name].join(classroom.code)
    for tab in tabs.values():
        tab.take()
    teacher.publish("s1", 0, "owls interim", groupId=owls)
    teacher.close("s1", 1, "owls final", groupId=owls)
    teacher.publish("s2", 0, "all interim")
    teacher.close("s2", 1, "all final")
    everything, public = ["owls interim", "owls final", "all interim", "all final"], ["all interim", "all final"]
    for name, role in people.items():
        own = public if name == "Bob" else everything
        told = heard(tabs[name])
        assert [one["text"] for one in told] == own, name
        assert {one["groupId"] for one in told if "owls" in one["text"]} <= {owls}
        finals = [text for text in own if "final" in text]
        assert [one["text"] for one in fetched(tabs[name], classroom.code)] == finals, name
        assert [one["text"] for one in fetched(tabs[name], classroom.code, groupId=owls)] == finals[:-1], name
        assert missed_texts(tabs[name], classroom, places[name]) == finals, name
        assert rest_texts(classroom, name, role) == finals, name
        assert rest_texts(classroom, name, role, groupId=owls) == finals[:-1], name


def test_a_later_member_of_a_group_does_not_get_what_was_said_before(
    classroom: Classroom, teacher: Captioner, owls: str
) -> None:
    bob = classroom.tab("Bob")
    place = bob.join(classroom.code)
    teacher.close("s1", 0, "before Bob", groupId=owls)
    assert bob.ask("joinGroup", {"sessionCode": classroom.code, "groupId": owls})["ok"]
    bob.take()
    teacher.close("s2", 0, "with Bob", groupId=owls)
    assert bob.ask("leaveGroup", {"sessionCode": classroom.code, "groupId": owls})["ok"]
    teacher.close("s3", 0, "after Bob", groupId=owls)
    assert texts(bob) == ["with Bob"]
    assert [one["text"] for one in fetched(bob, classroom.code)] == ["with Bob"]
    assert missed_texts(bob, classroom, place) == ["with Bob"]
    assert rest_texts(classroom, "Bob") == ["with Bob"]


def test_several_groups_at_once(classroom: Classroom, teacher: Captioner) -> None:
    students = {f"S{number}": classroom.joined(f"S{number}") for number in range(4)}
    assign = {"sessionCode": classroom.code, "count": 2, "strategy": "roundRobin"}
    assert teacher.tab.ask("assignGroups", assign)["ok"]
    made = [payload for name, payload in teacher.tab.take() if name == "groupUpdate" and payload["action"] == "created"]
    for tab in students.values():
        tab.take()
    for revision in range(2):
        for group in made:
            teacher.publish(
                f"of {group['groupName']}", revision, f"{group['groupName']} {revision}", groupId=group["groupId"]
            )
    for group in made:
        teacher.close(f"of {group['groupName']}", 2, f"{group['groupName']} final", groupId=group["groupId"])
    for group in made:
        for member in group["members"]:
            name = group["groupName"]
            assert texts(students[member.title()]) == [f"{name} 0", f"{name} 1", f"{name} final"]


def test_a_group_that_there_is_not(classroom: Classroom, teacher: Captioner) -> None:
    error = teacher.tab.refused("publishTranscription", segment(classroom.code, groupId="nowhere"))
    assert error["code"] == "GROUP_NOT_FOUND"


def test_with_own_group_what_a_member_says_is_for_their_group(make_app: AppFactory) -> None:
    classroom = active(make_app(), transcriptAudience="ownGroup")
    teacher = Captioner(classroom.teacher(), classroom.code)
    ada, bob = classroom.joined("Ada"), classroom.joined("Bob")
    teacher.tab.ask("createGroup", {"sessionCode": classroom.code, "name": "Owls", "memberIds": ["ada"]})
    for tab in (teacher.tab, ada, bob):
        tab.take()
    teacher.publish("s1", 0, "Ada interim", speakerId="ada")
    teacher.close("s1", 1, "Ada final", speakerId="ada")
    teacher.close("s2", 1, "Bob, who is in no group", speakerId="bob")
    teacher.close("s3", 1, "Grace, who is in none either")
    public = ["Bob, who is in no group", "Grace, who is in none either"]
    assert texts(bob) == public
    assert texts(ada) == texts(teacher.tab) == ["Ada interim", "Ada final", *public]
    assert [one["text"] for one in fetched(bob, classroom.code)] == public == rest_texts(classroom, "Bob")
    owls = teacher.tab.join(classroom.code)["groups"][0]["groupId"]
    assert [one.get("groupId") for one in fetched(ada, classroom.code)] == [owls, None, None]
    assert rest_texts(classroom, "Ada") == rest_texts(classroom, "Grace", "teacher") == ["Ada final", *public]


def test_with_everyone_what_a_member_says_is_for_everyone(classroom: Classroom, teacher: Captioner, owls: str) -> None:
    bob = classroom.joined("Bob")
    bob.take()
    teacher.close("s1", 1, "Ada", speakerId="ada")
    assert texts(bob) == ["Ada"]


def test_a_late_joiner_gets_the_final_texts_so_far(classroom: Classroom, teacher: Captioner) -> None:
    for number in range(7):
        teacher.publish(f"s{number}", 0, f"interim {number}")
        teacher.close(f"s{number}", 1, f"final {number}")
    late = classroom.joined("Late")
    first = late.ask("fetchTranscript", {"sessionCode": classroom.code, "limit": 4})
    assert [one["text"] for one in first["segments"]] == [f"final {number}" for number in range(3, 7)]
    assert first["hasMore"] and first["nextBeforeSeq"] == first["segments"][0]["seq"]
    page = {"sessionCode": classroom.code, "limit": 4, "beforeSeq": first["nextBeforeSeq"]}
    second = late.ask("fetchTranscript", page)
    assert [one["text"] for one in second["segments"]] == ["final 0", "final 1", "final 2"]
    assert (second["hasMore"], second["nextBeforeSeq"]) == (False, None)


def test_the_transcript_is_read_in_an_ended_session(classroom: Classroom, teacher: Captioner, student: Tab) -> None:
    teacher.close("s1", 1, "before the end")
    classroom.step("end")
    assert [one["text"] for one in fetched(student, classroom.code)] == ["before the end"]
    assert rest_texts(classroom, "Ada") == ["before the end"]


# streams


def statuses(tab: Tab) -> list[tuple[str, str, str | None]]:
    """Stream, status and reason of what has come."""
    return [(told["streamId"], told["status"], told.get("reason")) for told in heard(tab, STATUS)]


def streams_for(tab: Tab, code: str) -> list[dict[str, Any]]:
    streams: list[dict[str, Any]] = tab.join(code)["transcription"]["streams"]
    return streams


def test_a_stream_starts_and_stops(classroom: Classroom, teacher: Captioner, student: Tab) -> None:
    ack = teacher.start()
    told = student.take_only(STATUS)
    assert told == {**ack, "sessionCode": classroom.code, "streamId": "mic", "status": "started"}
    assert streams_for(student, classroom.code) == [{"streamId": "mic", "status": "started"}]
    teacher.stop()
    assert statuses(student) == [("mic", "stopped", None)]
    assert streams_for(student, classroom.code) == []
    teacher.start()
    assert statuses(student) == [("mic", "started", None)]


def test_a_stream_may_fail(classroom: Classroom, teacher: Captioner, student: Tab) -> None:
    teacher.start()
    teacher.stop(failed=True, reason="no microphone")
    assert statuses(student) == [("mic", "started", None), ("mic", "failed", "no microphone")]
    assert streams_for(student, classroom.code) == [{"streamId": "mic", "status": "failed"}]
    teacher.start()
    assert statuses(student) == [("mic", "started", None)]


def test_said_again_nothing_is_said_again(classroom: Classroom, teacher: Captioner, student: Tab) -> None:
    assert "seq" in teacher.start()
    assert teacher.start() == {}
    assert teacher.stop("never began") == {}
    teacher.stop()
    assert teacher.stop() == {}
    assert statuses(student) == [("mic", "started", None), ("mic", "stopped", None)]


def test_a_repeated_start_or_stop_gets_the_first_ack(teacher: Captioner, student: Tab) -> None:
    first = teacher.start(clientMessageId="c1")
    assert teacher.start(clientMessageId="c1") == first
    last = teacher.stop(clientMessageId="c2")
    assert teacher.stop(clientMessageId="c2") == last
    assert statuses(student) == [("mic", "started", None), ("mic", "stopped", None)]


def test_several_streams_have_statuses_of_their_own(classroom: Classroom, teacher: Captioner, student: Tab) -> None:
    for stream_id in ("a", "b", "c"):
        teacher.start(stream_id)
    teacher.stop("a")
    teacher.stop("b", failed=True)
    found = [("b", "failed"), ("c", "started")]
    assert (
        sorted((one["streamId"], one["status"]) for one in streams_for(classroom.joined("Bob"), classroom.code))
        == found
    )


SILENCE = 30.0
"""Seconds after which a stream stalls, by a clock that goes forward where a test says."""

STARTED, STALLED = ("mic", "started", None), ("mic", "stalled", "silent")


def test_a_silent_stream_stalls_once_and_is_resumed_by_the_next_text(classroom: Classroom) -> None:
    app, teacher, student = classroom.app, Captioner(classroom.teacher(), classroom.code), classroom.joined("Ada")
    student.take()
    teacher.start()
    wait(app, 2 * SILENCE)
    assert statuses(student) == [STARTED, STALLED]
    assert streams_for(student, classroom.code) == [{"streamId": "mic", "status": "stalled"}]
    teacher.publish("s1", 0, "interim", streamId="mic")
    assert [name for name, _ in student.take()] == [STATUS, UPDATE]
    assert streams_for(student, classroom.code) == [{"streamId": "mic", "status": "started"}]
    wait(app, 2 * SILENCE)
    assert statuses(student) == [STALLED]
    ack = teacher.close("s1", 1, "final", streamId="mic")
    told = student.take()
    assert [name for name, _ in told] == [STATUS, UPDATE]
    assert (told[0][1]["reason"], told[1][1]["seq"]) == ("resumed", ack["seq"])
    wait(app, SILENCE)
    assert statuses(student) == [STALLED]
    teacher.start()
    wait(app, SILENCE)
    assert statuses(student) == [STARTED, STALLED]


def test_a_text_that_names_no_stream_resumes_all_of_its_sender(
    classroom: Classroom, teacher: Captioner, student: Tab
) -> None:
    teacher.start("a")
    teacher.start("b")
    wait(classroom.app, SILENCE)
    assert statuses(student)[2:] == [("a", "stalled", "silent"), ("b", "stalled", "silent")]
    teacher.publish("s1", 0, "interim")
    assert statuses(student) == [("a", "started", "resumed"), ("b", "started", "resumed")]


def test_a_stream_that_was_stopped_does_not_stall(classroom: Classroom, teacher: Captioner, student: Tab) -> None:
    teacher.start("stopped")
    teacher.start("failed")
    teacher.stop("stopped")
    teacher.stop("failed", failed=True)
    teacher.start("later")
    expected = [("stopped", "started", None), ("failed", "started", None), ("stopped", "stopped", None)]
    more = [("failed", "failed", None), ("later", "started", None), ("later", "stalled", "silent")]
    wait(classroom.app, 2 * SILENCE)
    assert statuses(student) == [*expected, *more]


@pytest.mark.parametrize("sign", ["start", "interim", "final"])
def test_signs_of_life_keep_a_stream_from_stalling(
    classroom: Classroom, teacher: Captioner, student: Tab, sign: str
) -> None:
    teacher.start("alive")
    teacher.start("silent")
    for number in range(4):
        wait(classroom.app, SILENCE / 3)
        if sign == "start":
            assert teacher.start("alive") == {}
        else:
            teacher.publish(f"s{number}", 0, "text", isFinal=sign == "final", streamId="alive")
    told = statuses(student)
    assert told == [("alive", "started", None), ("silent", "started", None), ("silent", "stalled", "silent")]


def test_a_stream_whose_publisher_is_gone_has_failed(classroom: Classroom, teacher: Captioner, student: Tab) -> None:
    teacher.start()
    teacher.tab.vanish()
    wait(classroom.app, SILENCE)
    assert statuses(student) == [STARTED, ("mic", "failed", "disconnected")]


def test_a_stream_whose_publisher_has_left_has_failed_and_another_tab_resumes_it(
    classroom: Classroom, teacher: Captioner, student: Tab
) -> None:
    teacher.start()
    assert teacher.tab.ask("leaveSession", classroom.code)["ok"]
    wait(classroom.app, SILENCE)
    assert statuses(student) == [STARTED, ("mic", "failed", "disconnected")]
    again = Captioner(classroom.teacher(), classroom.code)
    again.publish("s1", 0, "back again")
    assert statuses(student) == [("mic", "started", "resumed")]


def test_in_an_ended_session_no_stream_stalls(classroom: Classroom, teacher: Captioner) -> None:
    """The log ends with the session. Another session's stream tells when it would have."""
    other = active(classroom.app)
    later = Captioner(other.teacher(), other.code)
    teacher.start()
    classroom.step("end")
    teacher.tab.take()
    later.start()
    wait(classroom.app, SILENCE)
    assert statuses(later.tab) == [STARTED, STALLED]
    assert statuses(teacher.tab) == []


# two workers


@pytest.fixture
def record(direct: RedisStore) -> SessionRecord:
    """An active session in Redis, of the user ``grace``."""
    return stores.new_session(direct, owner="grace", status="active")


MakeWorker = Callable[..., Worker]


@pytest.fixture
def make_worker(workers: list[Worker], redis_url: str) -> MakeWorker:
    """Return a function that starts workers on one Redis."""

    def make(**config: Any) -> Worker:
        workers.append(Worker(stores.redis_store(redis_url, timeout=stores.PATIENT), **config))
        return workers[-1]

    return make


def kept_statuses(store: RedisStore, record: SessionRecord) -> list[str]:
    log = store.read(record.id, 0, 1000)
    return [entry.draft.data["status"] for entry in log if entry.draft.event == STATUS]


def test_two_workers_that_watch_one_stream_store_one_stalling(
    make_worker: MakeWorker, direct: RedisStore, record: SessionRecord
) -> None:
    a, b = make_worker(STALL_AFTER=0.2), make_worker(STALL_AFTER=0.2)
    grace = a.joined(record, "grace", "teacher")
    b.joined(record, "bob")
    stream = {"sessionCode": record.code, "streamId": "mic"}
    for number in range(1, 4):
        assert a.send(grace, "startTranscription", stream)["ok"]
        a.sockets.gets("grace", STATUS, 2 * number)
        b.sockets.gets("bob", STATUS, 2 * number)
    assert kept_statuses(direct, record) == ["started", "stalled"] * 3
    seen = [told["status"] for told in b.sockets.of("bob", STATUS)]
    assert seen == [told["status"] for told in a.sockets.of("grace", STATUS)] == ["started", "stalled"] * 3


def test_a_worker_that_opens_the_session_later_watches_too(
    make_worker: MakeWorker, direct: RedisStore, record: SessionRecord
) -> None:
    """The first one would look after the stream in an hour; it is gone by then."""
    a, b = make_worker(STALL_AFTER=stores.LONG), make_worker(STALL_AFTER=SILENCE)
    grace = a.joined(record, "grace", "teacher")
    assert a.send(grace, "startTranscription", {"sessionCode": record.code, "streamId": "mic"})["ok"]
    b.joined(record, "bob")
    wait(b.hub, SILENCE)
    assert [told["status"] for told in b.sockets.gets("bob", STATUS, 1)] == ["stalled"]
    assert kept_statuses(direct, record) == ["started", "stalled"]


def test_what_was_heard_on_another_worker_is_a_sign_of_life(
    make_worker: MakeWorker, direct: RedisStore, record: SessionRecord
) -> None:
    a, b = make_worker(STALL_AFTER=stores.LONG), make_worker(STALL_AFTER=SILENCE)
    grace = a.joined(record, "grace", "teacher")
    b.joined(record, "bob")
    for stream_id in ("alive", "silent"):
        assert a.send(grace, "startTranscription", {"sessionCode": record.code, "streamId": stream_id})["ok"]
    b.sockets.gets("bob", STATUS, 2)
    for revision in range(4):
        wait(b.hub, SILENCE / 3)
        payload = segment(record.code, revision=revision, streamId="alive")
        assert a.send(grace, "publishTranscription", payload)["ok"]
        b.sockets.gets("bob", UPDATE, revision + 1)
    told = [(told["streamId"], told["status"]) for told in b.sockets.gets("bob", STATUS, 3)]
    assert told == [("alive", "started"), ("silent", "started"), ("silent", "stalled")]


def test_texts_reach_the_sockets_of_other_workers_and_a_segment_is_closed_there_too(
    make_worker: MakeWorker, record: SessionRecord
) -> None:
    a, b = make_worker(), make_worker()
    grace, other = a.joined(record, "grace", "teacher"), b.joined(record, "grace", "teacher", "other tab")
    b.joined(record, "bob")
    assert a.send(grace, "publishTranscription", segment(record.code, revision=2, text="two")) == {"ok": True}
    assert [told["text"] for told in b.sockets.gets("bob", UPDATE, 1)] == ["two"]
    stale = {"ok": True, "stale": True}
    assert b.send(other, "publishTranscription", segment(record.code, revision=2, text="also two")) == stale
    assert "seq" in b.send(other, "publishTranscription", segment(record.code, revision=3, text="3", isFinal=True))
    a.sockets.gets("grace", UPDATE, 2)
    assert a.send(grace, "publishTranscription", segment(record.code, revision=4, text="four")) == stale
    assert a.send(grace, "publishTranscription", segment(record.code, revision=5, isFinal=True)) == stale
    for worker, sid in [(a, "grace"), (b, "other tab"), (b, "bob")]:
        assert [told["text"] for told in worker.sockets.gets(sid, UPDATE, 2)] == ["two", "3"]


def test_two_workers_close_one_segment_once(make_worker: MakeWorker, direct: RedisStore, record: SessionRecord) -> None:
    pair = [make_worker() for _ in range(2)]
    tabs = [worker.joined(record, "grace", "teacher", f"tab {number}") for number, worker in enumerate(pair)]

    def close(number: int) -> list[dict[str, Any]]:
        payloads = [segment(record.code, f"s{one}", 1, f"by {number}", isFinal=True) for one in range(10)]
        return [pair[number].send(tabs[number], "publishTranscription", payload) for payload in payloads]

    acks = stores.at_once(2, close)
    assert all(ack["ok"] for mine in acks for ack in mine)
    assert [("seq" in one) + ("seq" in other) for one, other in zip(*acks, strict=True)] == [1] * 10
    log = direct.read(record.id, 0, 1000)
    stored = [entry.draft.data["segmentId"] for entry in log if entry.draft.event == UPDATE]
    assert sorted(stored) == [f"s{number}" for number in range(10)]


# tokens that are for captions alone


def transcriber_token(classroom: Classroom, name: str = "Robot") -> str:
    answer = classroom.app.test_client().post(
        f"{API}/sessions/{classroom.code}/transcriber",
        json={"displayName": name},
        headers=bearer(classroom.token("Grace", "teacher")),
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return str(answer.get_json()["accessToken"])


def narrowed_token(app: Flask, name: str, role: str) -> str:
    """A token for captions alone of a login that may do more: RFC 8693, section 4.2."""
    auth = sign_in(app, name, role).auth
    with app.app_context():
        claims = {"role": role, "name": name, "sid": auth.id, "scope": "transcriber"}
        return str(create_access_token(auth.user_id, additional_claims=claims))


@pytest.fixture(params=["issued", "owner's", "admin's"])
def robot_token(classroom: Classroom, request: pytest.FixtureRequest) -> str:
    """A token with the scope: issued for a program, or of a login that is staff without it."""
    if request.param == "issued":
        return transcriber_token(classroom)
    name, role = {"owner's": ("Grace", "teacher"), "admin's": ("Root", "admin")}[request.param]
    return narrowed_token(classroom.app, name, role)


#: What a schema cannot tell that it asks for.
SPECIAL: dict[str, dict[str, Any]] = {
    "assignGroups": {"count": 1},
    "addReaction": {"emoji": "\U0001f44d"},
    "removeReaction": {"emoji": "\U0001f44d"},
    "fileStart": {"mimeType": "text/plain", "sha256": "0" * 64},
    "fileChunk": {"data": b"x"},
}

CAPTIONS = {"publishTranscription", "startTranscription", "stopTranscription"}


def payload_of(event: Event, code: str) -> dict[str, Any]:
    """Return a payload that an event's schema takes."""
    payload: dict[str, Any] = {}
    for name, field in event.schema.fields.items():
        if not field.required:
            continue
        choices = [list(check.choices) for check in field.validators if hasattr(check, "choices")]
        if choices:
            payload[name] = choices[0][0]
        elif isinstance(field, fields.Boolean):
            payload[name] = True
        elif isinstance(field, fields.Integer):
            payload[name] = 1
        else:
            payload[name] = code if name == "sessionCode" else "x"
    payload |= SPECIAL.get(event.name, {})
    assert event.schema.validate(payload) == {}, f"add what {event.name} needs to SPECIAL"
    return payload


def test_the_scope_allows_captions_and_nothing_else_over_sockets(
    classroom: Classroom, teacher: Captioner, student: Tab, robot_token: str
) -> None:
    robot = Tab(classroom.app, robot_token)
    joined = robot.join(classroom.code)
    assert joined["self"]["staff"] is False
    teacher.tab.take()
    before = teacher.tab.join(classroom.code)
    events = state_of(classroom.app).pipeline.events
    assert set(events) > CAPTIONS
    refused = set(events) - CAPTIONS - {"joinSession", "leaveSession", "refreshAuth"}
    assert len(refused) > 10
    student.take()
    for name in sorted(refused):
        event = events[name]
        payload = payload_of(event, classroom.code)
        if "fileId" in payload:  # by which the session is found
            payload["fileId"] = state_of(classroom.app).hub.find(classroom.code) + "x" * 22
        args = [payload[argument] for argument in event.arguments if argument in payload] or [payload]
        error = robot.refused(name, *args)
        assert (error["code"], error["details"]) == ("FORBIDDEN", {"reason": "scope"}), name
    assert student.take() == []
    after = teacher.tab.join(classroom.code)
    assert after == before, "nothing has changed"

    captioner = Captioner(robot, classroom.code)
    captioner.start()
    captioner.publish("s1", 0, "interim")
    captioner.close("s1", 1, "final")
    captioner.stop()
    assert [name for name, _ in student.take()] == [STATUS, UPDATE, UPDATE, STATUS]
    assert robot.ask("leaveSession", classroom.code)["ok"]


def routes(app: Flask) -> list[tuple[str, str]]:
    """Method and path of every route of the API."""
    return sorted(
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(API)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    )


#: Who asks these needs no token, or shows another one.
PUBLIC = {
    ("POST", f"{API}/auth/login"),
    ("POST", f"{API}/auth/refresh"),
    ("POST", f"{API}/sessions/<code>/join"),
    ("GET", f"{API}/openapi.json"),
    ("GET", f"{API}/asyncapi.json"),
}
#: What a token is good for whoever it is for: to be told whose it is, and to end it.
OWN = [("GET", f"{API}/auth/me"), ("POST", f"{API}/auth/logout")]
BODIES = {("POST", f"{API}/sessions"): {"title": "Mine"}}


def test_the_scope_allows_nothing_over_rest(classroom: Classroom, robot_token: str) -> None:
    client, headers = classroom.app.test_client(), bearer(robot_token)
    asked = [route for route in routes(classroom.app) if route not in PUBLIC and route not in OWN]
    assert len(asked) > 12
    for method, path in asked:
        address = path.replace("<code>", classroom.code).replace("<", "").replace(">", "")
        body = BODIES.get((method, path), None if method == "GET" else {})
        answer = client.open(address, method=method, json=body, headers=headers)
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "FORBIDDEN"), (method, path)
        assert answer.get_json()["error"]["details"] == {"reason": "scope"}, (method, path)
    show = client.get(f"{API}/sessions/{classroom.code}", headers=bearer(classroom.token("Grace", "teacher")))
    assert show.get_json()["status"] == "active", "no step was taken"


def test_the_scope_lets_a_token_end_itself(classroom: Classroom) -> None:
    client, headers = classroom.app.test_client(), bearer(transcriber_token(classroom))
    me = client.get(OWN[0][1], headers=headers)
    assert (me.status_code, me.get_json()["displayName"]) == (200, "Robot")
    assert client.post(OWN[1][1], headers=headers).status_code in (200, 204)
    assert client.get(OWN[0][1], headers=headers).get_json()["error"]["code"] == "SESSION_EXPIRED"


def test_the_token_is_for_staff_to_ask_for(classroom: Classroom, student: Tab) -> None:
    address = f"{API}/sessions/{classroom.code}/transcriber"
    client = classroom.app.test_client()
    for name, role, status, code in [
        ("Ada", "student", 403, "FORBIDDEN"),
        ("Eve", "student", 403, "SESSION_ACCESS_DENIED"),
        ("Another", "teacher", 403, "SESSION_ACCESS_DENIED"),
    ]:
        answer = client.post(address, json={}, headers=headers_for(classroom.app, name, role))
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (status, code)
    assert client.post(address, json={}).status_code == 401
    answer = client.post(address, json={}, headers=headers_for(classroom.app, "Root", "admin"))
    assert answer.status_code == 200
    assert "refreshToken" not in answer.get_json()
    assert answer.get_json()["user"]["displayName"] == "Captions"
    classroom.step("end")
    answer = client.post(address, json={}, headers=headers_for(classroom.app, "Root", "admin"))
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "SESSION_ENDED")


def test_the_token_is_good_for_one_session(classroom: Classroom) -> None:
    headers = headers_for(classroom.app, "Grace", "teacher")
    other = new_session(classroom.app.test_client(), headers)
    robot = Tab(classroom.app, transcriber_token(classroom))
    assert robot.refused("joinSession", other)["code"] == "SESSION_ACCESS_DENIED"


def test_a_narrowed_token_opens_no_session_of_others(classroom: Classroom) -> None:
    tab = Tab(classroom.app, narrowed_token(classroom.app, "Another", "teacher"))
    assert tab.refused("joinSession", classroom.code)["code"] == "SESSION_ACCESS_DENIED"


def test_a_transcriber_hears_what_everybody_hears_and_nothing_for_staff(
    classroom: Classroom, teacher: Captioner, owls: str, robot_token: str
) -> None:
    robot = Tab(classroom.app, robot_token)
    robot.join(classroom.code)
    teacher.tab.say(classroom.code, "To all")
    teacher.tab.say(classroom.code, "To owls", groupId=owls)
    activity = {"activityId": "a", "activityType": "poll", "status": "started", "data": {"staffOnly": "key", "q": 1}}
    assert teacher.tab.ask("updateActivity", {"sessionCode": classroom.code, **activity})["ok"]
    told = dict(robot.take())
    assert told["messageReceived"]["message"] == "To all"
    assert told["activityUpdate"]["data"] == {"q": 1}


def test_a_transcriber_captions_for_groups_without_being_in_one(
    classroom: Classroom, teacher: Captioner, owls: str
) -> None:
    robot = Captioner(Tab(classroom.app, transcriber_token(classroom)), classroom.code)
    robot.tab.join(classroom.code)
    ada, bob = classroom.joined("Ada"), classroom.joined("Bob")
    for tab in (ada, bob, teacher.tab):
        tab.take()
    robot.publish("s1", 0, "interim", groupId=owls)
    robot.close("s1", 1, "final", groupId=owls, speakerId="ada")
    assert texts(ada) == texts(teacher.tab) == ["interim", "final"]
    assert texts(bob) == []
    payload = segment(classroom.code, "s2", groupId="nowhere")
    assert robot.tab.refused("publishTranscription", payload)["code"] == "GROUP_NOT_FOUND"


def test_with_own_group_a_transcriber_names_the_speaker(make_app: AppFactory) -> None:
    classroom = active(make_app(), transcriptAudience="ownGroup")
    teacher = classroom.teacher()
    robot = Captioner(Tab(classroom.app, transcriber_token(classroom)), classroom.code)
    robot.tab.join(classroom.code)
    ada, bob = classroom.joined("Ada"), classroom.joined("Bob")
    teacher.ask("createGroup", {"sessionCode": classroom.code, "name": "Owls", "memberIds": ["ada"]})
    bob.take()
    robot.close("s1", 0, "Ada speaks", speakerId="ada")
    robot.close("s2", 0, "the robot itself")
    assert texts(bob) == ["the robot itself"]
    assert texts(ada) == ["Ada speaks", "the robot itself"]


def test_a_transcriber_is_in_no_group_and_in_no_count(
    classroom: Classroom, teacher: Captioner, robot_token: str
) -> None:
    robot = Tab(classroom.app, robot_token)
    robot_id = robot.join(classroom.code)["self"]["userId"]
    students = [classroom.joined(name) for name in ("Ada", "Bob")]
    assign = {"sessionCode": classroom.code, "count": 1, "strategy": "roundRobin"}
    assert teacher.tab.ask("assignGroups", assign)["ok"]
    teacher.tab.take()
    assert [group["members"] for group in teacher.tab.join(classroom.code)["groups"]] == [["ada", "bob"]]
    activity = {"sessionCode": classroom.code, "activityId": "a", "activityType": "poll", "status": "started"}
    assert teacher.tab.ask("updateActivity", activity)["ok"]
    response = {"sessionCode": classroom.code, "activityId": "a", "data": 1, "clientId": "1"}
    assert students[0].ask("submitActivityResponse", response)["ok"]
    (progress,) = heard(students[1], "activityProgress")
    assert (progress["responded"], progress["participants"]) == (1, 2)
    sheet = classroom.app.test_client().get(
        f"{API}/sessions/{classroom.code}/attendance", headers=bearer(classroom.token("Grace", "teacher"))
    )
    present = [row["userId"] for row in sheet.get_json()["attendance"]]
    assert present == [user for user in ("grace", "ada", "bob") if user != robot_id or user == "grace"]


def test_others_see_what_a_transcriber_is(classroom: Classroom, teacher: Captioner) -> None:
    Tab(classroom.app, transcriber_token(classroom)).join(classroom.code)
    told = teacher.tab.take_only("presenceUpdated")
    assert (told["displayName"], told["role"], told["status"]) == ("Robot", "transcriber", "active")


def test_an_owner_who_came_first_as_a_transcriber_stays_the_owner(make_app: AppFactory) -> None:
    """A co-teacher cannot turn them out."""
    classroom = active(make_app(), coTeacherIds=["kay"])
    Tab(classroom.app, narrowed_token(classroom.app, "Grace", "teacher")).join(classroom.code)
    kay = classroom.joined("Kay", "teacher")
    owner = classroom.tab("Grace", "teacher")
    assert owner.join(classroom.code)["self"]["staff"] is True
    kay.take()
    error = kay.refused("removeParticipant", {"sessionCode": classroom.code, "userId": "grace"})
    assert (error["code"], error["details"]) == ("FORBIDDEN", {"reason": "staff"})


def test_a_roster_keeps_no_transcriber_out_that_staff_asked_for(make_app: AppFactory) -> None:
    classroom = active(make_app(), access="roster", rosterUserIds=["ada"])
    for token in (transcriber_token(classroom), narrowed_token(classroom.app, "Grace", "teacher")):
        Captioner(Tab(classroom.app, token), classroom.code).tab.join(classroom.code)
    eve = Tab(classroom.app, narrowed_token(classroom.app, "Eve", "student"))
    assert eve.refused("joinSession", classroom.code)["code"] == "SESSION_ACCESS_DENIED"


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_a_transcriber_takes_nobodys_place(make_app: AppFactory, first: bool) -> None:
    """``maxParticipants`` counts people: with two of them, a teacher and one student are in."""
    classroom = active(make_app(), maxParticipants=2)
    classroom.teacher()
    robots = [Tab(classroom.app, transcriber_token(classroom, f"Robot {number}")) for number in range(2)]
    if first:
        for robot in robots:
            robot.join(classroom.code)
    classroom.joined("Ada")
    for robot in robots:
        robot.take()
        robot.join(classroom.code)
    late = classroom.tab("Bob")
    assert late.refused("joinSession", classroom.code)["code"] == "SESSION_FULL"


def test_an_ended_login_is_no_captioner_any_more(classroom: Classroom) -> None:
    token = transcriber_token(classroom)
    robot = Tab(classroom.app, token)
    robot.join(classroom.code)
    classroom.app.test_client().post(OWN[1][1], headers=bearer(token))
    told: list[Received] = robot.take()
    assert [(name, payload["code"]) for name, payload in told] == [("error", "SESSION_EXPIRED")]
    assert not robot.connected
