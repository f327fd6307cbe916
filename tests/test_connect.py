"""Who may connect, and what those are told who may not; over both transports of a real server."""

import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from tests.support.clients import Closed, RawClient
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.school import TRANSPORTS, School, open_school
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("connect")

KEY = TEST_KEYS["JWT_SECRET_KEY"]
REQUIRED = ("AUTH_REQUIRED", "Authentication required")
INVALID = ("INVALID_TOKEN", "Invalid authentication token")
EXPIRED = ("TOKEN_EXPIRED", "Invalid authentication token")
GONE = ("SESSION_EXPIRED", "Session expired")


@pytest.fixture(scope="module")
def running() -> Iterator[School]:
    with open_school() as school:
        yield school


@pytest.fixture
def school(running: School) -> Iterator[School]:
    yield running
    running.dismiss()


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def altered(token: str, claims: dict[str, Any], key: str = KEY) -> str:
    """Return a token of ours with other claims (``None``: without), signed by us or by somebody else."""
    merged = {**jwt.decode(token, KEY, algorithms=["HS256"]), **claims}
    return jwt.encode({name: value for name, value in merged.items() if value is not None}, key, "HS256")


def refused(school: School, transport: str, expected: tuple[str, str], **how: Any) -> None:
    """See that a connection is refused with ``connect_error`` in the contract's shape, and nothing else."""
    client = school.connect(transport=transport, **how)
    code, message = expected
    assert client.refusal["message"] == message
    data = client.refusal["data"]
    assert set(data) == {"code", "message"}
    assert data["code"] == code
    assert data["message"]


def accepted(client: RawClient) -> None:
    assert client.refusal is None
    assert client.ask("no such thing")["error"]["code"] == "UNKNOWN_EVENT"


def test_a_token_in_auth_connects(school: School, transport: str) -> None:
    accepted(school.connect(school.teacher, transport))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
@pytest.mark.parametrize("auth", [None, {}, {"token": None}, {"token": ""}], ids=json.dumps)
def test_a_token_in_the_header_connects(school: School, transport: str, scheme: str, auth: Any) -> None:
    headers = {"Authorization": f"{scheme} {school.teacher}"}
    accepted(school.connect(transport=transport, headers=headers, auth=auth))


def test_auth_wins_over_the_header(school: School, transport: str) -> None:
    bad = {"Authorization": "Bearer nonsense"}
    accepted(school.connect(school.teacher, transport, headers=bad))
    good = {"Authorization": f"Bearer {school.teacher}"}
    refused(school, transport, INVALID, token="nonsense", headers=good)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"auth": {}},
        {"auth": {"token": None}},
        {"auth": {"token": ""}},
        {"auth": "a.b.c"},
        {"auth": ["a.b.c"]},
        {"auth": 7},
        {"auth": {"Token": "a.b.c"}},
        {"headers": {"Authorization": "Basic dXNlcjpwYXNz"}},
        {"headers": {"Authorization": "Bearer"}},
        {"headers": {"Authorization": "Bearer  "}},
    ],
    ids=json.dumps,
)
def test_without_a_token(school: School, transport: str, how: dict[str, Any]) -> None:
    refused(school, transport, REQUIRED, **how)


def test_a_token_in_the_address_is_none(school: School) -> None:
    """It would end up in the logs of every proxy."""
    client = school.connect(query=f"&token={school.teacher}")
    assert client.refusal["data"]["code"] == "AUTH_REQUIRED"


@pytest.mark.parametrize(
    "token", ["nonsense", "a.b.c", "..", "ä", "\ud800", "\0", "x" * 5000, 7, True, ["a.b.c"], {"a": 1}], ids=ascii
)
def test_what_is_no_token(school: School, transport: str, token: Any) -> None:
    refused(school, transport, INVALID, auth={"token": token})


def test_an_expired_token(school: School, transport: str) -> None:
    refused(school, transport, EXPIRED, token=altered(school.teacher, {"exp": int(time.time()) - 30}))


def test_a_token_signed_with_another_key(school: School, transport: str) -> None:
    refused(school, transport, INVALID, token=altered(school.teacher, {}, key="another-key" * 5))


def test_an_unsigned_token(school: School, transport: str) -> None:
    claims = jwt.decode(school.teacher, KEY, algorithms=["HS256"])
    refused(school, transport, INVALID, token=jwt.encode(claims, "", algorithm="none"))


@pytest.mark.parametrize("claim", ["sub", "sid", "jti", "exp"])
def test_a_token_that_lacks_a_claim(school: School, transport: str, claim: str) -> None:
    refused(school, transport, INVALID, token=altered(school.teacher, {claim: None}))


