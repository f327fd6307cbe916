"""How often an address and a user may connect, and how many sockets and downloads one user has at once."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.apps import API, AppFactory, headers_for, state_of
from tests.support.clients import Closed, RawClient
from tests.support.school import TRANSPORTS, School, open_school
from tests.support.tabs import Classroom, Tab, open_classroom
from tests.support.waiting import eventually

#: 1,000 is what is promised; fewer show the same, and each costs 10 ms.
STUDENTS = int(os.environ.get("CLASSWAVES_TEST_STUDENTS", "100"))
HANDSHAKE = "/socket.io/?EIO=4&transport=polling"
SCHOOL, HOME = "198.51.100.7", "203.0.113.9"


def limited(make_app: AppFactory, **limits: Any) -> Classroom:
    named = {f"CLASSWAVES_{name}": limit for name, limit in limits.items()}
    return open_classroom(make_app(CLASSWAVES_RATELIMIT_ENABLED=True, **named))


def told(room: Classroom, target: str, address: str = SCHOOL) -> Any:
    return room.app.test_client().get(target, environ_overrides={"REMOTE_ADDR": address})


def test_handshakes_have_a_limit_by_address(make_app: AppFactory) -> None:
    room = limited(make_app, HANDSHAKE_RATE="3/minute")
    assert [told(room, HANDSHAKE).status_code for _ in range(4)] == [200] * 3 + [429]
    refused = told(room, HANDSHAKE)
    error = refused.get_json()["error"]
    assert error["code"] == "RATE_LIMIT"
    assert error["retryAfterMs"] <= int(refused.headers["Retry-After"]) * 1000 < error["retryAfterMs"] + 1000
    assert told(room, HANDSHAKE, HOME).status_code == 200


def test_a_page_that_is_welcome_may_read_why_it_was_refused(make_app: AppFactory) -> None:
    room = limited(make_app, HANDSHAKE_RATE="1/minute", ORIGINS="https://shop.example")
    assert told(room, HANDSHAKE).status_code == 200
    answers = [
        room.app.test_client().get(HANDSHAKE, headers={"Origin": origin}, environ_overrides={"REMOTE_ADDR": SCHOOL})
        for origin in ("https://shop.example", "https://evil.example")
    ]
    assert [answer.status_code for answer in answers] == [429, 429]
    welcome, stranger = (answer.headers for answer in answers)
    assert welcome["Access-Control-Allow-Origin"] == "https://shop.example"
    assert "Retry-After" in welcome["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in stranger


def test_asking_whether_one_may_ask_is_no_handshake(make_app: AppFactory) -> None:
    """A page of another origin that sends a header of its own makes its browser ask first, each time."""
    room = limited(make_app, HANDSHAKE_RATE="2/minute", ORIGINS="https://shop.example")
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    for _ in range(4):
        answer = room.app.test_client().options(HANDSHAKE, headers=asked, environ_overrides={"REMOTE_ADDR": SCHOOL})
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert [told(room, HANDSHAKE).status_code for _ in range(3)] == [200, 200, 429]


def test_a_connection_without_a_name_is_a_new_one(make_app: AppFactory) -> None:
    room = limited(make_app, HANDSHAKE_RATE="1/minute")
    assert [told(room, f"{HANDSHAKE}&sid=").status_code for _ in range(2)][1] == 429


def test_connections_that_are_made_up_have_a_limit_by_address(make_app: AppFactory) -> None:
    """Each may cost a look at all workers. Who has a connection goes on."""
    room = limited(make_app, HANDSHAKE_RATE="3/minute")
    opened = told(room, HANDSHAKE)
    sid = opened.get_data(as_text=True).split('"sid":"')[1].split('"')[0]
    answers = [told(room, f"{HANDSHAKE}&sid=madeup{number}").status_code for number in range(5)]
    assert answers == [400] * 3 + [429] * 2
    assert told(room, f"{HANDSHAKE}&sid=madeup", HOME).status_code == 400
    posted = room.app.test_client().post(f"{HANDSHAKE}&sid={sid}", data="40", environ_overrides={"REMOTE_ADDR": SCHOOL})
    assert posted.status_code == 200


def test_a_user_has_so_many_sockets_at_once(make_app: AppFactory) -> None:
    room = limited(make_app, USER_CONNECTIONS="3")
    tabs = [room.tab("Ada") for _ in range(3)]
    assert all(tab.connected for tab in tabs)
    assert not room.tab("Ada").connected
    assert room.tab("Bob").connected
    tabs[0].vanish()
    assert room.tab("Ada").connected
    for tab in tabs[1:]:
        tab.vanish()
    eventually(lambda: len(state_of(room.app).limits.connections) == 2, what="places that are free again")


def test_an_address_has_so_many_sockets_at_once(make_app: AppFactory) -> None:
    """One pupil is as many guests as they like: all of them together leave room for other schools."""
    room = limited(make_app, ADDRESS_CONNECTIONS="3")
    tabs = [room.tab(name) for name in ("Ada", "Ben", "Cay")]
    assert all(tab.connected for tab in tabs)
    assert not room.tab("Dan").connected
    limits = state_of(room.app).limits
    limits.enter(HOME, "Eve")
    assert len(limits.connections) == 4, "who was refused keeps no place"
    tabs[0].vanish()
    assert room.tab("Dan").connected


def test_a_user_has_so_many_downloads_at_once(make_app: AppFactory) -> None:
    room = limited(make_app, USER_DOWNLOADS="2")
    client = room.app.test_client()

    def export(name: str = "Grace") -> Any:
        return client.get(f"{API}/sessions/{room.code}/export", headers=headers_for(room.app, name, "teacher"))

    answers = [export() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].get_json()["error"]["code"] == "CONNECTION_LIMIT"
    assert answers[2].headers["Retry-After"] == "1"
    answers[0].close()
    assert export().status_code == 200
    for answer in answers:
        answer.close()


@pytest.fixture(scope="module")
def running() -> Iterator[School]:
    with open_school(CLASSWAVES_RATELIMIT_ENABLED="1", CLASSWAVES_USER_CONNECTIONS="4") as school:
        yield school


@pytest.fixture
def school(running: School) -> Iterator[School]:
    yield running
    running.dismiss()


def test_a_whole_school_comes_in_from_one_address(school: School) -> None:
    """Guests join over REST, connect and join over their sockets, as at the bell; nobody is refused anything."""
    code = school.session()
    for number in range(STUDENTS):
        school.joined(code, f"Student {number}")
    last = school.joined(code, "Last")
    assert last.say(code, "we are all here")["ok"]
    participants = school.api.ok(
        "GET", f"/sessions/{code}/participants?limit=100&cursor={STUDENTS - 50}", school.teacher
    )
    assert len(participants["participants"]) == 51


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_who_has_too_many_sockets_is_closed_and_may_come_again(school: School, transport: str) -> None:
    token = school.api.guest(school.session(), "Ann")  # of nobody whose sockets may still be ending
    clients = [school.connect(token, transport) for _ in range(4)]
    with pytest.raises(Closed):
        school.connect(token, transport)
    clients[0].close()

    def connects() -> RawClient | None:
        try:
            return school.connect(token, transport)
        except Closed:
            return None

    assert eventually(connects, what="a free place")


def test_tokens_cannot_be_tried_for_ever(make_app: AppFactory) -> None:
    """Whoever is refused may show another one on the same connection, which costs no handshake."""
    room = limited(make_app, HANDSHAKE_RATE="3/minute")
    assert not any(Tab(room.app, "wrong").connected for _ in range(3))
    assert not room.tab("Ada").connected
    assert state_of(room.app).tally.rate_limited["handshake"] == 1
