"""The application as gunicorn serves it in the soak, with a route that tells all that a worker holds."""

import ctypes
import gc
import os
import sys
import threading
from collections import Counter
from typing import Any

from flask import Flask
from greenlet import greenlet

from classwaves import create_app
from classwaves.state import State
from classwaves.transport.outbox import Outbox
from tests.support.counting_app import counts, is_ours


def make_app() -> Flask:
    app = create_app()
    app.add_url_rule("/counts", view_func=lambda: told(app.extensions["classwaves"]))
    return app


def told(state: State) -> dict[str, Any]:
    """The worker's pid, what it holds, and how many objects there are of each type.

    What the memory allocator could give back to the system, it gives back first: what is left is held by somebody.
    """
    found, objects = {**counts(state), **more(state)}, gc.get_objects()
    types = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in objects)
    # whoever keeps one of a client that has gone keeps all that it did not read
    found["outboxes"] = types[f"{Outbox.__module__}.{Outbox.__qualname__}"]
    greenlets = Counter(where(one) for one in objects if issubclass(type(one), greenlet) and is_ours(one))
    # a look for files that nobody knows is a thread for a moment, again and again
    sweeps = sum(thread.name == "classwaves-files" for thread in threading.enumerate())
    found["greenlets"] -= sweeps
    found["threads"] -= sweeps
    types.update(
        {f"thread {thread.name}": 1 for thread in threading.enumerate() if thread.name.startswith("classwaves")}
    )
    types.update({f"greenlet in {name}": count for name, count in greenlets.items()})
    ctypes.CDLL(None).malloc_trim(0)
    return {"pid": os.getpid(), "counts": found, "types": dict(types), "limits": limits(state), **used()}


class Malloc(ctypes.Structure):
    """The C library's ``mallinfo2``."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")
        + ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    ]


def used() -> dict[str, int]:
    """What is in use, which is less than the process has: a page, or an arena, is kept for one object on it.

    Python's blocks are its small objects; all else is in the C library's bytes, Python's arenas not.
    """
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = Malloc
    found = ask()
    return {"blocks": sys.getallocatedblocks(), "allocated": found.uordblks + found.hblkhd}


def where(one: greenlet) -> str:
    """The function that a greenlet began with."""
    frame = one.gr_frame
    while frame and frame.f_back:
        frame = frame.f_back
    return f"{frame.f_code.co_qualname}" if frame else "nothing yet"


def more(state: State) -> dict[str, int]:
    """What a flood, a login or a wrong token may leave behind beside that which sockets and sessions may."""
    watch, hub = state.hub.watch, state.hub
    return {
        "users connected": len(state.limits.connections),
        "addresses connected": len(state.limits._houses),
        "logins": len(state.limits.logins),
        "downloads": len(state.limits.downloads),
        "tokens to end": len(watch._deadlines),
        "seats to give up": sum(map(len, hub._retiring.values())),
        "live sessions": len(hub.live_sessions()),
    }


def limits(state: State) -> dict[str, int]:
    """How many keys the limits remember, and how many they still would if somebody new came now."""
    windows = [*state.limits._windows.values(), *state.limits._events.values()]
    found = {"all": sum(map(len, windows)) + len(state.limits._refused), "most": max(map(len, windows))}
    for one in windows:
        one.sweep()
    return {**found, "running": sum(map(len, windows))}
