"""What an event may not be is said when it is registered."""

from typing import Any

import pytest

from classwaves import Context, EventSchema, Feature


def handler(context: Context, data: dict[str, Any]) -> None:
    """Do nothing."""


def test_an_event_that_takes_turns_cannot_overlap() -> None:
    feature = Feature("bells")
    with pytest.raises(RuntimeError, match="ring: .*exclusive.*overlap"):
        feature.event("ring", schema=EventSchema, allow="participant", exclusive=True, overlaps=True)
    assert feature.events == []


@pytest.mark.parametrize("how", ["exclusive", "overlaps"])
def test_an_event_may_be_either(how: str) -> None:
    feature = Feature("bells")
    options: dict[str, Any] = {how: True}
    feature.event("ring", schema=EventSchema, allow="participant", **options)(handler)
    (event,) = feature.events
    assert (event.exclusive, event.overlaps) == (how == "exclusive", how == "overlaps")
