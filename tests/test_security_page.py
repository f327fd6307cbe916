"""SECURITY.md names tests that there are, at least one for each threat."""

import ast
import re

import pytest

from tests.support.gunicorn_server import ROOT

TABLE = re.compile(r"^\| (?!asset|-)([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
ROWS = TABLE.findall((ROOT / "SECURITY.md").read_text())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1][:40])
def test_a_threat_has_tests_that_there_are(row: tuple[str, str, str, str]) -> None:
    named = NAMED.findall(row[3])
    assert named
    assert NAMED.sub("", row[3]).strip() == "", "only names of tests"
    for file, name in named:
        functions = {
            node.name
            for node in ast.walk(ast.parse((ROOT / "tests" / file).read_text()))
            if isinstance(node, ast.FunctionDef)
        }
        assert name in functions, f"{file} has no {name}"


def test_the_whole_table_is_read() -> None:
    lines = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if "::test_" in line]
    assert len(lines) == len(ROWS) > 25