def test_a_token_of_somebody_elses_auth_session(school: School, transport: str) -> None:
    refused(school, transport, INVALID, token=altered(school.teacher, {"sub": "demo-student"}))


def test_a_token_of_an_auth_session_that_never_was(school: School, transport: str) -> None:
    refused(school, transport, GONE, token=altered(school.teacher, {"sid": "nobody"}))


def test_a_refresh_token(school: School, transport: str) -> None:
    refused(school, transport, INVALID, token=school.api.login("student")["refreshToken"])


def test_a_token_of_who_has_logged_out(school: School, transport: str) -> None:
    token = school.api.token("student")
    school.api.ok("POST", "/auth/logout", token)
    refused(school, transport, GONE, token=token)


def test_a_role_in_the_token_is_not_believed(school: School) -> None:
    """Who somebody is, the auth session says; a signed token with another role does not make a teacher."""
    code = school.session()
    client = school.connect(altered(school.api.token("student"), {"role": "admin"}))
    joined = client.join(code)
    assert joined["self"]["role"] == "student"


def test_after_a_refusal_the_same_connection_may_try_again(school: School, transport: str) -> None:
    client = school.connect("nonsense", transport)
    assert client.refusal
    client.wire.send("40" + json.dumps({"token": school.teacher}))
    assert client.wire.receive().startswith('40{"sid":')
    assert client.ask("no such thing")["error"]["code"] == "UNKNOWN_EVENT"


def test_an_event_before_the_connect_is_not_answered_and_harms_nobody(school: School) -> None:
    code = school.session()
    witness = school.joined(code)
    client = school.connect("nonsense")
    client.tell("joinSession", code)
    client.tell("sendMessage", {"sessionCode": code, "message": "let me in"})
    witness.say(code, "marker")
    assert [name for name, _ in witness.take()] == ["sessionJoined", "messageReceived"]


def test_what_is_no_packet_before_the_connect_ends_the_connection(school: School, transport: str) -> None:
    client = school.connect("nonsense", transport)
    with pytest.raises(Closed):
        client.wire.send("4abc")
        client.wire.receive()


def test_a_second_connect_on_the_same_connection_changes_nothing(school: School, transport: str) -> None:
    code = school.session()
    client = school.joined(code, transport=transport)
    client.wire.send("40" + json.dumps({"token": school.teacher}))
    assert client.wire.receive().startswith("44")
    client.say(code, "still the same guest")
    assert client.wait_for("messageReceived")["displayName"] == "Ann"


def test_who_disconnected_may_connect_again_on_the_same_connection(school: School, transport: str) -> None:
    code = school.session()
    token = school.api.guest(code, "Ann")
    client = school.connect(token, transport)
    client.join(code)
    client.wire.send("41")
    client.wire.send("40" + json.dumps({"token": token}))
    assert client.wire.receive().startswith('40{"sid":')
    late = {"sessionCode": code, "message": "not joined"}
    assert client.ask("sendMessage", late)["error"]["code"] == "NOT_IN_SESSION"
    client.join(code)
    client.say(code, "hello again")


def test_too_many_attempts_close_the_transport_so_that_the_client_comes_back() -> None:
    with open_school(CLASSWAVES_RATELIMIT_ENABLED="1", CLASSWAVES_CONNECT_RATE="3/minute") as school:
        tokens = {"websocket": school.teacher, "polling": school.api.token("student")}
        for transport, token in tokens.items():
            for _ in range(3):
                accepted(school.connect(token, transport))
        for transport, token in tokens.items():
            with pytest.raises(Closed):
                school.connect(token, transport)


def test_a_full_worker_refuses_the_handshake_with_429() -> None:
    with open_school(CLASSWAVES_MAX_CONNECTIONS="2") as school:
        full = [school.connect(school.teacher, transport) for transport in TRANSPORTS]
        for transport in TRANSPORTS:
            with pytest.raises(urllib.error.HTTPError) as refusal:
                urllib.request.urlopen(f"{school.url}/socket.io/?EIO=4&transport={transport}")
            with refusal.value as answer:
                assert answer.code == 429
                assert int(answer.headers["Retry-After"]) > 0
                assert json.loads(answer.read())["error"]["code"] == "CONNECTION_LIMIT"

        def connects() -> bool:
            with contextlib.suppress(Closed):
                return school.connect(school.teacher, "polling").refusal is None
            return False

        for client in full:
            client.close()
            eventually(connects, timeout=5, what="a place for the next")
