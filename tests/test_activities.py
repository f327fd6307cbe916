"""Activities on the wire: everybody is in step, answers reach staff alone, and so does what is for staff only."""

import json
from typing import Any

import pytest

from tests.support.apps import API, AppFactory, headers_for
from tests.support.tabs import Classroom, Received, Tab, open_classroom

SECRET = "marker-of-the-answer-key"
STUDENTS = ("Ada", "Bob", "Cyd")

Tabs = dict[str, Tab]
Payload = dict[str, Any]


@pytest.fixture
def room(make_app: AppFactory) -> Classroom:
    """A session that is active."""
    made = open_classroom(make_app(), coTeacherIds=["carol"])
    made.step("start")
    return made


@pytest.fixture
def tabs(room: Classroom) -> Tabs:
    """The teacher, the co-teacher and the students, who have heard of each other."""
    made = {"Grace": room.teacher(), "Carol": room.joined("Carol", "teacher")}
    made |= {name: room.joined(name) for name in STUDENTS}
    for tab in made.values():
        tab.take()
    return made


def do(tab: Tab, room: Classroom, event: str, **data: Any) -> Payload:
    """Send an event and return the ack of success."""
    ack = tab.ask(event, {"sessionCode": room.code, **data})
    assert ack["ok"], ack
    return ack


def refusal(tab: Tab, room: Classroom, event: str, **data: Any) -> Payload:
    """Send an event that fails and return the error."""
    tab.take()
    return tab.refused(event, {"sessionCode": room.code, **data})


def step(tab: Tab, room: Classroom, status: str, activity_id: str = "q1", **more: Any) -> Payload:
    """Take an activity, a quiz, to a status and return the ack."""
    given = {"activityId": activity_id, "activityType": "quiz", "status": status, **more}
    return do(tab, room, "updateActivity", **given)


def step_refused(tab: Tab, room: Classroom, status: str, activity_id: str = "q1", **more: Any) -> Payload:
    given = {"activityId": activity_id, "activityType": "quiz", "status": status, **more}
    return refusal(tab, room, "updateActivity", **given)


def respond(tab: Tab, room: Classroom, data: Any, client_id: str = "r1", activity_id: str = "q1") -> Payload:
    return do(tab, room, "submitActivityResponse", activityId=activity_id, data=data, clientId=client_id)


def response_refused(tab: Tab, room: Classroom, data: Any, client_id: str = "r1", activity_id: str = "q1") -> Payload:
    given = {"activityId": activity_id, "data": data, "clientId": client_id}
    return refusal(tab, room, "submitActivityResponse", **given)


def of(events: list[Received], name: str) -> list[Payload]:
    return [data for event, data in events if event == name]


def told(room: Classroom, name: str, role: str = "student") -> Payload:
    """The activity as a joiner is told of it."""
    activity: Payload = room.tab(name, role).join(room.code)["activity"]
    return activity


# steps


def test_everybody_is_in_step_with_one_delivery(room: Classroom, tabs: Tabs) -> None:
    ack = step(tabs["Grace"], room, "started", data={"question": "2 + 2?"})
    expected = {
        "sessionCode": room.code,
        "activityId": "q1",
        "activityType": "quiz",
        "status": "started",
        "version": 1,
        "updatedBy": "grace",
        "data": {"question": "2 + 2?"},
        "seq": ack["seq"],
        "timestamp": ack["timestamp"],
    }
    for name, tab in tabs.items():
        assert tab.take_only("activityUpdate") == expected, name


def test_an_activity_goes_its_steps_and_keeps_its_data(room: Classroom, tabs: Tabs) -> None:
    step(tabs["Grace"], room, "started", data={"page": 1})
    step(tabs["Grace"], room, "started", data={"page": 2})
    step(tabs["Carol"], room, "paused")
    step(tabs["Carol"], room, "paused", data={"page": 3})
    step(tabs["Grace"], room, "started")
    step(tabs["Grace"], room, "completed")
    step(tabs["Grace"], room, "completed", data={"page": 4})
    step(tabs["Grace"], room, "started")
    seen = [(u["status"], u["data"]["page"], u["version"]) for u in of(tabs["Ada"].take(), "activityUpdate")]
    assert seen == [
        ("started", 1, 1),
        ("started", 2, 2),
        ("paused", 2, 3),
        ("paused", 3, 4),
        ("started", 3, 5),
        ("completed", 3, 6),
        ("completed", 4, 7),
        ("started", 4, 8),
    ]


