"""The application as gunicorn serves it in the soak, with a route that tells all that a worker holds."""

import ctypes
import gc
import os
import threading
from collections import Counter
from typing import Any

from flask import Flask
from greenlet import greenlet

from classwaves import create_app
from classwaves.state import State
from tests.support.counting_app import counts


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
    greenlets = Counter(where(one) for one in objects if issubclass(type(one), greenlet) and not one.dead)
    # native threads for passwords have two greenlets each; like connections to Redis there are ten at the most
    found["greenlets"] -= 2 * greenlets["_WorkerGreenlet._begin"]
    # a look for files that nobody knows is a thread for a moment, again and again
    sweeps = sum(thread.name == "classwaves-files" for thread in threading.enumerate())
    found["greenlets"] -= sweeps
    found["threads"] -= sweeps
    types.update(
        {f"thread {thread.name}": 1 for thread in threading.enumerate() if thread.name.startswith("classwaves")}
    )
    types.update({f"greenlet in {name}": count for name, count in greenlets.items()})
    ctypes.CDLL(None).malloc_trim(0)
    return {"pid": os.getpid(), "counts": found, "types": dict(types), "limits": limits(state)}


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
    """How many keys the limits remember: these are forgotten when others need the room, so they have no zero."""
    windows = [*state.limits._windows.values(), *state.limits._events.values()]
    return {"all": sum(map(len, windows)) + len(state.limits._refused), "most": max(map(len, windows))}
