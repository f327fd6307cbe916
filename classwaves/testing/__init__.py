"""What a shop tests its classroom with: a pytest plugin with the fixture ``classroom``, and suites for its own parts.

The plugin (``plugin``) is loaded by every pytest in the environment, so this package imports nothing until it is used.
See ``docs/testing.md``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clock import RoomClock as RoomClock
    from .inbox import Received as Received
    from .people import Person as Person
    from .room import OpenRoom as OpenRoom
    from .room import Room as Room

_HOMES = {"RoomClock": "clock", "Received": "inbox", "Person": "people", "OpenRoom": "room", "Room": "room"}


def __getattr__(name: str) -> Any:
    if home := _HOMES.get(name):
        return getattr(import_module(f".{home}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
