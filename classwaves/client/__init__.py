"""A client for bots, transcribers and tests: it comes back, resumes, repeats and renews its tokens by itself.

``pip install 'classwaves[client]'``. It imports nothing of the server.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import ClassWavesError as ClassWavesError
from .event import Event as Event

if TYPE_CHECKING:
    from .aio import AsyncClient as AsyncClient
    from .aio import AsyncRoom as AsyncRoom
    from .sync import Client as Client
    from .sync import Room as Room

#: name -> the module that has it: each needs libraries that the other does not
_HOMES = {"Client": "sync", "Room": "sync", "AsyncClient": "aio", "AsyncRoom": "aio"}


def __getattr__(name: str) -> Any:
    if home := _HOMES.get(name):
        return getattr(import_module(f".{home}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
