"""The capacity model: its page says what its constants say, and its formulas do what they are for."""

import json
from dataclasses import replace

import pytest

from benchmarks import capacity, model
from benchmarks.model import Constants, Load


@pytest.fixture
def of() -> Constants:
    return Constants.of(json.loads(capacity.KEPT.read_text())["constants"])


def test_the_page_is_made_of_what_was_measured() -> None:
    """Else: ``python -m benchmarks.capacity --docs``."""
    text = capacity.PAGE.read_text()
    assert capacity.page(text) == text


def test_a_session_is_on_as_many_workers_as_chance_has_it() -> None:
    assert Load(30, 1).spread == 1
    assert Load(60, 2).spread == pytest.approx(2, abs=1e-8)
    assert Load(3000, 100).spread == pytest.approx(26.0, abs=0.1)
    assert Load(3000, 100, routed=True).spread == 1


def test_every_event_is_cheaper_the_busier_a_process_is(of: Constants) -> None:
    small, large = Load(1000, 1), Load(100_000, 1)
    assert model.worker_cpu(large, of) < 100 * model.worker_cpu(small, of)
    assert model.redis_cpu(large, of) < 100 * model.redis_cpu(small, of)
    for busy, steps in ((0.0, of.quiet), (5.0, of.busy)):
        assert of.worker_steps(busy).accept_us == pytest.approx(steps.accept_us)
        assert of.redis_steps(busy).redis_event_us == pytest.approx(steps.redis_event_us)


def test_where_the_price_settles(of: Constants) -> None:
    assert model.settled(lambda busy: 0.3) == pytest.approx(0.3)
    assert model.settled(lambda busy: 1 - busy) == pytest.approx(0.5)


def test_the_rest_of_the_fleet_costs_a_routed_worker_nothing(of: Constants) -> None:
    one, ten = (Load(5000 * workers, workers, routed=True) for workers in (1, 10))
    assert model.worker_cpu(ten, of) == pytest.approx(10 * model.worker_cpu(one, of))
    assert model.worker_memory(ten, of) == pytest.approx(model.worker_memory(one, of))


@pytest.mark.parametrize("participants", capacity.SIZES)
def test_a_fleet_is_as_large_as_it_must_be(of: Constants, participants: int) -> None:
    load = model.sized(participants, of)
    assert load.workers >= 2 and participants / load.workers <= model.MOST_CONNECTIONS
    assert model.worker_peak(load, of) <= model.MOST_BUSY * load.workers
    assert replace(load, routed=True).spread == 1
