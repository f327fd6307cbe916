"""What clients and sessions leave is freed with its last reference: what is old the garbage collector seldom sees."""

import json
import urllib.request
from collections import Counter

import pytest

from classwaves.client.wire import SyncWire
from tests.support.school import School, open_school
from tests.support.uncollected_app import UncollectedGunicorn
from tests.support.waiting import eventually


@pytest.mark.parametrize("store", ["memory", "redis"])
def test_who_has_gone_is_freed_without_the_garbage_collector(store: str) -> None:
    with open_school(store, server=UncollectedGunicorn, CLASSWAVES_DISCONNECT_GRACE="0.2") as school:
        lesson(school)  # what is made once is there
        before = eventually(lambda: held(school), what="an answer")
        for _ in range(5):
            lesson(school)

        def none_is_left() -> bool:
            assert not (more := held(school) - before), more
            return True

        eventually(none_is_left, 15, "the end of all of it")


def held(school: School) -> Counter[str]:
    with urllib.request.urlopen(school.url + "/held", timeout=10) as answer:
        return Counter(json.load(answer))


def lesson(school: School) -> None:
    """A session in which clients of each kind come, talk and go, with a goodbye or without."""
    code = school.session()
    for transport in ("websocket", "polling"):
        ann, bob = school.joined(code, "Ann", transport), school.joined(code, "Bob", transport)
        ann.say(code, "hello")
        bob.wait_for("messageReceived")
        ann.close()
        if transport == "websocket":  # one that polls is there until it has not answered a ping
            bob.wire.drop()
        else:
            bob.close()
    wire = SyncWire({}, lambda: None)  # which upgrades
    wire.connect(school.url, auth={"token": school.api.guest(code, "Cleo")}, wait_timeout=10)
    assert wire.call("joinSession", code, timeout=10)["ok"]
    wire.disconnect()
    school.api.step(school.teacher, code, "end")
    school.dismiss()
