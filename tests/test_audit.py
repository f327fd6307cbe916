"""The audit stream: who did what that not everybody may, in order, without names and texts, for as long as is set."""

import json
import logging
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from classwaves.audit import ACTS, Audit
from classwaves.cli import cli
from classwaves.errors import StoreUnavailable
from classwaves.features import FEATURES
from classwaves.store import MemoryStore
from classwaves.store.acts import Act
from classwaves.store.base import Store
from tests.support.apps import API, AppFactory, guest, headers_for, state_of
from tests.support.stores import LIMITS, LONG, ManualClock
from tests.support.stores import make_every_store as make_every_store
from tests.support.stores import store as store
from tests.support.tabs import Classroom, Tab, open_classroom

# the store


def test_acts_come_back_in_order(store: Store) -> None:
    acts = [Act("session.mode", who=f"u{number}", details={"number": number}) for number in range(5)]
    for act in acts:
        store.note_act(act, LONG)
    newest = store.acts("", 3)
    assert [noted.act for noted in newest] == acts[:1:-1]
    assert [noted.act for noted in store.acts(newest[-1].id, 3)] == acts[1::-1]
    oldest = store.acts_after("", 2)
    assert [noted.act for noted in oldest] == acts[:2]
    assert [noted.act for noted in store.acts_after(oldest[-1].id, 9)] == acts[2:]
    assert abs(oldest[0].time - store.now()) < 60_000


def test_an_act_with_a_name_is_written_down_once(store: Store) -> None:
    for who, once in [("a", "x"), ("b", "x"), ("c", "y"), ("d", ""), ("e", "")]:
        store.note_act(Act("session.mode", who=who), LONG, once)
    assert [noted.act.who for noted in store.acts_after("", 9)] == ["a", "c", "d", "e"]


def test_acts_go_when_they_are_old_enough() -> None:
    clock = ManualClock()
    memory = MemoryStore(LIMITS, clock)
    memory.note_act(Act("session.mode", who="old"), 60)
    clock.forward(59)
    memory.note_act(Act("session.mode", who="new"), 60)
    assert [noted.act.who for noted in memory.acts("", 9)] == ["new", "old"]
    clock.forward(2)
    memory.note_act(Act("session.mode", who="newest"), 60)
    assert [noted.act.who for noted in memory.acts("", 9)] == ["newest", "new"]


def test_old_acts_go_from_every_store(store: Store) -> None:
    store.note_act(Act("session.mode", who="kept"), 0)
    store.note_act(Act("session.mode", who="kept too"), LONG)
    assert len(store.acts("", 9)) == 2
    store.note_act(Act("session.mode", who="last"), -LONG)  # whatever is older than an hour from now
    assert [noted.act.who for noted in store.acts("", 9)] in ([], ["last"])


# what is written down


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def root(app: Flask) -> dict[str, str]:
    return headers_for(app, "Root", "admin")


@pytest.fixture
def room(app: Flask) -> Classroom:
    return open_classroom(app, waitingRoom=True)


def stream(app: Flask) -> list[dict[str, Any]]:
    """Return what an admin sees, oldest first."""
    answer = app.test_client().get(f"{API}/audit?limit=100", headers=headers_for(app, "Root", "admin"))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    acts: list[dict[str, Any]] = answer.get_json()["acts"]
    return acts[::-1]


def told(app: Flask) -> list[tuple[str, str | None, str | None]]:
    return [(act["what"], act["who"], act["target"]) for act in stream(app)]


def test_the_life_of_a_session(app: Flask, client: FlaskClient) -> None:
    room, grace = open_classroom(app), headers_for(app, "Grace", "teacher")
    room.step("start")
    settings = {"coTeacherIds": ["carol"], "rosterUserIds": ["ada", "bob"], "waitingRoom": True}
    body = {"title": "A secret title", "settings": settings}
    assert client.patch(f"{API}/sessions/{room.code}", json=body, headers=grace).status_code == 200
    assert client.get(f"{API}/sessions/{room.code}/export", headers=grace).status_code == 200
    made = client.post(f"{API}/sessions/{room.code}/transcriber", headers=grace).get_json()
    for step in ("pause", "resume", "end"):
        room.step(step)
    acts = stream(app)
    assert [act["what"] for act in acts] == [
        "session.created",
        "session.started",
        "session.changed",
        "session.exported",
        "token.transcriber",
        "session.paused",
        "session.started",
        "session.ended",
    ]
    assert {(act["who"], act["sessionCode"], act["via"]) for act in acts} == {("grace", room.code, "rest")}
    assert all(len(act["traceId"]) == 32 for act in acts)
    changed = {"coTeacherIds": ["carol"], "rosterUserIds": 2, "waitingRoom": True}
    assert acts[2]["details"] == {"settings": changed, "title": "changed"}
    assert acts[4]["target"] == made["user"]["userId"]
    assert "secret" not in json.dumps(acts)


