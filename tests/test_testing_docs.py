"""The plugin as a project has it: who does not use it is left alone, and mistakes are told."""

import subprocess
import sys
from pathlib import Path

from tests.support.gunicorn_server import ROOT
from tests.support.processes import minimal_environ

OFF = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}


def run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=minimal_environ() | OFF | env,
        capture_output=True,
        text=True,
        timeout=100,
    )


def pytest_in(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    options = ["-p", "classwaves.testing.plugin", "-p", "no:cacheprovider", "-W", "error", "--strict-markers"]
    return run(folder, "-m", "pytest", "-q", "--rootdir", str(folder), *options, **env)


def test_a_project_that_does_not_use_it_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n\n\ndef test_nothing():\n"
        "    assert not {'flask', 'marshmallow', 'gevent', 'classwaves.state'} & set(sys.modules)\n"
    )
    done = pytest_in(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mistakes_are_told(tmp_path: Path) -> None:
    marker = "import pytest\n@pytest.mark.classwaves_server{}\ndef test(classroom): ..."
    mistakes = {
        "classroom needs a fixture app that returns your application": "def test(classroom): ...",
        "say which application gunicorn is to serve": marker.format(""),
        "gunicorn did not start with nothing:app": marker.format("('nothing:app')"),
    }
    for number, test in enumerate(mistakes.values()):
        (tmp_path / f"test_{number}.py").write_text(test)
    done = pytest_in(tmp_path)
    assert done.returncode == 1
    for told in mistakes:
        assert told in done.stdout


def test_the_entry_point_names_the_plugin() -> None:
    text = (ROOT / "setup.cfg").read_text()
    assert "pytest11 =\n    classwaves = classwaves.testing.plugin\n" in text
