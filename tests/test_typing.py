"""What a shop writes is typed: pyright reads ``tests/typing`` here, in strict mode; mypy does with all other files."""

import importlib.util
import shutil
import subprocess
import sys

import pytest

from tests.support.gunicorn_server import ROOT

CONFIG = ROOT / "tests" / "typing" / "pyrightconfig.json"


@pytest.mark.skipif(
    importlib.util.find_spec("pyright") is None or shutil.which("node") is None, reason="needs pyright, and Node for it"
)
def test_pyright_finds_what_mypy_finds() -> None:
    """It knows ``type: ignore``, and refuses those that hide nothing: so what must not pass does not."""
    command = [sys.executable, "-m", "pyright", "-p", str(CONFIG), "--pythonpath", sys.executable]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "0 errors" in answer.stdout


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "classwaves" / "py.typed").exists()