def test_an_activity_without_data_has_none(room: Classroom, tabs: Tabs) -> None:
    step(tabs["Grace"], room, "started")
    assert "data" not in tabs["Ada"].take_only("activityUpdate")
    assert "data" not in told(room, "Ada")


@pytest.mark.parametrize(
    ("way", "status", "code"),
    [
        ([], "paused", "ACTIVITY_NOT_FOUND"),
        ([], "completed", "ACTIVITY_NOT_FOUND"),
        (["started"], "started", "CONFLICT"),
        (["started", "paused"], "paused", "CONFLICT"),
        (["started", "completed"], "completed", "CONFLICT"),
        (["started", "completed"], "paused", "CONFLICT"),
    ],
)
def test_an_illegal_step_changes_nothing(room: Classroom, tabs: Tabs, way: list[str], status: str, code: str) -> None:
    for before in way:
        step(tabs["Grace"], room, before)
    error = step_refused(tabs["Grace"], room, status)
    assert error["code"] == code
    if code == "CONFLICT":
        assert error["details"]["current"]["status"] == way[-1]
        assert "responses" not in error["details"]["current"]
    assert len(of(tabs["Ada"].take(), "activityUpdate")) == len(way)


def test_there_is_one_activity_at_a_time(room: Classroom, tabs: Tabs) -> None:
    step(tabs["Grace"], room, "started", "q1")
    error = step_refused(tabs["Carol"], room, "started", "q2")
    assert (error["code"], error["details"]["current"]["activityId"]) == ("CONFLICT", "q1")
    assert step_refused(tabs["Carol"], room, "paused", "q2")["code"] == "ACTIVITY_NOT_FOUND"
    step(tabs["Grace"], room, "paused", "q1")
    assert step_refused(tabs["Carol"], room, "started", "q2")["code"] == "CONFLICT"
    step(tabs["Grace"], room, "completed", "q1")
    step(tabs["Carol"], room, "started", "q2")
    assert told(room, "Ada")["activityId"] == "q2"


@pytest.mark.parametrize("wrong", [{"status": "over"}, {"data": []}, {"activityType": ""}, {"activityId": "x" * 65}])
def test_a_wrong_payload_is_refused(room: Classroom, tabs: Tabs, wrong: Payload) -> None:
    given = {"activityId": "q1", "activityType": "quiz", "status": "started", **wrong}
    assert refusal(tabs["Grace"], room, "updateActivity", **given)["code"] == "INVALID_PAYLOAD"


def test_only_staff_lead_an_activity_and_only_students_answer(room: Classroom, tabs: Tabs) -> None:
    assert step_refused(tabs["Ada"], room, "started")["code"] == "FORBIDDEN"
    step(tabs["Grace"], room, "started")
    assert step_refused(tabs["Ada"], room, "completed")["code"] == "FORBIDDEN"
    for name in ("Grace", "Carol"):
        assert response_refused(tabs[name], room, 4)["code"] == "FORBIDDEN"


def test_an_activity_starts_and_is_answered_while_the_session_is_active(make_app: AppFactory) -> None:
    room = open_classroom(make_app())
    teacher, ada = room.teacher(), room.joined("Ada")
    assert step_refused(teacher, room, "started")["code"] == "SESSION_NOT_ACTIVE"
    room.step("start")
    step(teacher, room, "started")
    room.step("pause")
    assert response_refused(ada, room, 4)["code"] == "SESSION_NOT_ACTIVE"
    step(teacher, room, "paused")
    assert step_refused(teacher, room, "started")["code"] == "SESSION_NOT_ACTIVE"
    step(teacher, room, "completed")
    room.step("resume")
    step(teacher, room, "started", "q2")
    respond(ada, room, 4, activity_id="q2")
    room.step("end")
    assert response_refused(ada, room, 5, "r2", "q2")["code"] == "SESSION_ENDED"


def test_versions_keep_two_staff_from_overwriting_each_other(room: Classroom, tabs: Tabs) -> None:
    step(tabs["Grace"], room, "started", expectedVersion=0)
    step(tabs["Grace"], room, "paused", expectedVersion=1)
    for name, version in (("Carol", 1), ("Grace", 0), ("Grace", 3)):
        error = step_refused(tabs[name], room, "completed", expectedVersion=version)
        assert (error["code"], error["details"]["current"]["version"]) == ("CONFLICT", 2)
    step(tabs["Carol"], room, "completed", expectedVersion=2)
    assert step_refused(tabs["Carol"], room, "started", "q2", expectedVersion=3)["code"] == "CONFLICT"
    step(tabs["Carol"], room, "started", "q2", expectedVersion=0)
    assert told(room, "Ada")["version"] == 1


