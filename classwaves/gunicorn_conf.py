"""gunicorn's settings for ClassWaves: ``gunicorn --config python:classwaves.gunicorn_conf shop:app``.

Everything is configured by the environment. A ``gunicorn.conf.py`` of one's own says ``from classwaves.gunicorn_conf
import *`` and what is to be different.

It is loaded by gunicorn's master, before gevent has patched the workers, so it imports nothing that uses sockets: what
needs them is asked from another process, once, and handed to all workers by the environment. Loading it is what asks.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess  # nosec B404
import sys
from typing import Any

from .tallies import bury, make_folder
from .transport.succession import announce, settle

if "CLASSWAVES_PREFLIGHT" not in os.environ:
    asked = subprocess.run(  # nosec B603
        [sys.executable, "-m", "classwaves.preflight"], stdout=subprocess.PIPE, text=True, check=False
    )
    if asked.returncode:
        sys.exit(asked.returncode)
    os.environ["CLASSWAVES_PREFLIGHT"] = asked.stdout

_plan: dict[str, Any] = json.loads(os.environ["CLASSWAVES_PREFLIGHT"])
os.environ["CLASSWAVES_STORE"] = _plan["store"]
os.environ["WEB_CONCURRENCY"] = str(_plan["workers"])

_numbers = make_folder()  # where workers leave word for each other: their numbers, and that they serve


def _clear(process: int) -> None:
    """The master ends; its workers do, too, but are not to take the folder along."""
    if os.getpid() == process:
        shutil.rmtree(_numbers, ignore_errors=True)


atexit.register(_clear, os.getpid())  # gunicorn tells nobody of a start that failed, or was a check alone

bind = _plan["bind"]
workers = _plan["workers"]
worker_class = "classwaves.transport.worker.Worker"
# a polling client holds a place in gunicorn's pool, and so does each handshake; some are left for plain requests
worker_connections = _plan["connections"] + 100
logger_class = "classwaves.transport.gunicorn_log.Logger"
loglevel = _plan["loglevel"]
preload_app = False  # gevent patches a worker before it loads the application, not the master
control_socket_disable = True  # the home directory of a PaaS may be read-only
timeout = 30
# a worker that ends closes its sockets over four seconds; a PaaS kills after ten at the soonest
graceful_timeout = 9
keepalive = 5
limit_request_line = 8190


def on_starting(server: Any) -> None:
    """Workers of another user (gunicorn's ``user``) are to write there."""
    if (server.cfg.uid, server.cfg.gid) != (os.geteuid(), os.getegid()):
        os.chown(_numbers, server.cfg.uid, server.cfg.gid)


def when_ready(server: Any) -> None:
    """Say how to go on."""
    # where it listens is the command line's to say, too, or systemd's
    address = ", ".join(str(listener).replace("//0.0.0.0:", "//127.0.0.1:") for listener in server.LISTENERS)
    server.log.info("ClassWaves: %s (store: %s, workers: %d)", address, _plan["store"], server.cfg.workers)
    if _plan["demo"]:
        server.log.info("Demo mode. Log in as teacher / classwaves or student / classwaves.")


def nworkers_changed(server: Any, new_value: int, old_value: int | None) -> None:
    """A second worker of a store in memory would be a second world."""
    if _plan["store"] == "memory" and new_value > 1:
        server.log.warning("The store is in memory: there is one worker.")
        server.num_workers = 1


def on_reload(server: Any) -> None:
    """The old workers are to serve until the new ones do."""
    try:
        announce(_numbers, server.worker_age, server.cfg.workers)
    except OSError as error:  # which would end the master
        server.log.warning("The old workers do not wait for the new ones: %s", error)


def child_exit(server: Any, worker: Any) -> None:
    """Nobody is to wait for a worker that has died, and what it has counted is not to be lost with it."""
    settle(worker.age, _numbers)
    try:
        bury(_numbers, worker.pid)
    except OSError as error:  # which would end the master
        server.log.warning("What a worker has counted is not added to the others' numbers: %s", error)


def on_exit(server: Any) -> None:
    """Nobody is left to ask for the numbers. A daemon is not the process that has read this."""
    _clear(os.getpid())