def test_what_staff_do_over_a_socket(app: Flask, room: Classroom) -> None:
    teacher, ada = room.teacher(), room.joined("Ada")
    message = ada.say(room.code, "a secret")["messageId"]
    token, gus = guest(app.test_client(), room.code, "Gus")
    Tab(app, token).ask("joinSession", room.code)
    about = {"sessionCode": room.code}
    for event, body in [
        ("deleteMessage", {"messageId": message}),
        ("muteParticipant", {"userId": "ada", "muted": True}),
        ("setSessionMode", {"mode": "quiz"}),
        ("admitParticipant", {"userId": gus["userId"], "admitted": False}),
        ("admitParticipant", {"userId": gus["userId"], "admitted": False}),  # which changes nothing
        ("removeParticipant", {"userId": "ada"}),
    ]:
        assert teacher.ask(event, {**about, **body})["ok"]
    assert told(app)[1:] == [
        ("message.deleted", "grace", message),
        ("participant.muted", "grace", "ada"),
        ("session.mode", "grace", None),
        ("participant.admitted", "grace", gus["userId"]),
        ("participant.removed", "grace", "ada"),
    ]
    acts = stream(app)[1:]
    assert {act["via"] for act in acts} == {"socket"}
    assert [act["details"] for act in acts[1:4]] == [
        {"muted": True, "seq": acts[1]["details"]["seq"]},
        {"mode": "quiz", "seq": acts[2]["details"]["seq"]},
        {"admitted": False, "seq": acts[3]["details"]["seq"]},
    ]


def test_a_repeated_event_is_one_act(app: Flask, room: Classroom) -> None:
    teacher = room.teacher()
    for _ in range(2):
        ack = teacher.ask("setSessionMode", {"sessionCode": room.code, "mode": "focus", "clientMessageId": "k"})
        assert ack["ok"]
    assert [what for what, _, _ in told(app)] == ["session.created", "session.mode"]


def test_what_is_refused_is_no_act(app: Flask, room: Classroom) -> None:
    ada = room.joined("Ada")
    ada.refused("setSessionMode", {"sessionCode": room.code, "mode": "quiz"})
    ada.ask("lowerHand", {"sessionCode": room.code})
    assert [what for what, _, _ in told(app)] == ["session.created"]


def test_a_change_that_changes_nothing_is_no_act(app: Flask, client: FlaskClient, room: Classroom) -> None:
    grace = headers_for(app, "Grace", "teacher")
    for body in ({}, {"settings": {"waitingRoom": True}}, {"settings": {"waitingRoom": False}}):
        assert client.patch(f"{API}/sessions/{room.code}", json=body, headers=grace).status_code == 200
    assert [act["details"] for act in stream(app)[1:]] == [{"settings": {"waitingRoom": False}}]


def test_what_becomes_of_users(app: Flask, client: FlaskClient, root: dict[str, str]) -> None:
    ada = headers_for(app, "Ada")
    assert client.get(f"{API}/users/ada/data", headers=ada).status_code == 200
    assert client.get(f"{API}/users/ada/data", headers=headers_for(app, "Bob")).status_code == 403
    assert client.delete(f"{API}/users/ada/data", headers=root).status_code == 200
    assert told(app) == [
        ("user.exported", "ada", "ada"),
        ("access.refused", "bob", None),
        ("user.erased", "root", "ada"),
    ]
    route = "/api/v1/users/<path:user_id>/data"
    assert stream(app)[1]["details"] == {"route": f"GET {route}"}


