"""The code of ``docs/client-python.md``, block by block, against a server."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.gunicorn_server import ROOT
from tests.support.school import School, open_school

PAGE = (ROOT / "docs" / "client-python.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHOWN = ["Demo Teacher Good morning\n", r"guest-\S+ 1\n", "", r"FORBIDDEN You may not do this \{.*\} None\n"]


@pytest.fixture(scope="module")
def school() -> Iterator[School]:
    with open_school() as school:
        yield school


def test_every_block_is_run() -> None:
    assert len(BLOCKS) == len(SHOWN)


@pytest.mark.parametrize("number", range(len(SHOWN)))
def test_a_block(number: int, school: School, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for name, value in {"CLASSROOM": school.url, "CODE": school.session(), "PASSWORD": "classwaves"}.items():
        monkeypatch.setenv(name, value)
    names: dict[str, Any] = {"__name__": "bot"}
    exec(BLOCKS[number], names)
    shown = capsys.readouterr().out
    assert re.fullmatch(SHOWN[number], shown), shown
    assert "answered" not in names or names["answered"].is_set()
