"""What is in the distributions, and what extras bring. ``make package`` also runs the wheel in empty environments."""

import configparser
import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.support.gunicorn_server import ROOT

#: What shows that an extra is there: the modules of ours, or of others, that it is for.
BROUGHT = {
    "crypto": ["cryptography", "jwt.algorithms"],
    "s3": ["boto3", "classwaves.storage.s3"],
    "archive": ["sqlalchemy", "classwaves.archive.sql"],
    "postgres": ["sqlalchemy", "psycopg"],
    "otel": ["opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http", "classwaves.otel"],
    "client": ["websocket", "requests", "aiohttp", "classwaves.client.sync", "classwaves.client.aio"],
    "testing": ["pytest", "socketio.client", "classwaves.testing"],
    "dev": ["pytest", "mypy"],
    "bench": [],
}


@pytest.fixture(scope="module")
def script() -> Any:
    """scripts/package.py, which is no module of a package."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git repository: what belongs into a distribution is what git has")
    spec = importlib.util.spec_from_file_location("package_script", ROOT / "scripts" / "package.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def distributions(script: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if importlib.util.find_spec("build") is None:
        pytest.skip("the package build is not installed: make dev")
    sdist, wheel = script.build(tmp_path_factory.mktemp("package"), "--no-isolation", "--skip-dependency-check")
    return sdist, wheel


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_the_wheel_has_the_package_and_nothing_else(script: Any, distributions: tuple[Path, Path]) -> None:
    ours = {str(path) for path in script.tracked() if path.parts[0] == "classwaves"}
    with zipfile.ZipFile(distributions[1]) as wheel:
        there = {name for name in wheel.namelist() if ".dist-info/" not in name}
        about = {Path(name).name for name in wheel.namelist() if ".dist-info/" in name}
    assert there == ours
    assert {"LICENSE", "METADATA", "entry_points.txt"} <= about


def test_the_source_distribution_has_what_git_has(script: Any, distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[0]) as sdist:
        there = {name.partition("/")[2] for name in sdist.getnames() if not sdist.getmember(name).isdir()}
    missing = {str(path) for path in script.tracked()} - there
    assert not missing, "see MANIFEST.in"
    more = there - {str(path) for path in script.tracked()}
    assert {name for name in more if not name.startswith("classwaves.egg-info/")} == {"PKG-INFO"}


def test_nothing_in_the_wheel_names_a_machine(distributions: tuple[Path, Path]) -> None:
    home = os.path.expanduser("~")
    with zipfile.ZipFile(distributions[1]) as wheel:
        named = [name for name in wheel.namelist() if str(ROOT).encode() in wheel.read(name)]
        metadata = next(wheel.read(name).decode() for name in wheel.namelist() if name.endswith("/METADATA"))
    assert not named
    assert home not in metadata
    assert "Requires-Python: >=3.11" in metadata
    assert "License-File: LICENSE" in metadata


@pytest.mark.parametrize("extra", setup()["options.extras_require"])
def test_an_extra_brings_what_it_is_for(extra: str) -> None:
    assert extra in BROUGHT, "say in BROUGHT what this extra is for"
    for module in BROUGHT[extra]:
        importlib.import_module(module)


def test_the_page_names_each_extra_and_no_other() -> None:
    page = (ROOT / "docs" / "installing.md").read_text()
    named = re.findall(r"^\| `classwaves\[(\w+)\]` \|", page, re.MULTILINE)
    assert named == [extra for extra in setup()["options.extras_require"] if extra != "bench"]


def test_every_requirement_has_a_lower_bound_and_no_upper_one() -> None:
    """Extras of others are written with hyphens, as metadata has them: pip before 23.3 finds no ``asyncio_client``."""
    parser = setup()
    lists = [parser["options"]["install_requires"], *parser["options.extras_require"].values()]
    lines = [line.strip() for text in lists for line in text.split("\n") if line.strip() and line.strip()[0] != "#"]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9-]+(\[[a-z0-9-]+\])?>=[\d.]+", line)] == []


def test_the_oldest_versions_are_tried_themselves() -> None:
    """A bound names a release that there is, so that ``make test-min`` installs it and not the newest of its series."""
    done = subprocess.run(  # our own script
        [sys.executable, str(ROOT / "scripts" / "oldest.py")], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) > 20
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9-]+==\d+\.\d+\.\d+", line)] == []


def test_what_is_said_of_python_is_true() -> None:
    parser = setup()
    minors = [int(minor) for minor in re.findall(r"Python :: 3\.(\d+)", parser["metadata"]["classifiers"])]
    assert parser["options"]["python_requires"] == f">=3.{min(minors)}"
    assert sys.version_info >= (3, min(minors))
    assert version("classwaves") == parser["metadata"]["version"]
