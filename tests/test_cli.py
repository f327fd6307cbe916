"""``flask classwaves create-user``: accounts for a production server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from classwaves.cli import cli
from tests.support import processes
from tests.support.apps import API, AppFactory, login
from tests.support.gunicorn_server import ROOT, TEST_KEYS
from tests.support.redis_server import RedisServer


def flask(*arguments: str, app: str = "wsgi", **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``flask --app`` as an operator does."""
    command = [sys.executable, "-m", "flask", "--app", app, *arguments]
    environ = {**processes.minimal_environ(), **TEST_KEYS, **env}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)


def create(app: Flask, *arguments: str, typed: str | None = None) -> Result:
    return app.test_cli_runner().invoke(cli, ["create-user", *arguments], input=typed)


def test_a_user_created_in_a_shell_logs_in_over_rest(make_app: AppFactory, redis_url: str) -> None:
    created = flask("classwaves", "create-user", "Ada", "--role", "teacher", "--password", "a" * 8, REDIS_URL=redis_url)
    assert (created.returncode, created.stderr) == (0, "")
    client = make_app(REDIS_URL=redis_url).test_client()
    me = client.get(f"{API}/auth/me", headers=login(client, "ada", "a" * 8)).get_json()
    assert (me["displayName"], me["role"]) == ("Ada", "teacher")
    assert created.stdout == f"Created teacher Ada: userId {me['userId']}\n"


def test_a_shell_without_redis_is_told_why_not() -> None:
    refused = flask("classwaves", "create-user", "ada", "--password", "a" * 8)
    assert refused.returncode == 1
    assert "set REDIS_URL" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_command_is_there_in_a_shops_own_application(tmp_path: Path) -> None:
    """It comes with the package, so a shop has it without doing anything."""
    (tmp_path / "shop.py").write_text("from flask import Flask\napp = Flask('shop')\n")
    command = [
        sys.executable,
        "-m",
        "flask",
        "--app",
        "shop",
        "classwaves",
        "create-user",
        "ada",
        "--password",
        "a" * 8,
    ]
    environ = {**processes.minimal_environ(), "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    ran = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)
    assert ran.returncode != 0
    assert "ClassWaves is not registered on this app" in ran.stderr


def test_the_password_is_asked_for_and_not_shown(make_app: AppFactory, redis_url: str) -> None:
    app = make_app(REDIS_URL=redis_url)
    asked = create(app, "ada", "--display-name", "Ada Lovelace", typed="right horse\nright horse\n")
    assert asked.exit_code == 0
    assert "right horse" not in asked.output
    me = app.test_client().get(f"{API}/auth/me", headers=login(app.test_client(), "ada", "right horse")).get_json()
    assert (me["displayName"], me["role"]) == ("Ada Lovelace", "student")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ada", "--password", "short"], "8 characters"),
        (["  ", "--password", "a" * 8], "name"),
        (["ADA ", "--password", "a" * 8], "taken"),
        (["ben", "--password", "a" * 8, "--role", "king"], "king"),
        (["x" * 201, "--password", "a" * 8], "200 characters"),
        (["ben", "--password", "a" * 1001], "1000 characters"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    make_app: AppFactory, redis_url: str, arguments: list[str], words: str
) -> None:
    app = make_app(REDIS_URL=redis_url)
    assert create(app, "ada", "--password", "a" * 8).exit_code == 0
    refused = create(app, *arguments)
    assert refused.exit_code != 0
    assert words in refused.output


def test_a_redis_that_is_away_is_told_in_a_sentence(make_app: AppFactory, redis_server: RedisServer) -> None:
    app = make_app(REDIS_URL=redis_server.url)
    redis_server.kill()
    refused = create(app, "ada", "--password", "a" * 8)
    assert refused.exit_code == 1
    assert refused.output == "Error: The service is not available; try again\n"
