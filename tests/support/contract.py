"""The official tools for the contract's documents: AsyncAPI's parser and TypeScript's compiler, both of npm."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.gunicorn_server import ROOT
from tests.support.processes import minimal_environ
from tests.support.tools import node

CONTRACT = ROOT / "tests" / "contract"


def wrong_with(*documents: dict[str, Any]) -> list[list[str]]:
    """Return what AsyncAPI's own parser finds wrong with each document."""
    command = [node(), str(CONTRACT / "validate.mjs")]
    contract_package("@asyncapi/parser")
    done = _run(command, CONTRACT, json.dumps(documents))
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


def compiled(directory: Path, *files: str) -> str:
    """Compile files of a directory as strictly as can be and return what is wrong with them."""
    compiler = contract_package("typescript") / "bin" / "tsc"
    modules = directory / "node_modules"
    if not modules.exists():
        modules.symlink_to(ROOT / "node_modules")
    options = "--strict --noEmit --module esnext --moduleResolution bundler --target es2022 --pretty false"
    done = _run([node(), str(compiler), *options.split(), "--lib", "es2022,dom,dom.iterable", *files], directory)
    return done.stdout + done.stderr


def contract_package(name: str) -> Path:
    """Return the directory of an npm package that tests alone need, or skip the test."""
    directory = CONTRACT / "node_modules" / name
    if not (directory / "package.json").exists():
        pytest.skip(f"the npm package {name} is not installed: cd tests/contract && npm install")
    return directory


def _run(command: list[str], cwd: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, input=given, capture_output=True, text=True, timeout=100, env=minimal_environ(), check=False
    )
