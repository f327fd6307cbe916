"""ClassWaves: the real-time layer of a classroom, for Flask."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .app import create_app as create_app
    from .auth.accounts import Authenticator as Authenticator
    from .errors import ClassWavesError as ClassWavesError
    from .errors import Error as Error
    from .events import Context as Context
    from .events import Feature as Feature
    from .extension import ClassWaves as ClassWaves
    from .features import FEATURES as FEATURES
    from .gate import Join as Join
    from .gate import Refuse as Refuse
    from .models import Account as Account
    from .payloads import EventSchema as EventSchema
    from .publisher import Publisher as Publisher
    from .settings import Settings as Settings
    from .settings import SettingsError as SettingsError
    from .shopcontext import EventContext as EventContext

#: name -> the module that has it
_HOMES = {
    "create_app": "app",
    "Authenticator": "auth.accounts",
    "ClassWavesError": "errors",
    "Context": "events",
    "Error": "errors",
    "EventSchema": "payloads",
    "Feature": "events",
    "ClassWaves": "extension",
    "FEATURES": "features",
    "Join": "gate",
    "Refuse": "gate",
    "EventContext": "shopcontext",
    "Account": "models",
    "Publisher": "publisher",
    "Settings": "settings",
    "SettingsError": "settings",
}


def __getattr__(name: str) -> Any:
    # gunicorn's master imports the worker class from this package, before gevent has patched what the rest imports
    if home := _HOMES.get(name):
        return getattr(import_module(f".{home}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
