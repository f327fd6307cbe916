"""Reading a session over REST has a rate of its own, for each user."""

import pytest
from flask.testing import FlaskClient

from tests.support.apps import API, AppFactory, headers_for
from tests.support.tabs import Classroom, open_classroom

MOST = 4
READS = ("participants", "groups", "messages", "transcript")


@pytest.fixture
def room(make_app: AppFactory) -> Classroom:
    made = open_classroom(make_app(CLASSWAVES_RATELIMIT_ENABLED=True, CLASSWAVES_READ_RATE=f"{MOST}/minute"))
    made.teacher()
    made.joined("Ada")
    return made


@pytest.fixture
def client(room: Classroom) -> FlaskClient:
    return room.app.test_client()


@pytest.mark.parametrize("what", READS)
def test_a_user_may_read_so_often_whatever_it_is(room: Classroom, client: FlaskClient, what: str) -> None:
    ada = headers_for(room.app, "Ada")
    for read in READS[:MOST]:
        assert client.get(f"{API}/sessions/{room.code}/{read}", headers=ada).status_code == 200
    refused = client.get(f"{API}/sessions/{room.code}/{what}", headers=headers_for(room.app, "Ada"))
    assert refused.status_code == 429, "with another login too"
    error = refused.get_json()["error"]
    assert error["code"] == "RATE_LIMIT"
    assert 0 < error["retryAfterMs"] <= 60_001
    grace = headers_for(room.app, "Grace", "teacher")
    assert client.get(f"{API}/sessions/{room.code}/{what}", headers=grace).status_code == 200, "another user may"


def test_sockets_are_not_kept_from_reading(room: Classroom, client: FlaskClient) -> None:
    ada = headers_for(room.app, "Ada")
    for _ in range(MOST + 1):
        client.get(f"{API}/sessions/{room.code}/messages", headers=ada)
    tab = room.joined("Ada")
    for _ in range(MOST + 1):
        assert tab.ask("fetchHistory", {"sessionCode": room.code})["ok"]
