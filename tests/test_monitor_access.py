"""Admins get pictures of the monitor, everybody else is refused, and whoever may no longer watch is put out."""

from dataclasses import replace
from typing import Any

import jwt
import pytest
from flask import Flask

from classwaves.auth.tokens import new_guest
from classwaves.models import TRANSCRIBER, Account
from classwaves.testing.clock import RoomClock
from classwaves.users import Users
from tests.support.apps import AppFactory, sign_in, state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.tabs import open_classroom

PLACE = "/monitor"
PERIOD = 5.0
"""Seconds from one picture to the next, by the application's clock. The machine may stand still as long, and does not
make anybody look silent."""


class Watcher:
    """A socket of the monitor inside the test process."""

    def __init__(self, app: Flask, token: Any = None) -> None:
        auth = None if token is None else {"token": token}
        self.clock = clock_of(app)
        self.client = state_of(app).socketio.test_client(app, namespace=PLACE, auth=auth)
        self.got: list[tuple[str, Any]] = []

    @property
    def connected(self) -> bool:
        return bool(self.client.is_connected(PLACE))

    def look(self) -> list[tuple[str, Any]]:
        while self.client.queue:
            packet = self.client.queue.pop(0)
            args = packet["args"]
            self.got.append((packet["name"], args[0] if isinstance(args, list) else args))
        return self.got

    def pictures(self, count: int = 1) -> list[dict[str, Any]]:
        """Let the time pass that so many pictures take, and return all."""
        self.clock.advance(count * PERIOD)
        found = [data for name, data in self.look() if name == "monitor"]
        assert len(found) >= count
        return found

    def is_put_out(self, code: str) -> None:
        """By the next picture."""
        self.clock.advance(PERIOD)
        assert not self.connected
        assert [data["code"] for name, data in self.look() if name == "error"] == [code]


def clock_of(app: Flask) -> RoomClock:
    hub = state_of(app).hub
    return RoomClock(hub.clock, hub.scheduler)


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    return make_app(CLASSWAVES_MONITOR_SECONDS=PERIOD)


def refusal(app: Flask, token: Any = None) -> str:
    """The code with which a token is refused."""
    failures = state_of(app).tally.auth_failures
    before = dict(failures)
    assert not Watcher(app, token).connected
    (code,) = [code for (code, _), count in failures.items() if count > before.get((code, "connect"), 0)]
    return code


def test_an_admin_sees_pictures(app: Flask) -> None:
    first, second = Watcher(app, sign_in(app, "Root", "admin").access).pictures(2)[:2]
    assert first["store"] == {"kind": "memory", "reachable": True}
    assert [worker["state"] for worker in second["workers"]] == ["running"]
    assert second["sessions"] == []


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_who_is_no_admin_is_refused(app: Flask, role: str) -> None:
    assert refusal(app, sign_in(app, "Ann", role).access) == "FORBIDDEN"
    (act,) = [noted.act for noted in state_of(app).store.acts("", 9)]
    assert (act.what, act.who, act.via, act.details) == ("access.refused", "ann", "socket", {"route": "/monitor"})


def test_guests_and_captioners_are_refused(app: Flask) -> None:
    code, state = open_classroom(app).code, state_of(app)
    session_id = state.hub.find(code)
    with app.app_context():
        guest = state.tokens.guest(new_guest("Ann", session_id), 60, 3).access
        captioner = state.tokens.transcriber("Captions", session_id, 60).access
        auth = sign_in(app, "Root", "admin").auth
        narrow = replace(auth, scopes=(TRANSCRIBER,))
        state.store.save_auth(narrow, "", 60)
        narrowed = state.tokens._access(narrow, 60)
    assert [refusal(app, token) for token in (guest, captioner, narrowed)] == ["FORBIDDEN"] * 3


def test_bad_tokens_are_refused_as_everywhere(app: Flask) -> None:
    token = sign_in(app, "Root", "admin").access
    key = TEST_KEYS["JWT_SECRET_KEY"]
    claims = jwt.decode(token, key, algorithms=["HS256"])
    assert refusal(app) == "AUTH_REQUIRED"
    assert refusal(app, "nonsense") == "INVALID_TOKEN"
    assert refusal(app, jwt.encode({**claims, "exp": 1}, key, "HS256")) == "TOKEN_EXPIRED"
    assert refusal(app, sign_in(app, "Root", "admin").refresh) == "INVALID_TOKEN"
    state_of(app).store.end_auth(claims["sid"])
    assert refusal(app, token) == "SESSION_EXPIRED"


