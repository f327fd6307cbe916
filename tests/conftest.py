"""Fixtures of all tests: a Redis, and detectors of what a test leaves behind."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import current_app, has_app_context, has_request_context, request
from flask.globals import app_ctx, request_ctx
from hypothesis import HealthCheck, settings

from classwaves.testing import plugin
from tests.support import processes
from tests.support.apps import demo_app as demo_app
from tests.support.apps import make_app as make_app
from tests.support.redis_server import RedisServer
from tests.support.redis_sets import cluster_process as cluster_process
from tests.support.redis_sets import cluster_set as cluster_set
from tests.support.redis_sets import sentinel_process as sentinel_process
from tests.support.redis_sets import sentinel_set as sentinel_set

# a busy machine is no failure
settings.register_profile("classwaves", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("classwaves")


def pytest_configure(config: pytest.Config) -> None:
    """Clean the environment of a developer's settings, and mark what the tests start."""
    if not config.pluginmanager.has_plugin("classwaves"):  # installed before it had a plugin
        config.pluginmanager.register(plugin, "classwaves")
    processes.forget_server_settings()
    os.environ["CLASSWAVES_ARCHIVE_URL"] = "none"  # the archive's own tests say otherwise
    processes.mark_this_process()


def pytest_unconfigure() -> None:
    """End the reaper."""
    processes.dismiss_reaper()


@pytest.fixture(scope="session", autouse=True)
def process_leak_detector() -> Iterator[None]:
    """Fail at the end of the session when a process is left that a test has started. It is killed."""
    yield
    left = processes.left_behind(float(os.environ.get("CWTEST_GRACE", 10)))
    assert not left, "processes left behind, now killed:\n" + "\n".join(left)


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give this process, and the servers it starts, a home directory of their own."""
    directory = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(directory))
        yield directory


@pytest.fixture(autouse=True)
def context_leak_detector() -> Iterator[None]:
    """Fail a test that leaves an application or request context pushed, and pop it."""
    yield
    leaks: list[str] = []
    while has_request_context():
        leaks.append(f"request context of {request!r}")
        request_ctx.pop()
    while has_app_context():
        leaks.append(f"application context of {current_app!r}")
        app_ctx.pop()
    assert not leaks, f"left pushed: {leaks}"


@pytest.fixture(scope="session")
def redis_process(process_leak_detector: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Run one Redis for all tests of this process. Tests use :func:`redis_server`, which is clean."""
    with RedisServer(directory=tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_server(redis_process: RedisServer) -> RedisServer:
    """Return a running Redis without data, scripts and connections; kept in memory only.

    A test may kill or pause it: the next one gets it back.
    """
    redis_process.make_clean()
    return redis_process


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Return the URL of :func:`redis_server`."""
    return redis_server.url
