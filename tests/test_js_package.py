"""The JavaScript client as a package: its types, what it knows of the contract, and what npm would publish."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from classwaves import FEATURES
from classwaves.errors import ERROR_CODES
from tests.support.contract import CONTRACT, compiled
from tests.support.gunicorn_server import ROOT
from tests.support.processes import minimal_environ

CLIENT = ROOT / "clients" / "js"
SOURCE = (CLIENT / "classwaves.js").read_text()
JOINS = {"joinSession", "leaveSession", "refreshAuth"}
"""What it sends by itself alone."""


def listed(name: str) -> set[str]:
    """A list of names at the top of the module."""
    found = re.search(rf"^const {name} = (\[.*\]);", SOURCE, re.MULTILINE)
    assert found
    return set(json.loads(found[1]))


def test_right_uses_compile_and_wrong_ones_do_not(tmp_path: Path) -> None:
    modules = tmp_path / "node_modules"
    modules.mkdir()
    for package in (ROOT / "node_modules").iterdir():
        (modules / package.name).symlink_to(package)
    (modules / "classwaves").symlink_to(CLIENT)
    shutil.copy(CONTRACT / "rooms.ts", tmp_path)
    assert compiled(tmp_path, "rooms.ts") == ""


def test_it_knows_which_events_lack_a_field() -> None:
    events = {event.name: event.schema.fields for feature in FEATURES for event in feature.events}
    taken = {name: fields for name, fields in events.items() if name not in JOINS}
    assert listed("WITHOUT_CODE") == {name for name, fields in taken.items() if "sessionCode" not in fields}
    assert listed("WITHOUT_ID") == {name for name, fields in taken.items() if "clientMessageId" not in fields}


def test_it_knows_what_may_pass_and_what_is_of_the_login() -> None:
    assert listed("PASSING") == {code for code, spec in ERROR_CODES.items() if spec.retryable} | {"NO_ANSWER"}
    assert listed("LOGIN") == {code for code, spec in ERROR_CODES.items() if spec.status == 401} - {
        "INVALID_CREDENTIALS"
    }


def test_it_can_be_read_at_a_sitting() -> None:
    assert len(SOURCE.splitlines()) < 200


def test_what_npm_would_publish() -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    command = [npm, "pack", "--dry-run", "--json", "--offline", "--loglevel=error"]
    done = subprocess.run(
        command, cwd=CLIENT, capture_output=True, text=True, timeout=60, env=minimal_environ(), check=True
    )
    (packed,) = json.loads(done.stdout)
    files = {"README.md", "classwaves.js", "classwaves.d.ts", "contract.d.ts", "package.json"}
    assert {file["path"] for file in packed["files"]} == files
    version = json.loads((ROOT / "package.json").read_text())["version"]
    assert (packed["name"], packed["version"]) == ("classwaves", version)
