"""What becomes of a socket while its token lives: greeted, warned, renewed, expired; and its role, which may change."""

import math
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import jwt
import pytest
from flask import Flask

from classwaves.models import iso
from classwaves.users import Users
from tests.support.apps import AppFactory, guest, headers_for, new_session, sign_in, state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.school import TRANSPORTS, School, open_school
from tests.support.tabs import Classroom, Tab, Tabs, open_classroom
from tests.support.tabs import room as room
from tests.support.tabs import tabs as tabs
from tests.support.waiting import eventually

KEY = TEST_KEYS["JWT_SECRET_KEY"]


SOON = 50
"""Seconds until a token ends that a test has end by the application's clock: the machine's may stand still for some."""


def put_forward(app: Flask, seconds: float) -> None:
    """Put the application's clock forward, and have the scheduler look at it."""
    hub = state_of(app).hub
    hub.clock.ahead += seconds
    assert hub.scheduler.settle(10)


def lasting(token: str, seconds: float) -> str:
    """The same token, which ends in so many seconds from now, or up to one more: times in tokens are whole."""
    claims = {**jwt.decode(token, KEY, algorithms=["HS256"]), "exp": math.ceil(time.time() + seconds)}
    return jwt.encode(claims, KEY, "HS256")


def end_of(token: str) -> str:
    return iso(int(jwt.decode(token, KEY, algorithms=["HS256"])["exp"] * 1000))


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    return make_app()


# connectionReady


def test_a_client_is_told_who_it_is_and_what_it_may_send(make_app: AppFactory) -> None:
    limits = {"MAX_MESSAGE_LENGTH": 77, "MAX_EVENT_BYTES": 7000, "EVENT_RATE": "3/second;10/minute", "FILES": "none"}
    limits["EVENT_RATES"] = "raiseHand=1/2second"
    settings = {f"CLASSWAVES_{name}": value for name, value in limits.items()}
    app = make_app(CLASSWAVES_RATELIMIT_ENABLED=True, **settings)
    token = sign_in(app, "Ada", "teacher").access
    ready = Tab(app, token).ready
    told = ready.pop("limits")
    assert abs(datetime.fromisoformat(ready.pop("serverTime")).timestamp() - time.time()) < 60
    assert ready == {"userId": "ada", "role": "teacher", "expiresAt": end_of(token)}
    assert (told["maxMessageLength"], told["maxEventBytes"], told["maxFileBytes"]) == (77, 7000, 0)
    assert told["eventRates"] == [{"count": 3, "seconds": 1}, {"count": 10, "seconds": 60}]
    assert told["singleEventRates"]["raiseHand"] == [{"count": 1, "seconds": 2}]


def test_without_rate_limits_none_are_told(app: Flask) -> None:
    limits = Tab(app, sign_in(app, "Ada").access).ready["limits"]
    assert limits["eventRates"] == []
    assert limits["maxFileBytes"] == 50_000_000


@pytest.fixture(scope="module")
def running() -> Iterator[School]:
    with open_school() as school:
        yield school


@pytest.fixture
def school(running: School) -> Iterator[School]:
    yield running
    running.dismiss()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_it_comes_first_after_the_answer_to_each_connect_and_only_then(school: School, transport: str) -> None:
    token = school.api.token("student")
    client = school.connect(token, transport)
    client.wire.send(f'40{{"token":"{token}"}}')
    assert client.wire.receive().startswith("44"), "a second CONNECT is refused, and greets nobody"
    client.wire.send("41")
    client.wire.send(f'40{{"token":"{token}"}}')
    assert client.wire.receive().startswith('40{"sid":')
    assert client.wire.receive().startswith('42["connectionReady",{"userId":"demo-student"')


# authExpiring, and the end


def test_a_token_that_ends_soon_is_warned_of_at_once(app: Flask) -> None:
    token = lasting(sign_in(app, "Ada").access, 50)
    assert Tab(app, token).take() == [("authExpiring", {"expiresAt": end_of(token)})]


def test_a_token_is_warned_of_when_it_is_time(make_app: AppFactory) -> None:
    app = make_app(CLASSWAVES_AUTH_WARNING=100)
    token = lasting(sign_in(app, "Ada").access, 100 + SOON)
    tab = Tab(app, token)
    assert tab.take() == [], "not yet"
    put_forward(app, SOON + 1)
    assert eventually(tab.take, what="the warning") == [("authExpiring", {"expiresAt": end_of(token)})]


