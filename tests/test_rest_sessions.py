"""Sessions over REST: who creates, sees and changes them, their life, guests."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.apps import API, AppFactory, bearer, guest, headers_for, new_session, step

DEFAULTS = {
    "access": "code",
    "rosterUserIds": [],
    "coTeacherIds": [],
    "maxParticipants": 1000,
    "guestsAllowed": True,
    "waitingRoom": False,
    "transcriptAudience": "everyone",
    "fileSharing": True,
}

#: how to get a new session into each state
STATES = {"created": [], "active": ["start"], "paused": ["start", "pause"], "ended": ["end"]}

#: state -> step -> state; every step that is not here is illegal
LEGAL = {
    "created": {"start": "active", "end": "ended"},
    "active": {"pause": "paused", "end": "ended"},
    "paused": {"resume": "active", "end": "ended"},
    "ended": {},
}
STEPS = ["start", "pause", "resume", "end"]

Headers = dict[str, str]


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def ada(app: Flask) -> Headers:
    """The teacher who owns the sessions of these tests."""
    return headers_for(app, "Ada", "teacher")


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (status, code)


def test_a_new_session_answers_as_the_contract_says(client: FlaskClient, ada: Headers) -> None:
    answer = client.post(f"{API}/sessions", json={"title": "  Cells  "}, headers=ada)
    body = answer.get_json()
    assert answer.status_code == 201
    assert re.fullmatch("[ABCDEFGHJKMNPQRSTUVWXYZ23456789]{6}", body.pop("sessionCode"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body.pop("createdAt"))
    assert body == {"title": "Cells", "status": "created", "ownerId": "ada", "settings": DEFAULTS}


def test_settings_that_are_given_are_kept(client: FlaskClient, ada: Headers) -> None:
    given = {
        "access": "roster",
        "rosterUserIds": ["ben"],
        "coTeacherIds": ["cyd"],
        "maxParticipants": 30,
        "guestsAllowed": False,
        "waitingRoom": True,
        "transcriptAudience": "ownGroup",
        "fileSharing": False,
    }
    code = new_session(client, ada, **given)
    assert client.get(f"{API}/sessions/{code}", headers=ada).get_json()["settings"] == given


@pytest.mark.parametrize(("role", "status"), [("teacher", 201), ("admin", 201), ("student", 403)])
def test_teachers_and_admins_create_sessions(app: Flask, client: FlaskClient, role: str, status: int) -> None:
    answer = client.post(f"{API}/sessions", json={"title": "x"}, headers=headers_for(app, "Somebody", role))
    assert answer.status_code == status
    if status == 403:
        refused(answer, 403, "FORBIDDEN")


def test_a_guest_creates_no_session(client: FlaskClient, ada: Headers) -> None:
    token, _ = guest(client, new_session(client, ada), "Gus")
    refused(client.post(f"{API}/sessions", json={"title": "x"}, headers=bearer(token)), 403, "FORBIDDEN")


@pytest.mark.parametrize("store", ["memory", "redis"])
def test_lists_hold_own_sessions_and_all_for_an_admin(make_app: AppFactory, redis_url: str, store: str) -> None:
    app = make_app(REDIS_URL=redis_url, CLASSWAVES_STORE=store)
    client, ada, bob = app.test_client(), headers_for(app, "Ada", "teacher"), headers_for(app, "Bob", "teacher")
    mine = [new_session(client, ada) for _ in range(5)]
    theirs = [new_session(client, bob) for _ in range(2)]

    def pages(headers: Headers, limit: int) -> list[list[str]]:
        found: list[list[str]] = []
        cursor: str | None = "0"
        while cursor is not None:
            query = {"limit": limit, "cursor": cursor}
            body = client.get(f"{API}/sessions", query_string=query, headers=headers).get_json()
            assert set(body) == {"sessions", "nextCursor"}
            found.append([item["sessionCode"] for item in body["sessions"]])
            cursor = body["nextCursor"]
        return found

    assert [len(page) for page in pages(ada, 2)] == [2, 2, 1]
    assert sorted(sum(pages(ada, 2), [])) == sorted(mine)
    assert [len(page) for page in pages(ada, 5)] == [5], "no empty page at the end"
    assert sorted(sum(pages(bob, 50), [])) == sorted(theirs)
    assert sorted(sum(pages(headers_for(app, "Root", "admin"), 3), [])) == sorted(mine + theirs)
    assert pages(headers_for(app, "Stu"), 50) == [[]]


def test_lists_begin_with_the_newest(client: FlaskClient, ada: Headers) -> None:
    for _ in range(4):
        new_session(client, ada)
    times = [item["createdAt"] for item in client.get(f"{API}/sessions", headers=ada).get_json()["sessions"]]
    assert times == sorted(times, reverse=True)


def test_strangers_see_nothing(app: Flask, client: FlaskClient, ada: Headers) -> None:
    code = new_session(client, ada)
    for role in ("student", "teacher"):
        stranger = headers_for(app, "Stranger", role)
        for path in ("", "/participants", "/messages"):
            refused(client.get(f"{API}/sessions/{code}{path}", headers=stranger), 403, "SESSION_ACCESS_DENIED")


def test_staff_see_the_roster_and_guests_do_not(app: Flask, client: FlaskClient, ada: Headers) -> None:
    code = new_session(client, ada, rosterUserIds=["ben"], coTeacherIds=["cyd"])
    for staff in (ada, headers_for(app, "Cyd", "teacher"), headers_for(app, "Root", "admin")):
        shown = client.get(f"{API}/sessions/{code}", headers=staff).get_json()
        assert shown["settings"]["rosterUserIds"] == ["ben"]
    token, _ = guest(client, code, "Gus")
    shown = client.get(f"{API}/sessions/{code}", headers=bearer(token)).get_json()
    assert shown["sessionCode"] == code
    assert "rosterUserIds" not in shown["settings"]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", STEPS)
def test_each_step_from_each_state(client: FlaskClient, ada: Headers, state: str, name: str) -> None:
    code = new_session(client, ada)
    for before in STATES[state]:
        step(client, ada, code, before)
    answer = client.post(f"{API}/sessions/{code}/{name}", headers=ada)
    target = LEGAL[state].get(name)
    if target is None:
        refused(answer, 409, "CONFLICT")
    else:
        assert (answer.status_code, answer.get_json()["sessionCode"]) == (200, code)
        assert answer.get_json()["status"] == target
    assert client.get(f"{API}/sessions/{code}", headers=ada).get_json()["status"] == target or state


def test_a_session_ends_with_a_reason_or_without(client: FlaskClient, ada: Headers) -> None:
    for body in (None, {}, {"reason": "The bell"}):
        code = new_session(client, ada)
        assert client.post(f"{API}/sessions/{code}/end", headers=ada, json=body).get_json()["status"] == "ended"
    code = new_session(client, ada)
    wrong: Any
    for wrong in ({"reason": ""}, {"reason": 7}, {"why": "x"}, []):
        refused(client.post(f"{API}/sessions/{code}/end", headers=ada, json=wrong), 422, "INVALID_PAYLOAD")
    assert client.get(f"{API}/sessions/{code}", headers=ada).get_json()["status"] == "created"


def test_a_change_keeps_what_it_does_not_name(client: FlaskClient, ada: Headers) -> None:
    code = new_session(client, ada, maxParticipants=5)
    answer = client.patch(f"{API}/sessions/{code}", json={"settings": {"guestsAllowed": False}}, headers=ada)
    assert answer.status_code == 200
    expected = {**DEFAULTS, "maxParticipants": 5, "guestsAllowed": False}
    assert answer.get_json()["settings"] == expected
    answer = client.patch(f"{API}/sessions/{code}", json={"title": "Another"}, headers=ada)
    assert (answer.get_json()["title"], answer.get_json()["settings"]) == ("Another", expected)
    assert client.get(f"{API}/sessions/{code}", headers=ada).get_json() == answer.get_json()


def test_an_ended_session_is_not_changed(client: FlaskClient, ada: Headers) -> None:
    code = new_session(client, ada)
    step(client, ada, code, "end")
    refused(client.patch(f"{API}/sessions/{code}", json={"title": "x"}, headers=ada), 409, "SESSION_ENDED")


def attempts(client: FlaskClient, code: str, headers: Headers) -> list[Any]:
    """What only staff may do."""
    return [
        client.patch(f"{API}/sessions/{code}", json={"title": "Mine now"}, headers=headers),
        *(client.post(f"{API}/sessions/{code}/{name}", headers=headers) for name in STEPS[:3]),
    ]


@pytest.mark.parametrize(("name", "role"), [("Ada", "teacher"), ("Cyd", "teacher"), ("Root", "admin")])
def test_owners_co_teachers_and_admins_are_staff(
    app: Flask, client: FlaskClient, ada: Headers, name: str, role: str
) -> None:
    code = new_session(client, ada, coTeacherIds=["cyd"])
    assert [answer.status_code for answer in attempts(client, code, headers_for(app, name, role))] == [200] * 4


def test_who_is_not_staff_changes_nothing(app: Flask, client: FlaskClient, ada: Headers) -> None:
    code = new_session(client, ada)
    token, _ = guest(client, code, "Gus")
    before = client.get(f"{API}/sessions/{code}", headers=ada).get_json()
    for other in (headers_for(app, "Bob", "teacher"), headers_for(app, "Ben"), bearer(token)):
        for answer in [*attempts(client, code, other), client.post(f"{API}/sessions/{code}/end", headers=other)]:
            refused(answer, 403, "SESSION_ACCESS_DENIED")
    assert client.get(f"{API}/sessions/{code}", headers=ada).get_json() == before


@pytest.mark.parametrize("form", ["{}", "%20{}%20", "%09{}%0A"])
def test_codes_are_taken_trimmed_and_in_any_case(client: FlaskClient, ada: Headers, form: str) -> None:
    code = new_session(client, ada)
    for text in (form.format(code), form.format(code.lower())):
        assert client.get(f"{API}/sessions/{text}", headers=ada).get_json()["sessionCode"] == code


@pytest.mark.parametrize("code", ["AAAAAA", "AAAAA", "AAAAAAA", "AAAAA0", "ÄÖÜÄÖÜ", "x" * 3000, "%00%00", "%F0%9F"])
def test_a_code_that_nothing_has_is_not_found(client: FlaskClient, ada: Headers, code: str) -> None:
    answers = [
        *(client.get(f"{API}/sessions/{code}{path}", headers=ada) for path in ("", "/participants", "/messages")),
        *attempts(client, code, ada),
        client.post(f"{API}/sessions/{code}/join", json={"displayName": "Gus"}),
    ]
    for answer in answers:
        refused(answer, 404, "SESSION_NOT_FOUND")


def test_each_route_asks_for_a_token(client: FlaskClient, ada: Headers) -> None:
    code = new_session(client, ada)
    answers = [
        client.get(f"{API}/sessions"),
        client.post(f"{API}/sessions", json={"title": "x"}),
        *(client.get(f"{API}/sessions/{code}{path}") for path in ("", "/participants", "/messages")),
        *attempts(client, code, {}),
        client.post(f"{API}/sessions/{code}/end"),
    ]
    for answer in answers:
        refused(answer, 401, "AUTH_REQUIRED")


def test_codes_are_unique(client: FlaskClient, ada: Headers) -> None:
    assert len({new_session(client, ada) for _ in range(200)}) == 200
