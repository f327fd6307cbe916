"""What docs/client-python.md takes for given: a server, a session, and the password of who leads it."""

import os
from typing import Any

from classwaves.auth.accounts import DEMO_PASSWORD


def given() -> dict[str, Any]:
    """Put into the environment where they are; no names are given."""
    os.environ |= {"CLASSROOM": os.environ["CLASSWAVES_URL"], "CODE": "DEM234", "PASSWORD": DEMO_PASSWORD}
    return {}


def check_the_handler(page: dict[str, Any]) -> None:
    assert page["answered"].is_set()
