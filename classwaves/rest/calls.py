"""The route of ICE servers, by which browsers find a way to each other."""

from __future__ import annotations

import time
from typing import Any

from flask_smorest import Blueprint

from .. import ice
from ..errors import ClassWavesError
from ..state import current_state
from .common import authenticated, documented, make_blueprint, principal
from .schemas import IceSchema
from .sessions import readable

blueprint: Blueprint = make_blueprint("calls", "Voice and video between participants.")


@blueprint.after_request
def _keep_nowhere(response: Any) -> Any:
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.route("/sessions/<code>/ice", methods=["GET"])
@documented(blueprint, 403, 404, 409)
@blueprint.response(200, IceSchema)
@authenticated
def servers(code: str) -> dict[str, Any]:
    """STUN and TURN servers for calls, as a browser's `iceServers`. For who is in the session."""
    state, live, who = current_state(), readable(code), principal()
    if live.record.status == "ended":
        raise ClassWavesError("SESSION_ENDED")
    if who.user_id not in live.replica.participants:
        state.hub.refresh(live)  # who has just come in on another worker
    if who.user_id not in live.replica.participants:
        raise ClassWavesError("NOT_IN_SESSION")
    settings = state.settings
    expires_at = int(time.time()) + settings.turn_ttl
    shown, ends = ice.for_user(settings.ice_servers, who.user_id, secret=settings.turn_secret, expires_at=expires_at)
    return {"iceServers": shown, **({"ttl": settings.turn_ttl} if ends else {})}
