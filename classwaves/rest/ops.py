"""Routes at the root for who runs the server: is the process alive, is it ready for traffic."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from ..errors import StoreUnavailable
from ..state import current_state

blueprint = Blueprint("classwaves_ops", __name__)


@blueprint.get("/healthz")
def healthz() -> dict[str, Any]:
    """The process answers."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> Response:
    """Ready for traffic: ``ok``, ``degraded`` (in memory: one server, nothing survives it), or 503.

    503 says ``unavailable`` without a store that takes writes, and ``draining`` while the worker ends.
    """
    state = current_state()
    store = state.store
    status, reachable = "ok" if store.kind == "redis" else "degraded", True
    try:
        store.ping(writes=True)
    except StoreUnavailable:
        status, reachable = "unavailable", False
    if state.hub.draining:
        status = "draining"
    response = jsonify({"status": status, "store": {"kind": store.kind, "reachable": reachable}})
    response.status_code = 200 if status in ("ok", "degraded") else 503
    return response
