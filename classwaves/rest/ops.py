"""Routes at the root for who runs the server: is it alive, is it ready for traffic, and its numbers."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, jsonify, request

from ..auth.tokens import bearer
from ..errors import ClassWavesError
from ..headers import guard
from ..metrics import CONTENT_TYPE
from ..state import current_state
from .common import answer

blueprint = Blueprint("classwaves_ops", __name__)
blueprint.register_error_handler(ClassWavesError, answer)
blueprint.after_request(guard)


@blueprint.get("/healthz")
def healthz() -> Response:
    """``ok``, or 503 ``blocked``: the loop of this worker stood still a moment ago. The store is not asked."""
    blocked = current_state().health.is_blocked()
    return _told({"status": "blocked" if blocked else "ok"}, 503 if blocked else 200)


@blueprint.get("/readyz")
def readyz() -> Response:
    """Ready for traffic: ``ok``, ``degraded`` (in memory: one server, nothing survives it), or 503.

    503 says ``unavailable`` without a store that takes writes, and ``draining`` while the worker ends or is drained.
    """
    health = current_state().health
    status = health.readiness()
    store = {"kind": current_state().store.kind, "reachable": health.is_reachable()}
    return _told({"status": status, "store": store}, 200 if status in ("ok", "degraded") else 503)


@blueprint.get("/metrics")
def metrics() -> Response:
    """The numbers of all workers of this machine for Prometheus; who asks shows the token, if one is set."""
    state = current_state()
    wanted, given = state.settings.metrics_token, bearer(request.headers.get("Authorization"))
    if wanted and given is None:
        raise ClassWavesError("AUTH_REQUIRED")
    if wanted and not hmac.compare_digest(wanted.encode(), str(given).encode("utf-8", "surrogateescape")):
        raise ClassWavesError("INVALID_TOKEN")
    response = Response(state.metrics.render(), content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


def _told(body: dict[str, object], status: int) -> Response:
    response = jsonify(body)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