def test_an_erase_that_is_broken_off_is_an_act_too(
    app: Flask, client: FlaskClient, root: dict[str, str], room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any) -> int:
        raise StoreUnavailable

    monkeypatch.setattr(state_of(app).store, "rewrite", away)
    assert client.delete(f"{API}/users/ada/data", headers=root).status_code == 503
    monkeypatch.undo()
    assert client.delete(f"{API}/users/ada/data", headers=root).status_code == 200
    acts = stream(app)[1:]
    assert [(act["what"], act["target"], act["details"]) for act in acts] == [
        ("user.erased", "ada", {"complete": False}),
        ("user.erased", "ada", {}),
    ]


def test_only_admins_read_the_stream(app: Flask, client: FlaskClient) -> None:
    for name, role in (("Grace", "teacher"), ("Ada", "student")):
        answer = client.get(f"{API}/audit", headers=headers_for(app, name, role))
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "FORBIDDEN")
    assert client.get(f"{API}/audit").status_code == 401
    assert told(app) == [("access.refused", "grace", None), ("access.refused", "ada", None)]


def test_pages_and_the_whole_stream(app: Flask, client: FlaskClient, root: dict[str, str]) -> None:
    audit = state_of(app).hub.audit
    for number in range(5):
        audit.note("session.mode", f"u{number}")
    seen: list[str] = []
    path: str | None = f"{API}/audit?limit=2"
    while path:
        page = client.get(path, headers=root).get_json()
        seen += [act["who"] for act in page["acts"]]
        path = f"{API}/audit?limit=2&cursor={page['nextCursor']}" if page["nextCursor"] else None
    assert seen == ["u4", "u3", "u2", "u1", "u0"]
    answer = client.get(f"{API}/audit?format=jsonl", headers=root)
    assert answer.content_type == "application/x-ndjson"
    lines = [json.loads(text) for text in answer.get_data(as_text=True).splitlines()]
    assert [act["who"] for act in lines] == ["u0", "u1", "u2", "u3", "u4", "root"]
    assert lines[-1]["what"] == "audit.exported"
    for wrong in ("cursor=now", "cursor=1-2-3", "limit=0", "limit=101", "format=csv"):
        assert client.get(f"{API}/audit?{wrong}", headers=root).status_code == 422


def test_a_store_that_is_away_puts_the_act_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Away(MemoryStore):
        def note_act(self, act: Act, seconds: float, once: str = "") -> None:
            raise StoreUnavailable

    Audit(Away(LIMITS), LONG).note("user.blocked", "root", target="ada")
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert '"what":"user.blocked","who":"root"' in record.getMessage()


def test_nothing_is_written_down_that_is_not_in_the_table(app: Flask) -> None:
    with pytest.raises(KeyError):
        state_of(app).hub.audit.note("something.else")
    audited = {event.audits for feature in FEATURES for event in feature.events if event.audits}
    assert audited <= set(ACTS)
    assert len(audited) == 6


def test_what_an_operator_does_in_a_shell(make_app: AppFactory, redis_url: str) -> None:
    app = make_app(REDIS_URL=redis_url, CLASSWAVES_ARCHIVE_URL="none")

    def run(*arguments: str) -> str:
        ran = app.test_cli_runner().invoke(cli, list(arguments))
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    run("create-user", "ada", "--password", "a secret, of course")
    run("set-role", "ada", "teacher")
    run("token", "ada")
    run("block-user", "ada")
    run("unblock-user", "ada")
    run("erase-user", "somebody", "--yes")
    run("audit")
    lines = [json.loads(text) for text in run("audit").splitlines()]
    assert [act["what"] for act in lines] == [
        "account.created",
        "user.role",
        "token.issued",
        "user.blocked",
        "user.unblocked",
        "user.erased",
        "audit.exported",
        "audit.exported",
    ]
    assert {(act["via"], act["who"]) for act in lines} == {("shell", None)}
    assert len({act["target"] for act in lines[:5]}) == 1
    assert "secret" not in json.dumps(lines)


def test_an_export_in_a_shell_that_is_broken_off_is_an_act(
    make_app: AppFactory, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most of it may be out by then."""
    app = make_app(REDIS_URL=redis_url, CLASSWAVES_ARCHIVE_URL="none")
    room = open_classroom(app)

    def broken_off(*args: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("classwaves.cli.personal._write", broken_off)
    for arguments in (["export", room.code], ["export-user", "ada"]):
        assert app.test_cli_runner().invoke(cli, arguments).exit_code != 0
    assert [act["what"] for act in stream(app)[1:]] == ["session.exported", "user.exported"]
