"""What an operator sees of sessions and workers in a shell: lists, a live view, a replay."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from classwaves.cli import cli
from classwaves.cli.tail import following
from classwaves.features.groups import Group
from classwaves.models import Draft, Entry
from classwaves.replica import FOLD_VERSION, Replica
from classwaves.store import open_store
from classwaves.store.base import Checkpoint, Seat
from tests.support import processes
from tests.support.apps import AppFactory, headers_for, new_session, state_of, step
from tests.support.gunicorn_server import ROOT, TEST_KEYS
from tests.support.redis_server import RedisServer


@pytest.fixture
def app(make_app: AppFactory, redis_url: str) -> Flask:
    return make_app(REDIS_URL=redis_url, CLASSWAVES_ARCHIVE_URL="none")


@pytest.fixture
def code(app: Flask) -> str:
    """Return the code of a session of Ada's that is active and in which something was said."""
    client, ada = app.test_client(), headers_for(app, "Ada", "teacher")
    code = new_session(client, ada)
    step(client, ada, code, "start")
    say(app, code, "the answer is 42")
    return code


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(cli, list(arguments))


def printed(app: Flask, *arguments: str) -> Any:
    """What a command prints, as JSON; it must be fine."""
    ran = run(app, *arguments)
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def id_of(app: Flask, code: str) -> str:
    session_id = state_of(app).store.session_id(code)
    assert session_id
    return session_id


def say(app: Flask, code: str, text: str) -> None:
    draft = Draft("messageReceived", {"userId": "ben", "displayName": "Ben", "message": text, "type": "text"}, "ben")
    state_of(app).store.append(id_of(app, code), [draft], dedupe=f"test:{text}")


def sit_down(app: Flask, code: str, user: str, worker: str) -> None:
    store = state_of(app).store
    store.renew(worker, 30)
    store.serve(worker, id_of(app, code))
    seat = Seat(user, f"{worker}:socket of {user}")
    store.join(id_of(app, code), seat, display_name=user.title(), role="student", fences={}, capacity=None)


def test_sessions_are_listed_with_who_is_there_and_who_serves_them(app: Flask, code: str) -> None:
    sit_down(app, code, "ben", "one")
    sit_down(app, code, "cleo", "two")
    state_of(app).store.renew("dead", -5)
    ended = new_session(app.test_client(), headers_for(app, "Ada", "teacher"))
    step(app.test_client(), headers_for(app, "Ada", "teacher"), ended, "end")

    newest, oldest = printed(app, "sessions", "--json")
    assert (newest["code"], newest["status"], newest["connected"], newest["workers"]) == (ended, "ended", 0, [])
    assert (oldest["code"], oldest["connected"], oldest["workers"]) == (code, 2, ["one", "two"])
    assert oldest["seq"] == 5
    assert [one["code"] for one in printed(app, "sessions", "--status", "active", "--json")] == [code]
    assert len(printed(app, "sessions", "--limit", "1", "--json")) == 1
    lines = run(app, "sessions").output.splitlines()
    assert lines[0].split() == ["code", "status", "connected", "workers", "seq", "age"]
    assert lines[2].split()[:6] == [code, "active", "2", "one", "two", "5"]


def test_workers_are_listed_with_their_leases(app: Flask, code: str) -> None:
    sit_down(app, code, "ben", "one")
    state_of(app).store.renew("dead", -90)
    dead, one = printed(app, "workers", "--json")
    assert (one["worker"], one["sessions"]) == ("one", [id_of(app, code)])
    assert 0 < one["leaseSeconds"] <= 30
    assert dead["leaseSeconds"] < 0
    assert "ended 1m ago" in run(app, "workers").output


def test_events_are_listed_as_the_registry_has_them(app: Flask) -> None:
    found = {event["event"]: event for event in printed(app, "events", "--json")}
    assert set(found) == set(state_of(app).pipeline.events)
    message = found["sendMessage"]
    assert (message["allow"], message["stored"], message["payload"]["clientMessageId"]) == ("speaker", True, False)
    assert not found["typing"]["stored"]
    assert "sendMessage" in run(app, "events").output


