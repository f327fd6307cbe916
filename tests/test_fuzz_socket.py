"""A fuzzer against the socket of a real server: every input is answered or ends its connection, and harms nobody.

In the suite: all inputs of ``tests/fuzz/corpus``, and then new ones for a few seconds, the same each time. ``make
fuzz`` goes on for longer, with others each time: ``FUZZ_SECONDS=600``, ``FUZZ_SEED=7`` for those of a run before,
``FUZZ_STORE=redis``. An input that did harm is in the message of the failure, as text: it belongs into the corpus, made
as short as it can be.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fuzz.grammar import EVENTS, Grammar
from tests.fuzz.inputs import CORPUS, KINDS, Input, Step, read, written
from tests.fuzz.player import Player
from tests.support.bystanders import Bystanders
from tests.support.debug_app import DebugGunicorn
from tests.support.protocol import http
from tests.support.scene import MB, Scene
from tests.support.school import open_school
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("fuzz-socket")

MORE = float(os.environ.get("FUZZ_SECONDS") or 0)
SECONDS = MORE or 4.0
SEED = int(os.environ.get("FUZZ_SEED") or (random.SystemRandom().randrange(2**32) if MORE else 2026))
STORE = os.environ.get("FUZZ_STORE") or "memory"
BURST = 40
"""Inputs, after which it is looked whether all is well."""
FILES = sorted(CORPUS.glob("*.txt"))


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Return a server with a class of five bystanders."""
    with (
        open_school(STORE, server=DebugGunicorn, CLASSWAVES_CONNECT_TIMEOUT="3") as school,
        Bystanders(school, 5) as bystanders,
    ):
        assert isinstance(school.server, DebugGunicorn)
        bystanders.alone()
        yield Scene(school, school.server, bystanders)


@pytest.fixture(scope="module")
def player(scene: Scene) -> Player:
    return Player(scene.school)


@dataclass(frozen=True)
class Held:
    """What the server holds."""

    files: int
    greenlets: int

    @classmethod
    def of(cls, scene: Scene) -> "Held":
        return cls(scene.server.open_files(), scene.server.greenlets())


def all_is_well(scene: Scene, player: Player, before: Held) -> None:
    """See that the server is as it was before: nobody but the class is connected, and nothing is left open."""
    assert http(scene.port, "GET", "/healthz").status == 200
    eventually(lambda: scene.server.connections() == 5, what="the end of the fuzzer's connections")
    eventually(lambda: scene.server.open_files() <= before.files + 2, what="the end of their descriptors")
    eventually(lambda: scene.server.greenlets() <= before.greenlets + 5, what="the end of their greenlets")
    player.look_at_log()


def test_all_inputs_of_the_corpus(scene: Scene, player: Player) -> None:
    before = Held.of(scene)
    player.play(read(FILES[0].read_text()))

    def play_all() -> None:
        for file in FILES:
            player.play(read(file.read_text()))

    scene.harmless(play_all, growth=16 * MB)
    all_is_well(scene, player, before)


@pytest.mark.timeout(SECONDS + 60)
def test_new_inputs(scene: Scene, player: Player) -> None:
    grammar, count = Grammar(SEED), 0
    end = time.monotonic() + SECONDS
    before, memory = Held.of(scene), scene.server.memory()
    print(f"FUZZ_SEED={SEED}", flush=True)

    def burst() -> None:
        for _ in range(BURST):
            player.play(grammar.input())

    while time.monotonic() < end:
        player.renew()
        scene.harmless(burst, growth=16 * MB)
        all_is_well(scene, player, before)
        count += BURST
    grown = scene.server.memory() - memory
    print(f"{count} inputs; the worker grew by {grown / MB:.1f} MB")
    assert grown < 32 * MB + 2000 * count, "what the sessions of the inputs hold is bounded"


# that it can fail, and what it is made of


def test_the_same_seed_makes_the_same_inputs_and_another_makes_others() -> None:
    made = [[written(grammar.input()) for _ in range(200)] for grammar in (Grammar(1), Grammar(1), Grammar(2))]
    assert made[0] == made[1] != made[2]


def test_every_kind_of_step_and_every_event_is_made() -> None:
    grammar = Grammar(3)
    steps = [step for _ in range(3000) for step in grammar.input().steps]
    assert {step.kind for step in steps} == set(KINDS)
    assert {step.content[0] for step in steps if step.kind == "event"} > set(EVENTS)


def test_an_input_is_the_same_after_it_was_written() -> None:
    grammar = Grammar(4)
    for _ in range(300):
        text = written(grammar.input())
        assert written(read(text)) == text


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_of_the_corpus_says_why_it_is_there(file: Path) -> None:
    text = file.read_text()
    assert text.startswith("# "), "a sentence"
    assert text.isascii()
    read(text)


def test_an_answer_that_must_not_be_is_found(scene: Scene, player: Player) -> None:
    said = ["sendMessage", {"sessionCode": "$CODE", "message": "INTERNAL_ERROR"}]
    asked = Input("student", "websocket", [Step("event", said)])
    player.renew()  # an input before may have closed the chat
    with pytest.raises(AssertionError, match="INTERNAL_ERROR"):
        player.play(asked)


def test_a_line_in_the_log_that_must_not_be_is_found(scene: Scene, player: Player) -> None:
    with scene.server.log_path.open("a") as log:
        log.write("Traceback (most recent call last):\n")
    with pytest.raises(AssertionError, match="Traceback"):
        player.look_at_log()
    with suppress(AssertionError):
        player.look_at_log()
