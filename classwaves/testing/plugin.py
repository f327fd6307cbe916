"""The pytest plugin, which pytest loads by itself where ClassWaves is installed: the fixture ``classroom``.

Imports nothing until a test asks for the fixture: this module is loaded in projects that do not use it, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .room import OpenRoom, Room
    from .server import Server
    from .stages import Stage

    Servers = Callable[[str, Mapping[str, str]], Server]

SERVER = "classwaves_server"
ARCHIVE = "CLASSWAVES_ARCHIVE_URL"
MARKER = f"{SERVER}(app='package:factory()', env={{}}): run the test's classroom on a real server, with gunicorn"

# a suite's asserts tell what they compared, as a test's own do
pytest.register_assert_rewrite("classwaves.testing.suites")

#: The applications of fixtures ``app`` on which a classroom was opened, until the fixture ends.
_opened: list[Any] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "classwaves_app", "what gunicorn serves in tests with the marker classwaves_server: package:factory()"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    if ARCHIVE not in os.environ:  # or the lessons of tests would be in the archive of who develops
        os.environ[ARCHIVE] = "none"
        config.add_cleanup(_forget)


def _forget() -> None:
    os.environ.pop(ARCHIVE, None)


@pytest.fixture
def classroom(request: pytest.FixtureRequest) -> Iterator[OpenRoom]:
    """Open classrooms on the application of your fixture ``app``: ``with classroom(students=2) as room:``.

    In memory, over the test clients of Flask and Flask-SocketIO; with the marker ``classwaves_server`` on a real
    server. See :class:`classwaves.testing.Room` for what a room offers.
    """
    from .room import Room

    with ExitStack() as stack:
        stage = _stage(request)

        def open_room(**how: Any) -> Room:
            room = Room(stage, **how)
            stack.callback(room.close)
            return room

        yield open_room


@pytest.fixture(scope="session")
def _classwaves_servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """Real servers, each started by the first test that needs it, for all of the session."""
    from .server import Server

    with ExitStack() as stack:
        started: dict[str, Server] = {}

        def get(named: str, env: Mapping[str, str]) -> Server:
            key = repr((named, sorted(env.items())))
            if key not in started:
                started[key] = Server(named, env, request.config.rootpath)
                stack.callback(started[key].close)
            return started[key]

        yield get


def _stage(request: pytest.FixtureRequest) -> Stage:
    marker = request.node.get_closest_marker(SERVER)
    if marker is not None:
        from .server import ServerStage

        named = marker.kwargs.get("app") or next(iter(marker.args), None) or request.config.getini("classwaves_app")
        if not named:
            pytest.fail(
                "say which application gunicorn is to serve: @pytest.mark.classwaves_server('shop:create_app()'), "
                "or classwaves_app = shop:create_app() in pytest's settings",
                pytrace=False,
            )
        servers: Servers = request.getfixturevalue("_classwaves_servers")
        return ServerStage(servers(named, marker.kwargs.get("env", {})))
    from .stages import MemoryStage

    try:
        app = request.getfixturevalue("app")
    except pytest.FixtureLookupError as error:
        if error.argname != "app":
            raise
        pytest.fail("classroom needs a fixture app that returns your application with ClassWaves on it", pytrace=False)
    stage = MemoryStage(app)
    if app not in _opened:
        _opened.append(app)
    return stage


def pytest_fixture_post_finalizer(fixturedef: pytest.FixtureDef[Any]) -> None:
    """An application whose fixture ends needs no thread for its classroom, unless another test takes it up again."""
    if fixturedef.argname != "app" or fixturedef.cached_result is None:
        return
    app: Any = fixturedef.cached_result[0]
    if app in _opened:
        _opened.remove(app)
        app.extensions["classwaves"].hub.scheduler.rest()
