"""No regular expression of ours takes more than linear time, whatever a client sends (ReDoS).

All patterns of the package are found by its syntax trees, so one that is added later is in here by itself. Each runs,
in the ways it is used, on texts made to have it go back and forth: pieces that it nearly matches, repeated, with an end
that it does not. Time is compared with the time for an eighth of the text, and only where both can be measured.
"""

import ast
import importlib
import re
import time
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
import regex
from marshmallow import validate

from classwaves.features import FEATURES
from tests.test_imports import MODULES

WAYS = {"match", "fullmatch", "search", "sub", "split", "findall", "finditer"}
PATTERNS = (re.Pattern, regex.Pattern)
SHORT, LONG = 1_000, 8_000
NOTICED = 0.002
"""Seconds; less is noise."""
FEW = 20
"""So many repetitions are enough for a pattern that takes exponential time to be noticed."""

OF_GUNICORN = {"transport.worker", "gunicorn_conf"}
"""The first patches the process, the second asks for settings; they have no pattern of their own."""

Use = tuple[Any, str]
"""A compiled pattern, and the name of the method that is called with it."""


def uses() -> dict[str, Use]:
    """Return all patterns of the package by where they are and how they are used."""
    found: dict[str, Use] = {}
    for name in MODULES:
        if name in OF_GUNICORN:
            continue
        for where, use in _of_module(name):
            found[f"{name or 'classwaves'}:{where}"] = use
    for feature in FEATURES:
        for event in feature.events:
            for field_name, field in event.schema.fields.items():
                for one in field.validators:
                    if isinstance(one, validate.Regexp):
                        found[f"{event.name}.{field_name}:match"] = one.regex, "match"
    return found


def _of_module(name: str) -> Iterator[tuple[str, Use]]:
    module = importlib.import_module(f"classwaves.{name}".rstrip("."))
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        called = node.func if isinstance(node, ast.Call) else node  # a method may also be handed on
        if not isinstance(called, ast.Attribute) or called.attr not in WAYS or not isinstance(called.value, ast.Name):
            continue
        whose = called.value.id
        if isinstance(compiled := getattr(module, whose, None), PATTERNS):
            yield f"{whose}.{called.attr}", (compiled, called.attr)
        elif whose in ("re", "regex") and isinstance(node, ast.Call):
            pattern = node.args[0]
            assert isinstance(pattern, ast.Constant), f"{name}: give the pattern of re.{called.attr} a name"
            yield f"{ascii(pattern.value)}.{called.attr}", (re.compile(pattern.value), called.attr)


USES = uses()


def pieces(source: str) -> list[str]:
    """Return texts that a pattern may be about: the characters that it names, a few others, and two of them."""
    named = set(re.sub(r"\\[a-zA-Z]\w*|\{[^}]*\}", "", source)) - set("\\^")
    alphabet = sorted(named | set("a0 -.\n\t/"))[:40]
    return alphabet + ["".join(two) for two in product(alphabet[:12], repeat=2)]


def seconds(run: Callable[[Any], object], text: Any) -> float:
    """Return how long this takes, in seconds of this thread alone."""
    begin = time.thread_time()
    run(text)
    return time.thread_time() - begin


def grows(use: Use) -> str:
    """Return a text for which a use takes more than linear time; empty if there is none."""
    compiled, way = use
    method, raw = getattr(compiled, way), isinstance(compiled.pattern, bytes)
    source = compiled.pattern.decode("latin-1") if raw else compiled.pattern

    def run(text: str) -> float:
        given: Any = text.encode("latin-1", "replace") if raw else text
        args = (given[:1], given) if way == "sub" else (given,)
        begin = time.thread_time()
        found = method(*args)
        if way == "finditer":
            list(found)
        return time.thread_time() - begin

    for piece, start, end in product(pieces(source), ("", "a/"), ("", "\0", "!")):
        few = start + piece * FEW + end
        if min(run(few), run(few)) > NOTICED:
            return f"{ascii(piece)} * {FEW}"
        short, long = (start + piece * size + end for size in (SHORT, LONG))
        if run(long) > NOTICED and all(_is_steep(run, short, long) for _ in range(3)):
            return f"{ascii(piece)} * {LONG}"
    return ""


def _is_steep(run: Callable[[str], float], short: str, long: str) -> bool:
    return run(long) > 3 * (LONG / SHORT) * max(run(short), NOTICED / 20)


@pytest.mark.parametrize("where", USES)
def test_time_grows_with_the_length_of_a_text(where: str) -> None:
    assert grows(USES[where]) == ""


def test_all_patterns_are_in_it() -> None:
    """Those that are compiled are used, by a name of their module."""
    compiled = {
        f"{name}:{key}"
        for name, path in MODULES.items()
        for key in re.findall(r"^(\w+) = (?:re|regex)\.compile\(", path.read_text(), re.MULTILINE)
    }
    assert {where.rpartition(".")[0] for where in USES} >= compiled
    assert len(USES) >= 12


@pytest.mark.parametrize("pattern", [r"--+>", r"(a+)+\Z", r"(a|a)*b"])
def test_a_pattern_that_takes_too_long_is_found(pattern: str) -> None:
    assert grows((re.compile(pattern), "search"))
