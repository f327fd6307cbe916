"""The end of a login ends its sockets, whichever gunicorn they are on, and no others."""

import time
from collections.abc import Iterator

import pytest

from classwaves.users import Users
from tests.support.apps import PASSWORD, AppFactory, bearer, state_of
from tests.support.clients import Api, Closed, RawClient
from tests.support.gunicorn_server import Gunicorn
from tests.support.school import School, open_school
from tests.support.tabs import open_classroom
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("logout")

LOGIN = {"username": "student", "password": PASSWORD}


@pytest.fixture(scope="module")
def schools() -> Iterator[tuple[School, School]]:
    """Two servers on one Redis."""
    with open_school("redis") as one, Gunicorn(env=one.server.env) as server:
        yield one, School(server)


def ends(client: RawClient) -> None:
    """Wait for the end of a connection, and see that it was told why."""
    with pytest.raises(Closed):
        while True:
            client.read()
    assert client.inbox[-1][0] == "error"
    assert client.inbox[-1][1]["code"] == "SESSION_EXPIRED"


def test_a_logout_ends_the_sockets_on_all_servers(schools: tuple[School, School]) -> None:
    one, two = schools
    token, other = one.api.token("student"), one.api.token("student")
    code = one.session()
    ended = [school.connect(token) for school in schools]
    spared = [school.connect(other) for school in schools]
    for client in [*ended, *spared]:
        client.join(code)
    two.api.ok("POST", "/auth/logout", token)
    for client in ended:
        ends(client)
    for client in spared:
        client.say(code, "still here")
    for school in schools:
        assert school.connect(token).refusal["data"]["code"] == "SESSION_EXPIRED"
        school.dismiss()


def test_what_is_decided_about_a_user_reaches_all_servers(schools: tuple[School, School], make_app: AppFactory) -> None:
    """Prints how long it took; docs/tokens.md says what was measured."""
    one, two = schools
    users = Users(state_of(make_app(REDIS_URL=one.server.env["REDIS_URL"])).store)
    code = one.session()
    user_id, token = "demo-student", one.api.token("student")
    clients = [school.connect(token) for school in schools for _ in range(4)]
    for client in clients:
        client.join(code)
    began = time.monotonic()
    users.set_role(user_id, "admin")
    for client in clients:
        client.wait_for("roleChanged", role="admin")
    print(f"another role: {time.monotonic() - began:.3f} s")
    assert clients[-1].ask("setSessionMode", {"sessionCode": code, "mode": "focus"})["ok"]
    users.set_role(user_id, "student")
    began = time.monotonic()
    users.block(user_id)
    for client in clients:
        ends(client)
    print(f"a block: {time.monotonic() - began:.3f} s")
    wrong = [school.api.call("POST", "/auth/login", body=LOGIN) for school in schools]
    assert {(status, answer["error"]["code"]) for status, answer in wrong} == {(401, "INVALID_CREDENTIALS")}
    users.unblock(user_id)
    token = two.api.token("student")
    removed = [school.connect(token) for school in schools]
    for client in removed:
        client.join(code)
    teacher = one.connect(one.teacher)
    teacher.join(code)
    began = time.monotonic()
    assert teacher.ask("removeParticipant", {"sessionCode": code, "userId": user_id})["ok"]
    for client in removed:
        client.wait_for("sessionLeft")
    print(f"a removal: {time.monotonic() - began:.3f} s")
    began = time.monotonic()
    two.api.ok("POST", "/auth/logout", token)
    for client in removed:
        ends(client)
    print(f"a logout: {time.monotonic() - began:.3f} s")
    for school in schools:
        school.dismiss()


@pytest.mark.parametrize("over", [0, 1], ids=["here", "there"])
def test_a_stolen_refresh_token_ends_the_sockets(schools: tuple[School, School], over: int) -> None:
    one = schools[0]
    login = one.api.login("student")
    client = one.connect(login["accessToken"])
    api: Api = schools[over].api
    fresh = api.ok("POST", "/auth/refresh", login["refreshToken"])
    assert client.ask("leaveSession", "ABC234")["ok"]
    status, answer = api.call("POST", "/auth/refresh", login["refreshToken"])
    assert (status, answer["error"]["code"]) == (401, "TOKEN_REVOKED")
    ends(client)
    assert one.connect(fresh["accessToken"]).refusal["data"]["code"] == "SESSION_EXPIRED"
    one.dismiss()


def test_the_participant_is_disconnected_after_the_grace(make_app: AppFactory) -> None:
    classroom = open_classroom(make_app(CLASSWAVES_DISCONNECT_GRACE=0.05))
    teacher, student = classroom.teacher(), classroom.joined("Ada")
    teacher.take()
    client = classroom.app.test_client()
    assert client.post("/api/v1/auth/logout", headers=bearer(classroom.token("Ada"))).status_code == 204
    assert not student.connected
    (said,) = eventually(teacher.take, what="the departure")
    assert (said[0], said[1]["userId"], said[1]["status"]) == ("presenceUpdated", "ada", "disconnected")


def test_an_end_that_no_worker_heard_of_is_noticed() -> None:
    """The control channel may lose; sockets' auth sessions are looked up every so often."""
    with open_school("redis", CLASSWAVES_AUTH_CHECK="0.1") as school:
        client = school.connect(school.api.token("student"))
        assert school.redis
        with school.redis.client() as redis:
            (key,) = redis.keys("cw:auth:*")
            redis.delete(key)
        ends(client)
