"""What docs/joining.md takes for given: a shop's table of pupils."""

from types import SimpleNamespace
from typing import Any

import pytest

from classwaves import Refuse

PUPILS = {"7": SimpleNamespace(parents_agreed=True, year=8), "8": SimpleNamespace(parents_agreed=False, year=8)}


def given() -> dict[str, Any]:
    """Return the names that the page's code uses and does not make."""
    pupil = object()
    session = SimpleNamespace(get=lambda table, key: PUPILS.get(key) if table is pupil else None)
    return {"db": SimpleNamespace(session=session), "Pupil": pupil}


def check_the_guard(page: dict[str, Any]) -> None:
    consent = page["consent"]
    assert consent(SimpleNamespace(staff=True))
    assert consent(SimpleNamespace(staff=False, user_id="7"))
    for user_id in ("8", "9"):
        with pytest.raises(Refuse):
            consent(SimpleNamespace(staff=False, user_id=user_id))
