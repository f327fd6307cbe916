"""Demo mode: a page at ``/``, the classroom at ``/classroom/``, and a session to try them with.

The demo users are in ``auth.accounts``.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from flask import Flask, Response, abort, send_file

from . import lifecycle
from .auth.accounts import DEMO_ACCOUNTS
from .errors import ClassWavesError, StoreUnavailable
from .headers import guard_page, page_policy
from .hub import Hub

logger = logging.getLogger(__name__)

DEMO_CODE = "DEM234"
DEMO_TITLE = "Demo lesson"

_ROOT = Path(__file__).resolve().parent.parent
_PAGE = _ROOT / "examples" / "websocket-client.html"
_CLIENT = _ROOT / "node_modules" / "socket.io-client" / "dist"
_CLASSROOM = _ROOT / "examples" / "classroom"
_CLASSROOM_CLIENT = _ROOT / "clients" / "js" / "classwaves.js"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_CDN = "https://cdn.socket.io"
"""Where the pages look for their Socket.IO client if it is not here."""


def register(app: Flask) -> None:
    """Serve the example page, and make the demo session as soon as the store is there."""
    hub: Hub = app.extensions["classwaves"].hub
    try:
        ensure_session(hub)
    except StoreUnavailable:
        hub.scheduler.after(1, lambda: ensure_session(hub))
    pages = "Open /classroom/ in two windows, and be the teacher in one and the student in the other."
    logger.info(
        "The demo session is %s. %s", DEMO_CODE, pages if _CLASSROOM.exists() else "Its pages are in a clone alone."
    )

    @app.get("/")
    def page() -> Response:
        if not _PAGE.exists():
            return abort(404)
        policy = page_policy(_PAGE.read_text(), scripts=_CDN, connects="*")  # one may talk to another server
        return guard_page(send_file(_PAGE), policy)

    @app.get("/<any('socket.io.min.js', 'socket.io.min.js.map'):name>")
    def client(name: str) -> Response:
        return guard_page(send_file(_CLIENT / name), page_policy("")) if (_CLIENT / name).exists() else abort(404)

    @app.get("/classroom/", defaults={"name": "index.html"})
    @app.get("/classroom/<path:name>")
    def classroom(name: str) -> Response:
        path = classroom_file(name)
        return guard_page(send_file(path, _TYPES[path.suffix]), page_policy("", scripts=_CDN)) if path else abort(404)


def classroom_file(name: str) -> Path | None:
    """The file of the classroom pages with this name; ``None`` for everything else.

    A name is looked up among those of the folder and is never made into a path, so it leads nowhere else.
    """
    there = {path.relative_to(_CLASSROOM).as_posix(): path for path in _CLASSROOM.rglob("*") if path.suffix in _TYPES}
    there |= {page: there[f"{page}.html"] for page in ("teacher", "student") if f"{page}.html" in there}
    if _CLASSROOM_CLIENT.exists():
        there[_CLASSROOM_CLIENT.name] = _CLASSROOM_CLIENT
    return there.get(name)


def ensure_session(hub: Hub) -> None:
    """Have a running demo session: one that was ended makes room for a new one.

    :raises StoreUnavailable: the store is away.
    """
    session_id = hub.store.session_id(DEMO_CODE)
    record = hub.store.record(session_id) if session_id else None
    if record and record.status != "ended":
        return
    if record:
        hub.store.expire(record, 0.001)
        time.sleep(0.01)
    owner = DEMO_ACCOUNTS["teacher"].user_id
    try:
        fresh = lifecycle.create(hub, owner, DEMO_TITLE, {}, code=DEMO_CODE)
    except ClassWavesError as error:
        if error.code != "CONFLICT":  # another worker was faster
            raise
        return
    lifecycle.step(hub, fresh.id, "start", lifecycle.system(owner))
