"""What gunicorn's master asks once, before it starts workers: are the settings right, and which store is it to be?

``python -m classwaves.preflight`` prints JSON for ``gunicorn.conf.py``, which must not import sockets itself, and exits
with 1 and a sentence if there can be no start. The answer is handed to the workers, who never decide for themselves.
"""

from __future__ import annotations

import json
import sys

from .errors import StoreUnavailable
from .settings import Settings, SettingsError
from .store import open_store

WARNING = """\
==============================================================================
 ClassWaves keeps everything IN MEMORY: {reason}.
 There is one worker, and what is in it ends with it.
 For several workers, and for sessions that survive a restart, {advice}.
=============================================================================="""


def main() -> int:
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(f"ClassWaves cannot start: {error}", file=sys.stderr)
        return 1
    kind = settings.store_kind
    if kind == "memory":
        _warn("REDIS_URL is not set", "set REDIS_URL")
    elif not settings.require_redis and settings.store == "auto" and not _reachable(settings):
        kind = "memory"
        _warn("the Redis of REDIS_URL does not answer", "start it, or set CLASSWAVES_REQUIRE_REDIS=1 to wait for it")
    answer = {
        "store": kind,
        "bind": settings.bind,
        "workers": settings.workers if kind == "redis" else 1,
        "connections": settings.max_connections,
        "demo": settings.demo,
    }
    print(json.dumps(answer))
    return 0


def _reachable(settings: Settings) -> bool:
    store = open_store(settings)
    try:
        store.ping()
    except StoreUnavailable:
        return False
    finally:
        store.close()
    return True


def _warn(reason: str, advice: str) -> None:
    print(WARNING.format(reason=reason, advice=advice), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
