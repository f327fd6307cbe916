"""What can be said of how the server is started: gunicorn's settings, read and not run, and what this machine allows.

Imports settings and the findings. ``gunicorn.conf.py`` is a program; only the plain values that it assigns are known,
and those of ours that it takes over.
"""

from __future__ import annotations

import ast
import resource
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..settings import Settings
from .findings import Finding, error, ok, warning

WORKER = "classwaves.transport.worker.Worker"
#: Our settings of gunicorn, which a file takes over by importing all of them, and where they are.
OURS, OUR_FILE = "classwaves.gunicorn_conf", Path(__file__).parent.parent / "gunicorn_conf.py"
#: Options of gunicorn's command line that matter here, by all their names.
OPTIONS = {
    "-k": "worker_class",
    "--worker-class": "worker_class",
    "-c": "config",
    "--config": "config",
    "-w": "workers",
    "--workers": "workers",
    "--graceful-timeout": "graceful_timeout",
    "--max-requests": "max_requests",
    "--log-level": "loglevel",
}
#: What of gunicorn's ``graceful_timeout`` is not for closing sockets, in seconds.
SPARE = 4.5
#: File descriptors that a worker has beside its connections.
BESIDE = 100


def check_server(settings: Settings, environ: Mapping[str, str], folder: Path) -> Iterator[Finding]:
    """Look at gunicorn's settings for this folder, at the patches of this process and at its limits."""
    options = gunicorn_options(environ, folder)
    yield from _worker(options)
    if options.get("preload_app"):
        yield error(
            "gunicorn",
            "preload_app loads the application before gevent has patched anything, and workers then wait where they "
            "should go on: take it out.",
        )
    if str(options.get("workers", "")).isdigit() and int(options["workers"]) > 1 and settings.store_kind == "memory":
        yield error("gunicorn", "several workers of a store in memory know nothing of each other: set REDIS_URL.")
    if int(options.get("max_requests") or 0):
        yield warning(
            "gunicorn", "max_requests replaces workers now and then, and their clients go elsewhere: take it out."
        )
    graceful = float(options.get("graceful_timeout") or 30)
    if graceful < settings.drain_seconds + SPARE:
        yield warning(
            "gunicorn",
            f"graceful_timeout is {graceful:g} s, too short to close sockets over CLASSWAVES_DRAIN_SECONDS "
            f"({settings.drain_seconds:g} s): give it {settings.drain_seconds + SPARE:g} s or more.",
        )
    if str(options.get("loglevel", "")).lower() == "debug":
        yield warning("log level", "debug writes much, and what libraries log at it may be personal: use info.")
    yield from _patches()
    yield from _descriptors(settings)


def gunicorn_options(environ: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """What gunicorn would be started with here; its command line wins over its variable, and that over its file."""
    procfile = folder / "Procfile"
    lines = procfile.read_text().splitlines() if procfile.exists() else []
    web = next((line.partition(":")[2] for line in lines if line.startswith("web:")), "")
    told = {**command_line(environ.get("GUNICORN_CMD_ARGS", "")), **command_line(web)}
    named = str(told.pop("config", "gunicorn.conf.py"))
    file = OUR_FILE if named == f"python:{OURS}" else folder / named.removeprefix("file:")
    return {**(_assigned(file) if file.exists() else {}), **told}


def command_line(text: str) -> dict[str, Any]:
    """The options of :data:`OPTIONS` in a command."""
    found: dict[str, Any] = {}
    try:
        words = shlex.split(text)
    except ValueError:  # a quote that does not end
        words = text.split()
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if word == "--preload":
            found["preload_app"] = True
        elif name in OPTIONS:
            found[OPTIONS[name]] = value if equals else next(iter(words[place + 1 :]), "")
        elif word[:2] in OPTIONS and not word.startswith("--") and len(word) > 2:
            found[OPTIONS[word[:2]]] = word[2:]
    return found


def _assigned(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        tree = ast.parse(file.read_text())
    except (SyntaxError, ValueError):
        return found  # gunicorn says so itself
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == OURS and node.names[0].name == "*":
            found |= _assigned(OUR_FILE)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            found |= {target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)}
    return found


def _worker(options: Mapping[str, Any]) -> Iterator[Finding]:
    kind = options.get("worker_class")
    if kind == WORKER:
        yield ok("gunicorn", "its worker is ours")
    elif kind is None:
        yield warning(
            "gunicorn",
            "no worker class is set in a gunicorn.conf.py, Procfile or GUNICORN_CMD_ARGS here, and other command "
            f"lines are not seen: write a gunicorn.conf.py with the line: from {OURS} import *",
        )
    else:
        yield error(
            "gunicorn",
            f"its worker is {kind}: there is no WebSocket with it, and long-polling fails on several. Use -k {WORKER}.",
        )


def _patches() -> Iterator[Finding]:
    """What the application has done to this process, in which nobody else patches anything."""
    from gevent.monkey import is_module_patched

    if "eventlet" in sys.modules:
        yield error("patches", "the application imports eventlet, which does not go with gevent: take it out.")
    parts = {name: is_module_patched(name) for name in ("socket", "ssl", "threading", "select")}
    if any(parts.values()) and not all(parts.values()):
        missing = ", ".join(name for name, patched in parts.items() if not patched)
        yield error(
            "patches",
            f"the application patches some modules and not {missing}: take its patch out, our worker patches all "
            "before the application is loaded.",
        )
    elif any(parts.values()):
        yield ok("patches", "the application patches by itself, which our worker does before it is loaded")
    else:
        yield ok("patches", "the application leaves them to our worker")


def _descriptors(settings: Settings) -> Iterator[Finding]:
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.max_connections + settings.redis_connections + BESIDE
    if allowed not in (resource.RLIM_INFINITY, -1) and allowed < wanted:
        yield warning(
            "descriptors",
            f"this shell allows a process {allowed} open files, and CLASSWAVES_MAX_CONNECTIONS of a worker wants "
            f"{wanted}: raise it with `ulimit -n`, LimitNOFILE of systemd or nofile of Docker, or lower the setting.",
        )
    else:
        yield ok("descriptors", f"{allowed} open files for {settings.max_connections} connections of a worker")
