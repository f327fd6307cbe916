"""Programs that a test needs and a machine may lack. ``make test`` installs what it can."""

import shutil
from pathlib import Path

import pytest

from tests.support.gunicorn_server import ROOT


def chromium() -> str:
    """Return the path of Chromium, or skip the test."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("Chromium is not installed: apt-get install chromium")


def node() -> str:
    """Return the path of Node, or skip the test, also where its packages are not installed."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not installed")
    npm_package("socket.io-client")
    return found


def npm_package(name: str) -> Path:
    """Return the directory of an installed npm package, or skip the test."""
    directory = ROOT / "node_modules" / name
    if not (directory / "package.json").exists():
        pytest.skip(f"the npm package {name} is not installed: npm install")
    return directory
