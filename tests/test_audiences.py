"""An event reaches those that it is addressed to, at once and in ``missed``; a feature of the test's own sends it."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from marshmallow import fields

from classwaves import ClassWaves
from classwaves.events import Context, Feature
from classwaves.features import FEATURES
from classwaves.payloads import EventSchema, client_message_id, session_code
from tests.support.apps import state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.tabs import Classroom, open_classroom

PEOPLE = {"Grace": "teacher", "Carol": "teacher", "Root": "admin", "Ada": "student", "Bob": "student"}
WHO_HEARS = {
    ("all", ()): {"Grace", "Carol", "Root", "Ada", "Bob"},
    ("staff", ()): {"Grace", "Carol", "Root"},
    ("user", ("ada",)): {"Ada"},
    ("user", ("ada", "bob")): {"Ada", "Bob"},
    ("user", ()): set(),
    ("group", ("bob",)): {"Grace", "Carol", "Root", "Bob"},
    ("none", ()): set(),
}

probe = Feature("probe")


class ProbeSchema(EventSchema):
    sessionCode = session_code()
    audience = fields.String(required=True)
    members = fields.List(fields.String(), required=True)
    clientMessageId = client_message_id()


@probe.event("probe", schema=ProbeSchema, allow="participant")
def publish_probe(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    payload = {"audience": data["audience"], "members": data["members"]}
    return context.publish("probed", payload, audience=data["audience"], members=data["members"], id_field="probeId")


@pytest.fixture
def classroom() -> Iterator[Classroom]:
    app = Flask("shop")
    app.config.update(TEST_KEYS, CLASSWAVES_RATELIMIT_ENABLED=False)
    ClassWaves(app, features=(*FEATURES, probe))
    yield open_classroom(app, coTeacherIds=["carol"])
    state_of(app).close()


def test_each_hears_at_once_and_in_missed_what_is_for_them(classroom: Classroom) -> None:
    tabs = {name: classroom.tab(name, role) for name, role in PEOPLE.items()}
    positions = {name: tab.join(classroom.code) for name, tab in tabs.items()}
    for tab in tabs.values():
        tab.take()
    for audience, members in WHO_HEARS:
        probing = {"sessionCode": classroom.code, "audience": audience, "members": list(members)}
        assert tabs["Ada"].ask("probe", probing)["ok"]
    for name, tab in tabs.items():
        heard = tab.take()
        mine = [key for key, names in WHO_HEARS.items() if name in names]
        assert [(data["audience"], tuple(data["members"])) for _, data in heard] == mine, name
        resume = {"sinceSeq": positions[name]["seq"], "epoch": positions[name]["epoch"]}
        back = tab.join(classroom.code, resume)
        assert back["recovered"] is True
        assert [(item["event"], item["data"]) for item in back["missed"]] == heard, name


def test_a_repeated_event_of_a_shop_is_published_once(classroom: Classroom) -> None:
    tab = classroom.joined("Ada")
    probing = {"sessionCode": classroom.code, "audience": "all", "members": [], "clientMessageId": "p1"}
    first = tab.ask("probe", probing)
    assert tab.ask("probe", probing) == first
    assert tab.take_only("probed")["probeId"] == first["probeId"]