def test_a_repeated_step_happens_once(room: Classroom, tabs: Tabs) -> None:
    first = step(tabs["Grace"], room, "started", expectedVersion=0, clientMessageId="s1")
    assert step(tabs["Grace"], room, "started", expectedVersion=0, clientMessageId="s1") == first
    assert len(of(tabs["Ada"].take(), "activityUpdate")) == 1


# late joiners


def test_late_joiners_are_told_where_the_activity_is(room: Classroom, tabs: Tabs) -> None:
    assert room.tab("Ada").join(room.code)["activity"] is None
    step(tabs["Grace"], room, "started", data={"question": "2 + 2?", "staffOnly": {"answer": 4}})
    respond(tabs["Ada"], room, {"answer": 5})
    step(tabs["Grace"], room, "paused")
    common = {"activityId": "q1", "activityType": "quiz", "status": "paused", "version": 2, "updatedBy": "grace"}
    common |= {"responded": 1, "participants": 3}
    student = {**common, "data": {"question": "2 + 2?"}}
    assert told(room, "Bob") == student
    assert told(room, "Ada") == {**student, "response": {"answer": 5}}
    responses = [{"userId": "ada", "displayName": "Ada", "data": {"answer": 5}}]
    told_to_staff = {"responses": responses, "responsesComplete": True}
    staff = {**common, "data": {"question": "2 + 2?", "staffOnly": {"answer": 4}}, **told_to_staff}
    assert told(room, "Carol", "teacher") == told(room, "Grace", "teacher") == staff


def test_who_resumes_gets_the_steps_that_they_missed(room: Classroom, tabs: Tabs) -> None:
    since = {name: tabs[name].join(room.code) for name in ("Ada", "Carol")}
    step(tabs["Grace"], room, "started", data={"question": "2 + 2?", "staffOnly": SECRET})
    respond(tabs["Bob"], room, 4)
    step(tabs["Grace"], room, "completed")
    for name, role, events in (
        ("Ada", "student", ["activityUpdate", "activityUpdate"]),
        ("Carol", "teacher", ["activityUpdate", "activityResponse", "activityUpdate"]),
    ):
        resume = {"sinceSeq": since[name]["seq"], "epoch": since[name]["epoch"]}
        missed = room.tab(name, role).join(room.code, resume)["missed"]
        assert [item["event"] for item in missed] == events
        heard = [(event, data) for event, data in tabs[name].take() if event != "activityProgress"]
        assert [(item["event"], item["data"]) for item in missed] == heard, "as it was sent"


# responses


def test_responses_reach_staff_with_names_and_progress_reaches_everybody(room: Classroom, tabs: Tabs) -> None:
    step(tabs["Grace"], room, "started")
    for tab in tabs.values():
        tab.take()
    ack = respond(tabs["Ada"], room, {"answer": 4})
    expected = {
        "sessionCode": room.code,
        "activityId": "q1",
        "userId": "ada",
        "displayName": "Ada",
        "data": {"answer": 4},
        "clientId": "r1",
        "seq": ack["seq"],
        "timestamp": ack["timestamp"],
    }
    progress = {"sessionCode": room.code, "activityId": "q1", "responded": 1, "participants": 3}
    for name in ("Grace", "Carol"):
        assert tabs[name].take() == [("activityResponse", expected), ("activityProgress", progress)]
    for name in STUDENTS:
        assert tabs[name].take() == [("activityProgress", progress)]
    respond(tabs["Bob"], room, {"answer": 5})
    assert tabs["Cyd"].take_only("activityProgress")["responded"] == 2
    assert told(room, "Cyd").items() >= {"responded": 2, "participants": 3}.items()


def test_the_next_activity_knows_nothing_of_the_client_ids_of_the_last(room: Classroom, tabs: Tabs) -> None:
    step(tabs["Grace"], room, "started")
    first = respond(tabs["Ada"], room, "A", client_id="tablet")
    step(tabs["Grace"], room, "completed")
    step(tabs["Grace"], room, "started", activity_id="q2")
    assert respond(tabs["Ada"], room, "B", client_id="tablet", activity_id="q2")["seq"] > first["seq"]
    assert told(room, "Grace", "teacher")["responded"] == 1


