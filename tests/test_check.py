"""``flask classwaves check``: what is wrong with a server, all of it, also where it cannot start."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from classwaves.cli import cli
from classwaves.cli.check import look
from classwaves.cli.check_places import check_places
from classwaves.cli.check_redis import check_redis
from classwaves.cli.check_server import check_server
from classwaves.cli.check_settings import check_settings, is_weak
from classwaves.cli.findings import Finding
from classwaves.settings import Settings
from tests.support import processes
from tests.support.apps import AppFactory
from tests.support.gunicorn_server import ROOT
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer

KEYS = {name: secrets.token_urlsafe(48) for name in ("JWT_SECRET_KEY", "SECRET_KEY")}


@pytest.fixture(scope="module")
def durable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return a Redis that keeps every write and throws nothing away; tests that change it put that back."""
    with RedisServer(aof=True, directory=tmp_path_factory.mktemp("durable")) as server:
        yield server


def check(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator does."""
    command = [sys.executable, "-m", "flask", "classwaves", "check", *arguments]
    environ = {**processes.minimal_environ(), "PYTHONPATH": str(ROOT), **env}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)


def on(settings: Settings, level: str, **environ: str) -> set[str]:
    """The subjects of findings of this level about settings."""
    return {finding.subject for finding in check_settings(settings, environ) if finding.level == level}


def told(findings: list[Finding], level: str) -> str:
    """All that was said at this level."""
    return "\n".join(f"{finding.subject} {finding.message}" for finding in findings if finding.level == level)


def test_settings_that_keep_the_app_from_starting_are_all_listed_with_the_rest() -> None:
    wrong = {
        "SECRET_KEY": "short-secret",
        "CLASSWAVES_ORIGIN": "x",
        "PORT": "lots",
        "CLASSWAVES_LEASE": "15",
        "CLASSWAVES_ORIGINS": "school.example",
        "REDIS_URL": f"redis://:hunter2@127.0.0.1:{free_port()}/0",
    }
    ran = check(ROOT, "--json", **wrong)
    assert (ran.returncode, ran.stderr) == (1, "")
    report = json.loads(ran.stdout)
    said = [f"{one['subject']}: {one['message']}" for one in report["findings"] if one["level"] == "error"]
    starts = (
        "CLASSWAVES_ORIGIN is not",
        "CLASSWAVES_ORIGINS is a list",
        "PORT must",
        "CLASSWAVES_RENEW must",
        "JWT_SECRET_KEY is",
        "SECRET_KEY is",
    )
    for start in (*(f"settings: {start}" for start in starts), "Redis: 127.0.0.1:"):
        assert [one.startswith(start) for one in said].count(True) == 1, (start, said)
    assert report["errors"] == len(said) == 7
    for secret in ("hunter2", "short-secret"):
        assert secret not in ran.stdout


def test_a_server_with_everything_right_is_fine(durable: RedisServer, tmp_path: Path) -> None:
    right = {
        **KEYS,
        "REDIS_URL": durable.url,
        "CLASSWAVES_REQUIRE_REDIS": "1",
        "CLASSWAVES_METRICS_TOKEN": secrets.token_urlsafe(16),
        "CLASSWAVES_MAX_CONNECTIONS": "100",
        "CLASSWAVES_ARCHIVE_URL": f"sqlite:///{tmp_path / 'archive.sqlite3'}",
        "CLASSWAVES_FILES": str(tmp_path / "files"),
    }
    ran = check(ROOT, "--strict", **right)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.endswith("\n0 errors, 0 warnings\n")
    assert not (tmp_path / "files").exists()
    for key in KEYS.values():
        assert key not in ran.stdout


def test_an_app_that_cannot_be_loaded_or_is_not_there_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "wsgi.py").touch()
    assert "application  none was found here" in check(tmp_path, **KEYS).stdout
    (tmp_path / "wsgi.py").write_text("password = 'hunter2'\nraise ValueError(password)\n")
    broken = check(tmp_path, **KEYS)
    assert "application  cannot be loaded: ValueError in wsgi.py, line 2." in broken.stdout
    assert "hunter2" not in broken.stdout
    (tmp_path / "wsgi.py").write_text("from flask import Flask\napp = Flask('shop')\n")
    assert "application  has no ClassWaves" in check(tmp_path, **KEYS).stdout


def test_the_apps_own_configuration_counts(tmp_path: Path) -> None:
    (tmp_path / "wsgi.py").write_text(
        "from classwaves import create_app\napp = create_app({'CLASSWAVES_LEASE': 1.0})\n"
    )
    ran = check(tmp_path, **KEYS)
    assert "settings  " in ran.stdout
    assert "CLASSWAVES_RENEW must" in ran.stdout


def test_warnings_end_it_only_if_it_is_strict(make_app: AppFactory) -> None:
    app = make_app(**KEYS)
    assert app.test_cli_runner().invoke(cli, ["check"]).exit_code == 0
    assert app.test_cli_runner().invoke(cli, ["check", "--strict"]).exit_code == 3
    assert app.test_cli_runner().invoke(cli, ["check", "--severe"]).exit_code == 2


def test_redis_that_throws_away_or_forgets_is_told(durable: RedisServer) -> None:
    settings = Settings.load({**KEYS, "REDIS_URL": durable.url}, {})
    well = list(check_redis(settings))
    assert {finding.level for finding in well} == {"ok"}
    with durable.client() as client:
        try:
            client.config_set("maxmemory-policy", "allkeys-lru")
            client.config_set("appendonly", "no")
            wrong = list(check_redis(settings))
            assert "with a memory limit it would throw away parts of sessions" in told(wrong, "error")
            assert "keeps nothing on disk" in told(wrong, "warning")
            client.config_set("save", "3600 1")
            client.config_set("maxmemory", "100mb")
            wrong = list(check_redis(settings))
            assert "when it is full it throws away parts of sessions (maxmemory-policy allkeys-lru)" in told(
                wrong, "error"
            )
            assert "saves a snapshot now and then" in told(wrong, "warning")
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "1kb")
            wrong = list(check_redis(settings))
            assert "takes no writes when it is full" in told(wrong, "error")
            assert "does not take writes: command not allowed when used memory" in told(wrong, "error")
        finally:
            client.config_set("maxmemory", "0")
            client.config_set("save", "")
            client.config_set("appendonly", "yes")


def test_redis_with_another_password_says_so_and_shows_none(durable: RedisServer) -> None:
    with durable.client() as client:
        client.config_set("requirepass", "right-horse")
        try:
            url = durable.url.replace("//", "//:wrong-horse@")
            findings = list(check_redis(Settings.load({**KEYS, "REDIS_URL": url}, {})))
            assert "refuses the user or the password" in told(findings, "error")
            assert "wrong-horse" not in str(findings)
        finally:
            client.config_set("requirepass", "")


def test_each_setting_that_does_harm_is_told() -> None:
    assert on(Settings.load(KEYS, {}), "error") == set()
    same = {"JWT_SECRET_KEY": KEYS["SECRET_KEY"], "SECRET_KEY": KEYS["SECRET_KEY"]}
    assert "keys" in on(Settings.load(same, {}), "warning")
    weak = {**KEYS, "SECRET_KEY": "change-me-change-me-change-me-change-me"}
    assert on(Settings.load(weak, {}), "error") == {"SECRET_KEY"}
    assert on(Settings.load({**KEYS, "WEB_CONCURRENCY": 2}, {}), "error") == {"workers"}
    assert "limits" in on(Settings.load({**KEYS, "CLASSWAVES_RATELIMIT_ENABLED": 0}, {}), "warning")
    assert on(Settings.load(KEYS, {}), "error", DYNO="web.1") == {"proxies"}
    assert on(Settings.load({**KEYS, "CLASSWAVES_TRUSTED_PROXIES": 1}, {}), "error", DYNO="web.1") == set()
    assert "proxies" in on(Settings.load({**KEYS, "CLASSWAVES_HOST": "127.0.0.1"}, {}), "warning")
    demo = {**KEYS, "CLASSWAVES_DEMO": 1}
    assert "demo mode" in on(Settings.load(demo, {}), "warning")
    assert on(Settings.load({**demo, "CLASSWAVES_HOST": "0.0.0.0"}, {}), "error") == {"demo mode"}
    assert "calls" in on(Settings.load({**KEYS, "CLASSWAVES_ICE_SERVERS": "stun:stun.example"}, {}), "warning")
    assert on(Settings.load(KEYS, {}), "error", FLASK_DEBUG="1") == {"debug"}
    assert "metrics" in on(Settings.load(KEYS, {}), "warning")
    assert "heartbeat" in on(Settings.load({**KEYS, "CLASSWAVES_PING_INTERVAL": 60}, {}), "warning")


@pytest.mark.parametrize(
    ("origin", "level"),
    [
        ("https://school.example", "ok"),
        ("http://localhost:3000", "ok"),
        ("http://school.example", "warning"),
        ("https://*.school.example", "ok"),
        ("http://*.school.example", "warning"),
        ("capacitor://localhost", "ok"),
        ("*", "warning"),
    ],
)
def test_origins_that_match_nothing_or_too_much_are_told(origin: str, level: str) -> None:
    settings = Settings.load({**KEYS, "CLASSWAVES_ORIGINS": origin}, {})
    assert "origins" in on(settings, level)


@pytest.mark.parametrize(
    "key", ["a" * 40, "this-is-a-secret-key-0123456789-abcdef", "test_key_0123456789_abcdefghijklmn"]
)
def test_keys_of_examples_are_weak(key: str) -> None:
    assert is_weak(key)


def test_random_keys_are_not_weak() -> None:
    assert not any(is_weak(secrets.token_urlsafe(48)) or is_weak(secrets.token_hex(32)) for _ in range(200))


def gunicorn(folder: Path, settings: Settings | None = None, **environ: str) -> list[Finding]:
    return list(check_server(settings or Settings.load(KEYS, {}), environ, folder))


def test_gunicorns_settings_are_read_and_not_run(tmp_path: Path) -> None:
    warning = told(gunicorn(tmp_path), "warning")
    assert "gunicorn.conf.py with the line: from classwaves.gunicorn_conf import *" in warning
    (tmp_path / "gunicorn.conf.py").write_text("from classwaves.gunicorn_conf import *\n")
    assert told(gunicorn(tmp_path, Settings.load(FEW, {})), "warning") == "", "what it says mends it"
    (tmp_path / "gunicorn.conf.py").write_text(
        "raise SystemExit\nworker_class = 'gevent'\npreload_app = True\ngraceful_timeout = 2\nmax_requests = 1000\n"
    )
    findings = gunicorn(tmp_path, GUNICORN_CMD_ARGS="-w4 --log-level=debug")
    errors, warnings = told(findings, "error"), told(findings, "warning")
    for words in ("its worker is gevent", "preload_app", "several workers of a store in memory"):
        assert words in errors
    for words in ("max_requests", "graceful_timeout is 2 s", "log level debug"):
        assert words in warnings
    (tmp_path / "Procfile").write_text(
        "worker: celery\nweb: gunicorn -c other.py -k classwaves.transport.worker.Worker wsgi:app 'unfinished\n"
    )
    assert told(gunicorn(tmp_path), "error") == ""
    assert "gunicorn its worker is ours" in told(gunicorn(tmp_path), "ok")


FEW = {**KEYS, "CLASSWAVES_MAX_CONNECTIONS": 100}


def test_our_own_configuration_of_gunicorn_is_fine() -> None:
    findings = gunicorn(ROOT, Settings.load(FEW, {}))
    assert told(findings, "warning") == ""
    assert "gunicorn its worker is ours" in told(findings, "ok")


def test_our_configuration_is_known_where_it_is_taken_from_the_package(tmp_path: Path) -> None:
    settings = Settings.load(FEW, {})
    (tmp_path / "Procfile").write_text("web: gunicorn --config python:classwaves.gunicorn_conf shop:app\n")
    assert told(gunicorn(tmp_path, settings), "warning") == ""
    (tmp_path / "Procfile").unlink()
    (tmp_path / "gunicorn.conf.py").write_text("from classwaves.gunicorn_conf import *\ngraceful_timeout = 2\n")
    findings = gunicorn(tmp_path, settings)
    assert "gunicorn its worker is ours" in told(findings, "ok")
    assert "graceful_timeout is 2 s" in told(findings, "warning")


def test_more_connections_than_open_files_are_told(tmp_path: Path) -> None:
    many = Settings.load({**KEYS, "CLASSWAVES_MAX_CONNECTIONS": 10**9}, {})
    assert "open files" in told(gunicorn(tmp_path, many), "warning")


def test_an_app_that_patches_in_part_is_told(tmp_path: Path) -> None:
    (tmp_path / "wsgi.py").write_text("from gevent import monkey\nmonkey.patch_socket()\n")
    assert "patches some modules and not ssl, threading, select" in check(tmp_path, **KEYS).stdout


def test_places_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = str(tmp_path / "file" / "below")
    settings = Settings.load({**KEYS, "CLASSWAVES_FILES": place, "CLASSWAVES_ARCHIVE_URL": f"sqlite:///{place}"}, {})
    errors = told(list(check_places(settings, {})), "error")
    assert "archive its database does not answer" in errors
    assert "files " in errors
    lasting = Settings.load({**KEYS, "CLASSWAVES_FILES": str(tmp_path), "CLASSWAVES_ARCHIVE_URL": "none"}, {})
    assert "Heroku empties" in told(list(check_places(lasting, {"DYNO": "1"})), "warning")
    assert told(list(check_places(lasting, {})), "warning") == ""


def test_no_finding_has_a_secret(durable: RedisServer, tmp_path: Path) -> None:
    url = durable.url.replace("//", "//:hunter2@")
    bad = {**KEYS, "REDIS_URL": url, "CLASSWAVES_ARCHIVE_URL": "postgresql://ada:hunter2@127.0.0.1:1/x"}
    findings = list(look(Settings.load({**bad, "CLASSWAVES_FILES": "none"}, {})))
    assert "archive its database does not answer" in told(findings, "error")
    for secret in ("hunter2", *KEYS.values()):
        assert secret not in str(findings)