def test_a_socket_whose_token_has_expired_is_told_and_disconnected(make_app: AppFactory) -> None:
    classroom = open_classroom(make_app(CLASSWAVES_JWT_LEEWAY=0, CLASSWAVES_DISCONNECT_GRACE=0.05))
    teacher = classroom.teacher()
    tab = Tab(classroom.app, lasting(classroom.token("Ada"), SOON))
    tab.join_after_warning(classroom.code)
    put_forward(classroom.app, SOON + 1)
    eventually(lambda: not tab.connected, what="the end")
    assert tab.take_only("error")["code"] == "TOKEN_EXPIRED"
    told = eventually(lambda: [said for _, said in teacher.take() if said["status"] == "disconnected"], what="the word")
    assert told[0]["userId"] == "ada"


def test_one_socket_that_cannot_be_put_out_keeps_no_other(make_app: AppFactory) -> None:
    """By a token that ends, and by a login that is ended; it is tried again."""
    app = make_app(CLASSWAVES_JWT_LEEWAY=0)
    pairs = [sign_in(app, "Ada") for _ in range(2)]
    first = Tab(app, lasting(pairs[0].access, SOON))
    fragile, tries = state_of(app).socketio.server, [0]
    disconnect = fragile.disconnect

    def failing(*args: Any, **more: Any) -> None:
        tries[0] += 1
        if tries[0] == 1:
            raise ValueError("of a handler of the shop")
        disconnect(*args, **more)

    fragile.disconnect = failing
    put_forward(app, SOON + 1)
    eventually(lambda: tries[0], what="the first try")
    second = Tab(app, lasting(pairs[0].access, 2 * SOON))
    put_forward(app, SOON)
    eventually(lambda: not second.connected and not first.connected, what="both ends")
    tries[0] = 0
    tabs = [Tab(app, pairs[1].access) for _ in range(2)]
    state_of(app).store.end_auth(pairs[1].auth.id)
    assert [tab.connected for tab in tabs] == [True, False]


def test_the_leeway_is_the_same_for_sockets_and_rest(make_app: AppFactory) -> None:
    app = make_app(CLASSWAVES_JWT_LEEWAY=20)
    client, token = app.test_client(), sign_in(app, "Ada").access
    for seconds, right in ((-10, True), (-30, False)):
        late = lasting(token, seconds)
        answer = client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {late}"})
        assert (answer.status_code == 200) is right
        tab = Tab(app, late)
        assert tab.connected is right
        if right:
            assert tab.ask("leaveSession", "ABC234")["ok"]


def test_ended_sockets_leave_nothing_behind(room: Classroom) -> None:
    tab = room.joined("Ada")
    watch = state_of(room.app).hub.watch
    assert len(watch._deadlines) == len(watch._waiting) == 1
    tab.vanish()
    assert len(watch._deadlines) == len(watch._waiting) == 0


# refreshAuth


def test_a_new_token_is_taken_without_a_reconnect(make_app: AppFactory) -> None:
    classroom = open_classroom(make_app(CLASSWAVES_JWT_LEEWAY=0))
    token = classroom.token("Ada")
    tab = Tab(classroom.app, lasting(token, SOON))
    tab.join_after_warning(classroom.code)
    ack = tab.ask("refreshAuth", {"token": token})
    assert ack == {"ok": True, "expiresAt": end_of(token), "role": "student"}
    time_over = Tab(classroom.app, lasting(token, SOON))
    put_forward(classroom.app, SOON + 1)
    eventually(lambda: not time_over.connected, what="the end of another one")
    assert tab.connected
    tab.say(classroom.code, "still in my seat")
    assert [name for name, _ in tab.take()] == ["messageReceived"]


def test_a_new_token_is_warned_of_again(app: Flask) -> None:
    token = sign_in(app, "Ada").access
    tab = Tab(app, token)
    soon = lasting(token, 30)
    assert tab.ask("refreshAuth", {"token": soon})["ok"]
    assert tab.take() == [("authExpiring", {"expiresAt": end_of(soon)})]


def test_somebody_elses_token_is_refused_and_changes_nothing(app: Flask, room: Classroom) -> None:
    tab = Tab(app, sign_in(app, "Ada").access)
    error = tab.refused("refreshAuth", {"token": sign_in(app, "Ben", "admin").access})
    assert (error["code"], error["details"]) == ("FORBIDDEN", {"reason": "user"})
    assert tab.ask("leaveSession", "ABC234")["ok"]


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (lambda pair: "nonsense", "INVALID_TOKEN"),
        (lambda pair: "x" * 5000, "INVALID_PAYLOAD"),
        (lambda pair: pair.refresh, "INVALID_TOKEN"),
        (lambda pair: lasting(pair.access, -100), "TOKEN_EXPIRED"),
        (lambda pair: 7, "INVALID_PAYLOAD"),
        (lambda pair: None, "INVALID_PAYLOAD"),
    ],
)
def test_a_wrong_token_is_refused_and_the_old_one_goes_on(app: Flask, token: Any, code: str) -> None:
    pair = sign_in(app, "Ada")
    tab = Tab(app, pair.access)
    assert tab.refused("refreshAuth", {"token": token(pair)})["code"] == code
    assert tab.ask("leaveSession", "ABC234")["ok"]


