"""``/users/{userId}/data``: what one user has said and is called, handed out and erased."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint

from ..history import line
from ..personal import Erased, PersonalData
from ..state import current_state
from .common import address, also, authenticated, documented, json_lines, make_blueprint, principal, refused_admin
from .schemas import ErasedSchema

blueprint: Blueprint = make_blueprint("users", "What is kept of one user.")

DATA = "/users/<path:user_id>/data"


def _of(user_id: str) -> PersonalData:
    """The data of a user, for themselves and for admins. :raises ClassWavesError: ``FORBIDDEN``."""
    who, state = principal(), current_state()
    state.limits.hit("read", who.user_id)
    if who.user_id != user_id and (who.role != "admin" or who.auth.guest_of is not None):
        raise refused_admin("This is for the user, and for admins")
    if who.role != "admin":
        state.limits.hit("personal", who.user_id if who.auth.guest_of is None else address())
    return PersonalData(state.hub, user_id)


@blueprint.route(DATA, methods=["GET"])
@documented(blueprint, 403)
@blueprint.response(200, description="Entries of logs, one a line")
@blueprint.doc(responses={200: also("application/x-ndjson")})
@authenticated
def data(user_id: str) -> Response:
    """What has this user's name or texts, in all sessions, as JSON lines like those of an export."""
    personal = _of(user_id)
    current_state().hub.audit.note("user.exported", principal().user_id, target=user_id)
    found: Any = ({"sessionCode": said.code, **line(said.entry)} for said in personal.entries())
    return json_lines(found, "user-data.jsonl")


@blueprint.route(DATA, methods=["DELETE"])
@documented(blueprint, 403)
@blueprint.response(200, ErasedSchema)
@authenticated
def erase(user_id: str) -> Erased:
    """Take this user's names, texts and files out of all sessions, and end their logins. It cannot be undone.

    What was said keeps its place and its time, so that order and counts stay, and user ids stay. Whoever is in one of
    these sessions is told anew how it is: `sessionJoined` with `recovered: false`.
    """
    who, personal = principal(), _of(user_id)
    with current_state().hub.audit.noting("user.erased", who.user_id, target=user_id):
        return personal.erase(asking=who.auth.id if who.user_id == user_id else "")
