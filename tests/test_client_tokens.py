"""classwaves.client, whose tokens end: renewed, refused, lost with their login."""

import asyncio
import math
import threading
import time
from collections.abc import Iterator

import jwt
import pytest

from classwaves.client import ClassWavesError
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.python_clients import KINDS, Clients
from tests.support.school import School, open_school
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("client tokens")

KEY = TEST_KEYS["JWT_SECRET_KEY"]


def lasting(token: str, seconds: float) -> str:
    """The same token, which ends in so many seconds from now, or up to one more: times in tokens are whole."""
    claims = {**jwt.decode(token, KEY, algorithms=["HS256"]), "exp": math.ceil(time.time() + seconds)}
    return jwt.encode(claims, KEY, "HS256")


@pytest.fixture(scope="module")
def school() -> Iterator[School]:
    with open_school(CLASSWAVES_JWT_LEEWAY="0") as school:
        yield school


@pytest.fixture(params=KINDS)
def clients(request: pytest.FixtureRequest) -> Iterator[Clients]:
    clients = Clients(request.param)
    yield clients
    clients.close()


def test_a_token_is_renewed_over_the_same_connection(school: School, clients: Clients) -> None:
    """The server is told of it: the login of the first token may end, and the connection stays."""
    first = lasting(school.api.token("teacher"), 30)  # soon enough for the server to say so at once
    client = clients.new(school.url, first, refresh=lambda: school.teacher).connect()
    room = client.join(school.session())
    eventually(lambda: client.client._core._token == school.teacher, what="another token")
    assert room.send("behind the word of it")["ok"]
    assert school.api.call("POST", "/auth/logout", first)[0] == 204
    assert room.send("still here")["ok"]
    assert client.client._core.connection == 1
    assert [event.name for event in room.events()] == ["messageReceived"] * 2


def test_a_refused_token_is_renewed_after_some_attempts(school: School, clients: Clients) -> None:
    attempts: list[int] = []

    def refresh() -> str:
        attempts.append(1)
        if len(attempts) < 3:
            raise OSError("the token's giver is away")
        return school.teacher

    client = clients.new(school.url, lasting(school.teacher, -10), refresh=refresh).connect()
    assert client.join(school.session()).send("hello")["ok"]
    assert len(attempts) == 3


def test_the_end_of_a_token_that_nobody_renews(school: School, clients: Clients) -> None:
    """Whatever the client is at by then: on a busy machine it may not even be connected."""
    client = clients.new(school.url, lasting(school.teacher, 1))
    room = client.room(school.session())
    with pytest.raises(ClassWavesError, match="TOKEN_EXPIRED"):
        client.connect()
        room.join()
        list(room.events(20))
    with pytest.raises(ClassWavesError, match="TOKEN_EXPIRED"):
        room.send("late")


def test_a_login_that_was_ended_is_made_again(school: School, clients: Clients) -> None:
    client = clients.teacher(school.url)
    room = client.join(school.session())
    room.send("before")
    school.api.call("POST", "/auth/logout", client.client._core._token)
    room.next("resumed")
    assert room.send("after")["ok"]
    assert [one["message"] for one in room.messages()] == ["before", "after"]


def test_a_refused_token_that_was_just_got_is_final(school: School, clients: Clients) -> None:
    client = clients.new(school.url, refresh=lambda: "no token")
    with pytest.raises(ClassWavesError, match="INVALID_TOKEN"):
        client.connect()


def test_a_refresh_that_gives_nothing_is_final(school: School, clients: Clients) -> None:
    asked: list[int] = []
    client = clients.new(school.url, lasting(school.teacher, -10), refresh=lambda: asked.append(1))
    with pytest.raises(ClassWavesError, match="AUTH_REQUIRED"):
        client.connect()
    assert asked == [1]


def test_closing_does_not_wait_for_a_refresh(school: School) -> None:
    """It may hang for ever."""
    client, asked = Clients("asyncio"), threading.Event()

    async def hang() -> str:
        asked.set()
        await asyncio.Event().wait()
        return ""

    room = client.new(school.url, lasting(school.teacher, 30), refresh=hang).connect()
    assert asked.wait(10)
    room.run(room.client.close())
    assert not room.client._tasks
    client.close()


def test_a_wrong_password_is_final(school: School, clients: Clients) -> None:
    with pytest.raises(ClassWavesError, match="INVALID_CREDENTIALS"):
        clients.make(lambda kind: kind.login(school.url, "teacher", "wrong")).connect()