def test_a_logout_a_block_and_another_role_end_it(app: Flask) -> None:
    store = state_of(app).store
    pairs = [sign_in(app, name, "admin") for name in ("Out", "Blocked", "Demoted", "Stays")]
    out, blocked, demoted, stays = (Watcher(app, pair.access) for pair in pairs)
    for watcher in (out, blocked, demoted, stays):
        watcher.pictures()
    store.end_auth(pairs[0].auth.id)
    Users(store).block(pairs[1].auth.user_id)
    Users(store).set_role(pairs[2].auth.user_id, "teacher")
    out.is_put_out("SESSION_EXPIRED")
    blocked.is_put_out("SESSION_EXPIRED")
    demoted.is_put_out("FORBIDDEN")
    assert stays.connected


def test_a_token_that_expires_ends_it_unless_another_one_comes(app: Flask) -> None:
    state = state_of(app)
    with app.app_context():
        short, renewed = (state.tokens.brief(Account(f"{n}", "Root", "admin"), 60) for n in range(2))
        fresh = state.tokens._access(renewed.auth, 3600)
    one, other = Watcher(app, short.access), Watcher(app, renewed.access)
    state.store.save_auth(short.auth, "", 3600)  # what ends here is the token, not the login
    state.store.save_auth(renewed.auth, "", 3600)
    assert other.client.emit("refreshAuth", {"token": fresh}, callback=True, namespace=PLACE) == {"ok": True}
    one.clock.advance(60 + state.settings.jwt_leeway)
    one.is_put_out("TOKEN_EXPIRED")
    assert other.connected


def test_nothing_else_may_be_said(app: Flask) -> None:
    watcher = Watcher(app, sign_in(app, "Root", "admin").access)
    other, student = sign_in(app, "Other", "admin").access, sign_in(app, "Ann").access

    def code(event: str, *args: Any) -> Any:
        return watcher.client.emit(event, *args, callback=True, namespace=PLACE)["error"]["code"]

    assert code("joinSession", "ABC234") == "UNKNOWN_EVENT"
    assert code("monitor", {}) == "UNKNOWN_EVENT"
    assert [code("refreshAuth", *args) for args in ((), ("x",), ({"token": 7},), ({"token": other, "x": 1},))] == [
        "INVALID_PAYLOAD"
    ] * 4
    assert code("refreshAuth", {"token": other}) == "FORBIDDEN", "somebody else's"
    assert code("refreshAuth", {"token": student}) == "FORBIDDEN"
    assert code("refreshAuth", {"token": "nonsense"}) == "INVALID_TOKEN"
    assert watcher.connected


def test_a_session_is_shown_by_code_and_size_without_names(app: Flask) -> None:
    room = open_classroom(app)
    room.teacher().say(room.code, "hello")
    picture = Watcher(app, sign_in(app, "Root", "admin").access).pictures()[-1]
    assert picture["sessions"] == [
        {"sessionCode": room.code, "status": "created", "sockets": 1, "participants": 1, "workers": 1}
    ]
    assert picture["totals"]["participants"] == 1
    assert "hello" not in str(picture) and "Teacher" not in str(picture)


def test_reports_of_another_version_are_left_alone(app: Flask) -> None:
    state_of(app).store.post("newer", {"form": 999}, 60)
    picture = Watcher(app, sign_in(app, "Root", "admin").access).pictures()[-1]
    assert [worker["worker"] for worker in picture["workers"]] == [state_of(app).hub.worker]


def test_nobody_posts_when_nobody_watches(app: Flask) -> None:
    store = state_of(app).store
    open_classroom(app).teacher()
    assert store.postings(100) == []
    watcher = Watcher(app, sign_in(app, "Root", "admin").access)
    watcher.pictures(2)
    watcher.client.disconnect(PLACE)
    watcher.clock.advance(4 * PERIOD)
    (posting,) = store.postings(100)
    assert posting.seconds > 3 * PERIOD, "silence"


def test_it_can_be_switched_off(make_app: AppFactory) -> None:
    app = make_app(CLASSWAVES_MONITOR=False)
    assert app.test_client().get("/monitor").status_code == 404
    assert not Watcher(app, sign_in(app, "Root", "admin").access).connected
