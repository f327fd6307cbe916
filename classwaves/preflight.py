"""What gunicorn's master asks once, before it starts workers: are the settings right, and which store is it to be?

``python -m classwaves.preflight`` prints JSON for ``gunicorn.conf.py``, which must not import sockets itself, and exits
with 1 and a sentence if there can be no start. The answer is handed to the workers, who never decide for themselves.
"""

from __future__ import annotations

import json
import logging
import sys

from . import logs
from .errors import StoreUnavailable
from .settings import Settings, SettingsError
from .store import open_store

# run as a program, its __name__ is another one
logger = logging.getLogger("classwaves.preflight")

WARNING = """\
==============================================================================
 ClassWaves keeps everything IN MEMORY: {reason}.
 There is one worker, and what is in it ends with it.
 For several workers, and for sessions that survive a restart, {advice}.
=============================================================================="""


def main() -> int:
    logs.configure()
    try:
        settings = Settings.load()
    except SettingsError as error:
        logger.error("ClassWaves cannot start: %s", error)
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
        # at DEBUG gunicorn writes down what we would not
        "loglevel": "info" if settings.log_level == "debug" else settings.log_level,
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
    text = WARNING.format(reason=reason, advice=advice)
    if logs.wanted()[0] == "text":
        print(text, file=sys.stderr)
    else:  # one line, without the frame
        logger.warning(" ".join(line.strip() for line in text.splitlines()[1:-1]))


if __name__ == "__main__":
    sys.exit(main())