def test_a_token_of_a_login_that_is_over_is_refused(app: Flask) -> None:
    old, new = sign_in(app, "Ada"), sign_in(app, "Ada")
    tab = Tab(app, old.access)
    state_of(app).store.end_auth(new.auth.id)
    assert tab.refused("refreshAuth", {"token": new.access})["code"] == "SESSION_EXPIRED"


def test_a_guest_takes_no_token_of_another_session(room: Classroom) -> None:
    client = room.app.test_client()
    other = new_session(client, headers_for(room.app, "Grace", "teacher"))
    mine, theirs = guest(client, room.code, "Gus")[0], guest(client, other, "Gus")[0]
    tab = Tab(room.app, mine)
    assert tab.refused("refreshAuth", {"token": theirs})["code"] == "FORBIDDEN"
    assert tab.ask("refreshAuth", {"token": mine})["ok"]


def test_a_socket_belongs_to_the_login_of_its_new_token(app: Flask) -> None:
    old, new = sign_in(app, "Ada"), sign_in(app, "Ada")
    tab = Tab(app, old.access)
    assert tab.ask("refreshAuth", {"token": new.access})["ok"]
    state_of(app).store.end_auth(old.auth.id)
    assert tab.connected
    state_of(app).store.end_auth(new.auth.id)
    assert not tab.connected


# roles


def test_a_role_changes_what_a_socket_may_and_hears(tabs: Tabs, room: Classroom) -> None:
    users = Users(state_of(room.app).store)
    ada, bob = tabs["Ada"], tabs["Bob"]
    hide = {"sessionCode": room.code, "mode": "quiz"}
    assert ada.refused("setSessionMode", hide)["code"] == "FORBIDDEN"
    users.set_role("ada", "admin")
    assert ada.take_only("roleChanged") == {"role": "admin"}
    assert bob.take() == []
    assert ada.ask("setSessionMode", hide)["ok"]
    users.set_role("ada", "student")
    ada.take()
    assert ada.refused("setSessionMode", hide)["code"] == "FORBIDDEN"
    member = staff_of(room)
    assert "ada" not in member


def test_a_teacher_who_becomes_a_student_leads_no_session_any_more(room: Classroom) -> None:
    """Neither over the sockets that they have, nor over REST; and again, once they are a teacher again."""
    users, client = Users(state_of(room.app).store), room.app.test_client()
    grace, headers = room.teacher(), {"Authorization": f"Bearer {room.token('Grace', 'teacher')}"}
    path, hide = f"/api/v1/sessions/{room.code}", {"sessionCode": room.code, "mode": "quiz"}
    roster = {"settings": {"rosterUserIds": ["ada"]}}
    assert client.patch(path, json=roster, headers=headers).status_code == 200
    users.set_role("grace", "student")
    grace.take()
    assert grace.refused("setSessionMode", hide)["code"] == "FORBIDDEN"
    assert "grace" not in staff_of(room)
    for method, rest in (("PATCH", ""), ("POST", "/end"), ("GET", "/export"), ("POST", "/transcriber")):
        answer = client.open(path + rest, method=method, json={}, headers=headers)
        assert answer.status_code == 403, rest
    (session,) = client.get("/api/v1/sessions", headers=headers).get_json()["sessions"]
    assert "rosterUserIds" not in session["settings"]
    users.set_role("grace", "teacher")
    assert grace.ask("setSessionMode", hide)["ok"]


def staff_of(room: Classroom) -> set[str]:
    (live,) = state_of(room.app).hub.live_sessions()
    return {member.principal.user_id for member in live.members.values() if member.staff}


def test_a_role_that_changed_between_the_check_of_a_token_and_the_socket_counts(app: Flask) -> None:
    """The control channel told it before there was a socket to tell."""
    state = state_of(app)
    pair = sign_in(app, "Ada", "teacher")
    Tab(app, sign_in(app, "Ben").access)  # the first one has the worker listen
    check = state.tokens.check

    def late(token: str) -> Any:
        principal = check(token)
        Users(state.store).set_role("ada", "student")
        return principal

    late_tokens: Any = late
    state.tokens.check = late_tokens  # type: ignore[method-assign]
    tab = Tab(app, pair.access)
    assert tab.take_only("roleChanged") == {"role": "student"}
