"""Who tries codes over a socket is slowed down as over REST: a login by its user, guests by their address."""

import pytest

from classwaves.connections import Connection
from classwaves.models import AuthSession, Principal
from classwaves.store import MemoryStore
from tests.support.apps import AppFactory
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.stores import LIMITS, new_session
from tests.support.tabs import Classroom, Tab, open_classroom

MOST = 5
#: A code that no session has, as none has been made with a chance to get it.
WRONG = "222222"


@pytest.fixture
def room(make_app: AppFactory) -> Classroom:
    return open_classroom(make_app(CLASSWAVES_RATELIMIT_ENABLED=True, CLASSWAVES_GUESS_RATE=f"{MOST}/minute"))


def miss(tab: Tab, code: str = WRONG) -> str:
    """Try to join a session that there is not, and return why not."""
    return str(tab.refused("joinSession", code)["code"])


def test_a_user_may_miss_so_often_and_no_more(room: Classroom) -> None:
    ada = room.tab("Ada")
    assert [miss(ada) for _ in range(MOST)] == ["SESSION_NOT_FOUND"] * MOST
    error = ada.refused("joinSession", WRONG)
    assert error["code"] == "RATE_LIMIT"
    assert 0 < error["retryAfterMs"] <= 60_001
    assert miss(room.tab("Ada")) == "RATE_LIMIT", "on another socket too"
    assert miss(room.tab("Bob")) == "SESSION_NOT_FOUND", "another user has an own count"


@pytest.mark.parametrize("code", ["no code", "ABCDEO", "222222"])
def test_whatever_is_taken_for_a_code_counts(room: Classroom, code: str) -> None:
    ada = room.tab("Ada")
    for _ in range(MOST):
        miss(ada, code)
    assert miss(ada) == "RATE_LIMIT"


def test_other_events_guess_as_well(room: Classroom) -> None:
    ada = room.tab("Ada")
    for _ in range(MOST):
        assert ada.refused("sendMessage", {"sessionCode": WRONG, "message": "hi"})["code"] == "SESSION_NOT_FOUND"
    assert miss(ada) == "RATE_LIMIT"


def test_joins_of_sessions_that_there_are_do_not_count(room: Classroom) -> None:
    ada = room.tab("Ada")
    for _ in range(MOST * 2):
        ada.join(room.code)
    assert [miss(ada) for _ in range(MOST)] == ["SESSION_NOT_FOUND"] * MOST
    assert miss(ada) == "RATE_LIMIT"
    ada.join(room.code)


def test_guests_of_one_address_have_one_count(room: Classroom) -> None:
    ann, ben = room.guest("Ann"), room.guest("Ben")
    told = [miss((ann, ben)[number % 2]) for number in range(MOST)]
    assert told == ["SESSION_NOT_FOUND"] * MOST
    assert [miss(ann), miss(ben)] == ["RATE_LIMIT"] * 2
    assert miss(room.tab("Ada")) == "SESSION_NOT_FOUND", "a login there has its own"
    ann.join(room.code)


def test_who_is_over_the_limit_is_not_told_which_codes_there_are(room: Classroom) -> None:
    ada, gus = room.joined("Ada"), room.guest("Gus")
    other = open_classroom(room.app).code
    for tab in (ada, gus):
        while miss(tab) != "RATE_LIMIT":
            pass
        assert tab.refused("joinSession", other)["code"] == "RATE_LIMIT"
        assert tab.refused("sendMessage", {"sessionCode": other, "message": "hi"})["code"] == "RATE_LIMIT"
    ada.join(room.code)
    ada.say(room.code, "here I am")
    gus.join(room.code)
    gus.say(room.code, "me too")
    other_room = Classroom(room.app, other)
    other_room.joined("Bob").say(other, "nothing has happened to others")


def test_guests_of_another_address_have_another_count(workers: list[Worker]) -> None:
    workers.append(Worker(MemoryStore(LIMITS), RATELIMIT_ENABLED=True, GUESS_RATE=f"{MOST}/minute"))
    (worker,) = workers
    session = new_session(worker.store)

    def guest(name: str, address: str) -> Connection:
        auth = AuthSession(f"login of {name}", name, name.title(), "student", guest_of=session.id)
        return Connection(name, name, Principal(auth, float("inf")), address)

    def code(who: Connection) -> str:
        return str(worker.send(who, "joinSession", WRONG)["error"]["code"])

    ann, ben, cyd = guest("ann", "192.0.2.1"), guest("ben", "192.0.2.1"), guest("cyd", "192.0.2.2")
    assert [code(ann) for _ in range(MOST)] == ["SESSION_NOT_FOUND"] * MOST
    assert code(ben) == "RATE_LIMIT"
    assert code(cyd) == "SESSION_NOT_FOUND"