def test_a_response_that_is_repeated_is_kept_once(room: Classroom, tabs: Tabs) -> None:
    step(tabs["Grace"], room, "started")
    first = respond(tabs["Ada"], room, 4)
    assert respond(tabs["Ada"], room, 4) == first
    assert respond(tabs["Ada"], room, 5) == first, "the id says that it is the same"
    respond(tabs["Bob"], room, 6)  # the same id of another user is another response
    tabs["Ada"].take()
    step(tabs["Grace"], room, "completed")
    assert respond(tabs["Ada"], room, 4) == first, "also when no more are taken"
    assert [r["data"] for r in of(tabs["Grace"].take(), "activityResponse")] == [4, 6]
    assert response_refused(tabs["Ada"], room, 4, "r2")["code"] == "CONFLICT"


def test_a_second_response_replaces_the_first(room: Classroom, tabs: Tabs) -> None:
    step(tabs["Grace"], room, "started")
    respond(tabs["Ada"], room, "first", "r1")
    respond(tabs["Bob"], room, "other", "r1")
    respond(tabs["Ada"], room, "second", "r2")
    assert [p["responded"] for p in of(tabs["Cyd"].take(), "activityProgress")] == [1, 2, 2]
    assert told(room, "Ada")["response"] == "second"
    shown = told(room, "Grace", "teacher")["responses"]
    assert [(r["userId"], r["data"]) for r in shown] == [("bob", "other"), ("ada", "second")], "newest last"


@pytest.mark.parametrize("data", [0, False, "", [], {}, [{"a": [1.5, None]}], "\N{SEEDLING}"])
def test_a_response_is_any_json_but_null(room: Classroom, tabs: Tabs, data: Any) -> None:
    step(tabs["Grace"], room, "started")
    respond(tabs["Ada"], room, data)
    (response,) = of(tabs["Grace"].take(), "activityResponse")
    assert response["data"] == told(room, "Ada")["response"] == data
    assert response_refused(tabs["Ada"], room, None, "r2")["code"] == "INVALID_PAYLOAD"


def test_responses_are_for_the_running_activity(room: Classroom, tabs: Tabs) -> None:
    assert response_refused(tabs["Ada"], room, 4)["code"] == "ACTIVITY_NOT_FOUND"
    step(tabs["Grace"], room, "started")
    assert response_refused(tabs["Ada"], room, 4, activity_id="q2")["code"] == "ACTIVITY_NOT_FOUND"
    step(tabs["Grace"], room, "paused")
    assert response_refused(tabs["Ada"], room, 4)["code"] == "CONFLICT"
    step(tabs["Grace"], room, "started")
    respond(tabs["Ada"], room, 4)
    step(tabs["Grace"], room, "completed")
    step(tabs["Grace"], room, "started", "q2")
    assert told(room, "Ada").items() >= {"activityId": "q2", "responded": 0}.items(), "another one begins without any"


def test_a_response_has_a_limit(make_app: AppFactory) -> None:
    room = open_classroom(make_app(CLASSWAVES_MAX_RESPONSE_BYTES=100))
    room.step("start")
    teacher, ada = room.teacher(), room.joined("Ada")
    step(teacher, room, "started")
    error = response_refused(ada, room, "x" * 99)  # and two quotes
    assert (error["code"], error["details"]) == ("PAYLOAD_TOO_LARGE", {"maxBytes": 100})
    assert response_refused(ada, room, "\N{SEEDLING}" * 25)["code"] == "PAYLOAD_TOO_LARGE", "bytes count"
    respond(ada, room, "x" * 98)


def test_who_left_does_not_count_as_a_participant(room: Classroom, tabs: Tabs) -> None:
    step(tabs["Grace"], room, "started")
    tabs["Cyd"].ask("leaveSession", room.code)
    respond(tabs["Ada"], room, 4)
    (progress,) = of(tabs["Bob"].take(), "activityProgress")
    assert (progress["responded"], progress["participants"]) == (1, 2)


# what is for staff only


def read_all(room: Classroom, tab: Tab, name: str, role: str, since: Payload) -> str:
    """Everything that a user can get, as JSON: what came, snapshot, missed, acks, history, and every page of REST."""
    resume = {"sinceSeq": since["seq"], "epoch": since["epoch"]}
    client, headers = room.app.test_client(), headers_for(room.app, name, role)
    got: list[Any] = [tab.take(), room.tab(name, role).join(room.code), room.tab(name, role).join(room.code, resume)]
    got.append(do(tab, room, "syncSession", **resume))
    got += [do(tab, room, event) for event in ("fetchHistory", "fetchTranscript")]
    pages = ("", "/participants", "/groups", "/messages", "/transcript", "/attendance", "/export")
    got += [client.get(f"{API}/sessions/{room.code}{page}", headers=headers).get_data(as_text=True) for page in pages]
    assert got[2]["recovered"], "what was missed is looked at too"
    return json.dumps(got)