def test_a_tail_hides_names_and_texts_unless_it_is_asked_for_them(app: Flask, code: str) -> None:
    hidden = run(app, "tail", code.lower(), "-n", "2")
    assert hidden.exit_code == 0
    first, last = hidden.output.splitlines()
    assert "sessionStatusChanged" in first
    assert last.split()[1:5] == ["3", "messageReceived", "all", "ben"]
    assert "the answer" not in hidden.output
    assert "Ben" not in hidden.output
    assert '"message": "the answer is 42"' in run(app, "tail", code, "--texts").output
    line = json.loads(run(app, "tail", code, "-n", "1", "--json").output)
    assert (line["seq"], line["event"], line["data"]) == (3, "messageReceived", {"userId": "ben", "type": "text"})
    assert run(app, "tail", code, "-n", "0").output == ""


@contextmanager
def tailing(url: str, code: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run a tail that follows, in a process of its own."""
    command = [sys.executable, "-u", "-m", "flask", "--app", "wsgi", "classwaves", "tail", code, "-f", *options]
    environ = {**processes.minimal_environ(), **TEST_KEYS, "REDIS_URL": url, "CLASSWAVES_ARCHIVE_URL": "none"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_tail_follows_until_ctrl_c_and_is_in_nobodys_way(app: Flask, code: str, redis_server: RedisServer) -> None:
    with tailing(redis_server.url, code, "-n", "1", "--texts") as process:
        assert process.stdout
        assert "the answer is 42" in process.stdout.readline()
        for number in range(3):
            say(app, code, f"word {number}")
            assert f"word {number}" in process.stdout.readline()
        with redis_server.client() as client:
            assert client.zcard("cw:workers") == 0
            assert client.hlen(f"cw:{{{id_of(app, code)}}}:roster") == 0
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")


def test_following_misses_nothing_of_a_redis_that_was_away(app: Flask, code: str, redis_server: RedisServer) -> None:
    store = open_store(state_of(app).settings)
    news = following(store, id_of(app, code), 1)
    try:
        first = next(news)
        assert isinstance(first, Entry)
        with redis_server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            say(app, code, "nobody heard this")  # maybe
        assert [entry.seq for entry in (next(news),) if isinstance(entry, Entry)] == [first.seq + 1]
    finally:
        store.close()


def test_a_session_that_is_not_there_is_told_in_a_sentence(app: Flask) -> None:
    for command in ("tail", "replay", "export"):
        ran = run(app, command, "ABCDEF")
        assert (ran.exit_code, ran.output) == (1, "Error: There is no session ABCDEF.\n")


def test_a_replay_prints_the_state_at_any_seq(app: Flask, code: str) -> None:
    ran = run(app, "replay", code)
    assert ran.exit_code == 0
    state = json.loads(ran.stdout)
    assert (state["seq"], state["record"]["status"]) == (3, "active")
    assert "3 entries from its beginning, up to seq 3, in 1 numbering(s)" in ran.stderr
    assert printed(app, "replay", code, "--to", "1")["record"]["status"] == "created"
    assert run(app, "replay", code, "--quiet").stdout == ""


def test_a_replay_hides_names_unless_it_is_asked_for_them(app: Flask, code: str) -> None:
    sit_down(app, code, "ben", "one")
    assert "Ben" not in run(app, "replay", code).stdout
    assert "Ben" in run(app, "replay", code, "--texts").stdout


def folded(app: Flask, code: str) -> Replica:
    replica = Replica()
    for entry in state_of(app).store.read(id_of(app, code), 0, 1000):
        replica.apply(entry)
        replica.epoch = entry.epoch
    return replica


def keep(app: Flask, code: str, replica: Replica) -> None:
    """Keep a replica as the session's checkpoint."""
    checkpoint = Checkpoint(FOLD_VERSION, replica.epoch, replica.seq, replica.dump())
    assert state_of(app).store.save_checkpoint(id_of(app, code), checkpoint)


def test_titles_of_sessions_and_groups_are_texts_too(app: Flask) -> None:
    client, ada = app.test_client(), headers_for(app, "Ada", "teacher")
    code = new_session(client, ada)
    group = Group("The slow ones", ("ben",), id="abc")
    state_of(app).store.append(
        id_of(app, code), [Draft("groupUpdate", {**group.payload(), "action": "created"}, "ada")], dedupe="g"
    )
    for command in ("tail", "replay"):
        hidden, shown = run(app, command, code), run(app, command, code, "--texts")
        assert (hidden.exit_code, shown.exit_code) == (0, 0)
        assert "A lesson" not in hidden.stdout and "slow ones" not in hidden.stdout
        assert "A lesson" in shown.stdout and "slow ones" in shown.stdout
    assert json.loads(hidden.stdout)["epoch"]


def test_a_replay_compares_with_the_checkpoint(app: Flask, code: str) -> None:
    keep(app, code, folded(app, code))
    say(app, code, "later")
    assert run(app, "replay", code, "-q").exit_code == 0
    wrong = folded(app, code)
    wrong.mode = "quiz"
    keep(app, code, wrong)
    ran = run(app, "replay", code, "-q")
    assert ran.exit_code == 1
    assert "Problem: the checkpoint at 4 differs in mode." in ran.stderr


def test_a_replay_finds_what_is_missing(app: Flask, code: str, redis_server: RedisServer) -> None:
    log = f"cw:{{{id_of(app, code)}}}:log"
    say(app, code, "fourth")
    with redis_server.client() as client:
        client.xdel(log, "2-0", "4-0")
    ran = run(app, "replay", code, "-q")
    assert ran.exit_code == 1
    assert "Problem: entry 3 comes where 2 should be." in ran.stderr
    assert "Problem: the log ends at 3, and the store says 4." in ran.stderr


def test_a_trimmed_log_is_replayed_from_its_checkpoint(app: Flask, code: str, redis_server: RedisServer) -> None:
    log = f"cw:{{{id_of(app, code)}}}:log"
    with redis_server.client() as client:
        client.xdel(log, "1-0", "2-0")
        ran = run(app, "replay", code, "-q")
        assert "Problem: the log begins at 3, and no checkpoint has what was before." in ran.stderr
        assert ran.exit_code == 1
        client.flushall()
    client_of, ada = app.test_client(), headers_for(app, "Ada", "teacher")
    code = new_session(client_of, ada)
    step(client_of, ada, code, "start")
    keep(app, code, folded(app, code))
    say(app, code, "more")
    with redis_server.client() as client:
        client.xdel(f"cw:{{{id_of(app, code)}}}:log", "1-0")
    ran = run(app, "replay", code)
    assert (ran.exit_code, json.loads(ran.stdout)["record"]["status"]) == (0, "active")
    assert "from the checkpoint" in ran.stderr
    assert "only known folded, at seq 2" in run(app, "replay", code, "--to", "1").output


def test_a_store_in_memory_is_told_why_not(make_app: AppFactory) -> None:
    app = make_app()
    for command in (["sessions"], ["workers"], ["tail", "ABCDEF"], ["replay", "ABCDEF"], ["export", "ABCDEF"]):
        ran = run(app, *command)
        assert (ran.exit_code, "set REDIS_URL" in ran.output) == (1, True)


def test_a_redis_that_is_away_is_told_in_a_sentence(app: Flask, code: str, redis_server: RedisServer) -> None:
    redis_server.kill()
    for command in (
        ["sessions"],
        ["workers"],
        ["tail", code],
        ["tail", code, "-f"],
        ["replay", code],
        ["export", code],
    ):
        ran = run(app, *command)
        assert (ran.exit_code, ran.output) == (1, "Error: The service is not available; try again\n"), command
