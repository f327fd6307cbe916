"""What importing ``classwaves.client`` brings along, and what it says where something is missing."""

import subprocess
import sys

from tests.support.gunicorn_server import ROOT
from tests.support.processes import minimal_environ

SERVER = {"flask", "gevent", "flask_socketio", "marshmallow", "gunicorn", "werkzeug", "orjson"}


def python(code: str) -> str:
    """Run it in a fresh Python, and return what it prints."""
    env = minimal_environ() | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_of_the_server_is_imported() -> None:
    code = "import sys; from classwaves.client import AsyncClient, Client; print(*sys.modules)"
    modules = python(code).split()
    assert not SERVER & set(modules)
    ours = {name for name in modules if name.startswith("classwaves")}
    assert {name for name in ours if not name.startswith("classwaves.client")} == {"classwaves"}


def test_the_errors_need_no_library() -> None:
    assert "socketio" not in python("import sys, classwaves.client; print(*sys.modules)").split()


def test_what_is_missing_is_named() -> None:
    hidden = (
        "import importlib.util as u; found = u.find_spec; u.find_spec = lambda n: None if n == {!r} else found(n)\n"
    )
    for library, client in (("websocket", "Client"), ("aiohttp", "AsyncClient")):
        code = (
            hidden.format(library) + f"try:\n from classwaves.client import {client}\nexcept ImportError as e: print(e)"
        )
        assert "pip install 'classwaves[client]'" in python(code)