def lead(room: Classroom, tab: Tab, *ids: str) -> None:
    """Take activities with a secret through all their steps."""
    for activity_id in ids:
        for status in ("started", "paused", "started", "completed"):
            step(tab, room, status, activity_id, data={"question": "?", "staffOnly": {"key": SECRET}})
        step(tab, room, "started", activity_id)
        step(tab, room, "completed", activity_id)
        step(tab, room, "started", activity_id)
        step(tab, room, "completed", activity_id)


def test_what_is_for_staff_only_never_reaches_a_student(room: Classroom, tabs: Tabs) -> None:
    since = tabs["Ada"].join(room.code)
    lead(room, tabs["Grace"], "q1", "q2")
    step(tabs["Grace"], room, "started", "q3", data={"question": "?", "staffOnly": SECRET})
    acks = [respond(tabs["Ada"], room, 4, activity_id="q3"), respond(tabs["Ada"], room, 5, activity_id="q3")]
    acks += [
        step_refused(tabs["Bob"], room, "completed", "q3", expectedVersion=9),
        response_refused(tabs["Ada"], room, 4, "r2", "q2"),
        response_refused(tabs["Ada"], room, "x" * 9000, "r3", "q3"),
    ]
    for name in STUDENTS:
        everything = read_all(room, tabs[name], name, "student", since) + json.dumps(acks)
        assert "activityUpdate" in everything
        assert "question" in everything
        assert SECRET not in everything, name
        assert "staffOnly" not in everything, name
    for name in ("Grace", "Carol"):
        assert SECRET in json.dumps(tabs[name].take()), "at once"
        assert SECRET in json.dumps(room.tab(name, "teacher").join(room.code)), "in the snapshot"
        assert SECRET in json.dumps(do(tabs[name], room, "syncSession", sinceSeq=since["seq"], epoch=since["epoch"]))


def test_responses_never_reach_another_student(room: Classroom, tabs: Tabs) -> None:
    since = tabs["Bob"].join(room.code)
    step(tabs["Grace"], room, "started")
    respond(tabs["Ada"], room, {"answer": "marker-of-a-response"})
    assert "marker-of-a-response" not in read_all(room, tabs["Bob"], "Bob", "student", since)
    assert "marker-of-a-response" in read_all(room, tabs["Carol"], "Carol", "teacher", since)


def set_co_teachers(room: Classroom, *ids: str) -> None:
    headers = headers_for(room.app, "Grace", "teacher")
    changed = room.app.test_client().patch(
        f"{API}/sessions/{room.code}", json={"settings": {"coTeacherIds": list(ids)}}, headers=headers
    )
    assert changed.status_code == 200, changed.get_json()


def test_a_co_teacher_who_is_one_no_longer_gets_it_no_more(room: Classroom, tabs: Tabs) -> None:
    step(tabs["Grace"], room, "started", data={"staffOnly": SECRET})
    assert SECRET in json.dumps(tabs["Carol"].take())
    since = room.teacher().ask("joinSession", room.code)
    set_co_teachers(room)
    step(tabs["Grace"], room, "paused", data={"question": "?", "staffOnly": SECRET})
    step(tabs["Grace"], room, "started")
    respond(tabs["Ada"], room, "marker-of-a-response")
    heard = tabs["Carol"].take()
    resume = {"sinceSeq": since["seq"], "epoch": since["epoch"]}
    got = json.dumps([heard, do(tabs["Carol"], room, "syncSession", **resume)])
    assert [event for event, _ in heard] == ["activityUpdate", "activityUpdate", "activityProgress"]
    assert SECRET not in got
    assert "marker-of-a-response" not in got
    assert step_refused(tabs["Carol"], room, "completed")["code"] == "FORBIDDEN"


def test_a_student_who_becomes_a_co_teacher_gets_it_from_then_on(room: Classroom, tabs: Tabs) -> None:
    step(tabs["Grace"], room, "started", data={"staffOnly": SECRET})
    assert SECRET not in json.dumps(tabs["Ada"].take())
    set_co_teachers(room, "ada")
    step(tabs["Grace"], room, "paused", data={"staffOnly": SECRET})
    assert SECRET in json.dumps(tabs["Ada"].take())
    assert told(room, "Ada")["data"] == {"staffOnly": SECRET}
    set_co_teachers(room)
    step(tabs["Grace"], room, "started")
    assert SECRET not in json.dumps(tabs["Ada"].take())
