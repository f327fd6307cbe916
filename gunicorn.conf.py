"""gunicorn's settings for ClassWaves. Everything is configured by the environment; see the README.

This file runs in the master before gevent has patched the workers, so it imports nothing that uses sockets: what needs
them is asked from another process, once, and handed to all workers by the environment.
"""

import json
import os
import shutil
import subprocess
import sys

from classwaves.tallies import bury, make_folder

if "CLASSWAVES_PREFLIGHT" not in os.environ:
    asked = subprocess.run([sys.executable, "-m", "classwaves.preflight"], stdout=subprocess.PIPE, text=True)
    if asked.returncode:
        sys.exit(asked.returncode)
    os.environ["CLASSWAVES_PREFLIGHT"] = asked.stdout

_plan = json.loads(os.environ["CLASSWAVES_PREFLIGHT"])
os.environ["CLASSWAVES_STORE"] = _plan["store"]
os.environ["WEB_CONCURRENCY"] = str(_plan["workers"])

_numbers = make_folder()  # where workers leave their numbers for each other

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


def when_ready(server):
    """Say how to go on."""
    port = bind.rsplit(":", 1)[1]
    server.log.info("ClassWaves: http://127.0.0.1:%s (store: %s, workers: %d)", port, _plan["store"], workers)
    if _plan["demo"]:
        server.log.info(
            "Demo mode. Log in as teacher / classwaves or student / classwaves; the demo session is DEM234."
        )
        server.log.info("Open the address in two windows, log in as one and as the other, and join.")


def nworkers_changed(server, new_value, old_value):
    """A second worker of a store in memory would be a second world."""
    if _plan["store"] == "memory" and new_value > 1:
        server.log.warning("The store is in memory: there is one worker.")
        server.num_workers = 1


def child_exit(server, worker):
    """What a worker has counted is not to be lost with it."""
    bury(_numbers, worker.pid)


def on_exit(server):
    """Nobody is left to ask for the numbers."""
    shutil.rmtree(_numbers, ignore_errors=True)
