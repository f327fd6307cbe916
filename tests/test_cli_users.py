"""What an operator does for users in a shell: a token, what is kept of somebody, its end."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from classwaves.cli import cli
from classwaves.models import Draft
from tests.support.apps import API, AppFactory, add_user, bearer, headers_for, new_session, state_of
from tests.support.waiting import eventually


@pytest.fixture
def app(make_app: AppFactory, redis_url: str, tmp_path: Path) -> Flask:
    archive = f"sqlite:///{tmp_path / 'archive.sqlite3'}"
    return make_app(REDIS_URL=redis_url, CLASSWAVES_ARCHIVE_URL=archive, CLASSWAVES_FILES=str(tmp_path / "files"))


@pytest.fixture
def code(app: Flask) -> str:
    """Return the code of a session of Ada's in which Ben has said something."""
    code = new_session(app.test_client(), headers_for(app, "Ada", "teacher"))
    store = state_of(app).store
    said = {"userId": "ben", "displayName": "Ben", "message": "my secret", "type": "text"}
    store.append(store.session_id(code) or "", [Draft("messageReceived", said, "ben")], dedupe="test")
    return code


def run(app: Flask, *arguments: str, typed: str | None = None) -> Result:
    return app.test_cli_runner().invoke(cli, list(arguments), input=typed)


def test_a_token_is_good_for_its_minutes_and_nothing_else_is_printed(app: Flask) -> None:
    account = add_user(app, "Ada", "teacher")
    ran = run(app, "token", "ADA", "--minutes", "5")
    assert (ran.exit_code, ran.stdout.count("\n")) == (0, 1)
    assert "Whoever has this token is ADA for 5 minutes" in ran.stderr
    token = ran.stdout.strip()
    assert token not in ran.stderr
    me = app.test_client().get(f"{API}/auth/me", headers=bearer(token)).get_json()
    assert (me["userId"], me["role"]) == (account.user_id, "teacher")
    with app.app_context():
        auth = state_of(app).tokens.check(token).auth
    assert app.test_client().post(f"{API}/auth/logout", headers=bearer(token)).status_code == 204
    assert state_of(app).store.auth(auth.id) is None


def test_tokens_for_guests_and_transcribers_are_for_their_session(app: Flask, code: str) -> None:
    for kind, scopes in (("--guest", ()), ("--transcriber", ("transcriber",))):
        token = run(app, "token", "Gus", kind, code.lower()).stdout.strip()
        with app.app_context():
            auth = state_of(app).tokens.check(token).auth
        assert (auth.display_name, auth.guest_of, auth.scopes) == ("Gus", state_of(app).store.session_id(code), scopes)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["token", "nobody"], 1, "There is no such account in the store"),
        (["token", "Gus", "--guest", "ABCDEF"], 1, "There is no such session"),
        (["token", "Gus", "--guest", "ABCDEF", "--transcriber", "ABCDEF"], 2, "not both"),
        (["token", "Gus", "--minutes", "0"], 2, "minutes"),
        (["token", "Gus", "--minutes", "nan"], 2, "minutes"),
        (["token", "Gus", "--minutes", "1e300"], 2, "minutes"),
    ],
)
def test_a_token_that_cannot_be_is_refused(app: Flask, arguments: list[str], status: int, words: str) -> None:
    ran = run(app, *arguments)
    assert (ran.exit_code, words in ran.output, ran.stdout) == (status, True, "")


def test_an_export_is_the_log_as_rest_gives_it(app: Flask, code: str, tmp_path: Path) -> None:
    ran = run(app, "export", code)
    assert (ran.exit_code, ran.stderr) == (0, "2 entries\n")
    over_rest = app.test_client().get(f"{API}/sessions/{code}/export", headers=headers_for(app, "Ada", "teacher"))
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert lines == [json.loads(line) for line in over_rest.get_data(as_text=True).splitlines()]
    file = tmp_path / "log.jsonl"
    assert run(app, "export", code, "--output", str(file)).stdout == ""
    assert file.read_text() == ran.stdout


def test_what_only_the_archive_has_is_exported(app: Flask, code: str) -> None:
    state = state_of(app)
    exported = run(app, "export", code).stdout
    assert run(app, "archive").exit_code == 0
    record = state.store.record(state.store.session_id(code) or "")
    assert record
    state.store.expire(record, 0.001)
    eventually(lambda: state.store.session_id(code) is None)
    assert run(app, "export", code).stdout == exported
    assert "2 entries from its beginning" in run(app, "replay", code, "-q").stderr


def test_a_users_data_is_exported_and_then_erased(app: Flask, code: str) -> None:
    found = [json.loads(line) for line in run(app, "export-user", "ben").stdout.splitlines()]
    assert [(one["sessionCode"], one["data"]["message"]) for one in found] == [(code, "my secret")]
    refused = run(app, "erase-user", "ben", typed="n\n")
    assert refused.exit_code == 1
    assert "my secret" in run(app, "export", code).stdout
    erased = run(app, "erase-user", "ben", "--yes")
    assert erased.exit_code == 0
    assert erased.stdout == "Erased: 1 entries of logs, 0 in the archive, 0 files, 0 accounts\n"
    exported = run(app, "export", code).stdout
    assert "my secret" not in exported
    assert "Ben" not in exported
    assert run(app, "erase-user", "ben", typed="y\n").stdout.endswith(
        "Erased: 0 entries of logs, 0 in the archive, 0 files, 0 accounts\n"
    )
