"""Presence on a real server: two workers where the store allows, and connections that end without a word."""

from collections.abc import Iterator

import pytest

from tests.support.clients import RawClient
from tests.support.school import STORES, School, open_school

pytestmark = pytest.mark.xdist_group("presence-servers")


@pytest.fixture(scope="module", params=STORES)
def running(request: pytest.FixtureRequest) -> Iterator[School]:
    with open_school(
        request.param,
        WEB_CONCURRENCY="2",
        CLASSWAVES_DISCONNECT_GRACE="4",  # within which a client must be able to come back, also on a busy machine
        CLASSWAVES_LEFT_AFTER="0.3",
        CLASSWAVES_RENEW="0.2",
    ) as school:
        yield school


@pytest.fixture
def school(running: School) -> Iterator[School]:
    yield running
    running.dismiss()


def statuses(witness: RawClient, name: str) -> list[str]:
    """Return what a witness has heard so far of somebody's presence, in order."""
    said = [data for event, data in witness.inbox if event == "presenceUpdated"]
    return [data["status"] for data in said if data["displayName"] == name]


def come_and_go(school: School, code: str, name: str) -> None:
    """Come ten times, each time within the grace."""
    token = school.api.guest(code, name)
    for _ in range(10):
        client = school.connect(token)
        client.join(code)
        client.wire.drop()
    school.connect(token).join(code)


def test_a_participant_comes_fades_and_has_left_and_who_is_back_within_the_grace_shows_nothing(school: School) -> None:
    code = school.session()
    witness = school.joined(code, "Witness")
    come_and_go(school, code, "Ben")
    token = school.api.guest(code, "Ann")
    tabs = [school.connect(token) for _ in range(4)]
    for tab in tabs:
        tab.join(code)
    for tab in tabs:
        assert tab.ask("updatePresence", {"sessionCode": code, "status": "idle"})["ok"]
    for tab in tabs[1:]:
        tab.wire.drop()
    assert tabs[0].ask("updatePresence", {"sessionCode": code, "status": "away"})["ok"]
    witness.wait_for("presenceUpdated", status="away")
    tabs[0].wire.drop()
    witness.wait_for("presenceUpdated", status="left")
    assert statuses(witness, "Ann") == ["active", "idle", "away", "disconnected", "left"]
    assert [one["displayName"] for one in witness.join(code)["participants"]] == ["Witness", "Ben"]
    assert statuses(tabs[0], "Ann") == []
    assert statuses(witness, "Ben") == ["active"], "his graces are over, as they began before Ann's"
