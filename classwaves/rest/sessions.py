"""Routes under ``/sessions``: create, list, read, change, the steps of its life, guests, participants, history."""

from __future__ import annotations

import time
from typing import Any

from flask_smorest import Blueprint

from .. import lifecycle
from ..archive.base import Archive, Past
from ..auth.tokens import new_guest
from ..entrance import admissions, must_wait
from ..errors import ClassWavesError
from ..gate import Join
from ..live import LiveSession
from ..models import Principal, SessionRecord, normalize_code
from ..past import PastSession
from ..state import current_state
from .auth import tokens
from .common import address, authenticated, documented, make_blueprint, principal, remote
from .schemas import (
    ChangeSessionSchema,
    EndSchema,
    GuestSchema,
    NewSessionSchema,
    PageSchema,
    ParticipantsSchema,
    SessionListSchema,
    SessionSchema,
    TokensSchema,
)

blueprint: Blueprint = make_blueprint("sessions", "Classroom sessions.")


def _find(code: str, who: Principal | None = None) -> str:
    """The id of the session with a code that people may have guessed."""
    found = _look_up(code, who, None)
    assert isinstance(found, str)  # noqa: S101 - for the type checker
    return found


def _look_up(code: str, who: Principal | None, archive: Archive | None) -> str | Past:
    """The id of the session with a code, or else what the archive has of the newest one that had it.

    Guesses are counted by user, and by address where users cost nothing: guests, and who is not logged in. What others
    behind their address guess keeps no guest from their own session, and no class from a session that somebody at this
    address has entered or leads.
    """
    state, own = current_state(), who.auth.guest_of if who else None
    account = who.user_id if who and own is None else None
    key = account or address()
    found: str | Past | None = None
    try:
        found = state.hub.find(code)
    except ClassWavesError as error:
        if error.code == "SESSION_NOT_FOUND":
            canonical = normalize_code(code)
            try:
                found = archive.find(canonical) if archive and canonical else None
            finally:  # also if the archive does not answer, which tells a live code from all others
                if found is None:
                    state.limits.hit("guess", key)
        if found is None:
            raise
    session_id = found.record.id if isinstance(found, Past) else found
    try:
        state.limits.check_here("guess", key)  # each worker learns of it by the first miss there
    except ClassWavesError:
        if own != session_id and (account or not state.limits.is_welcome(key, session_id)):
            raise
    return found


def readable(code: str, replica: bool = True) -> LiveSession:
    """The session, for its staff and for who is or was in it; from the archive, if the store has let it go.

    :param replica: whether it is needed; that of an archived session is read from the archive.
    :raises ClassWavesError: ``SESSION_ACCESS_DENIED``.
    """
    who = principal()
    current_state().limits.hit("read", who.user_id)
    live = _known(code, who)
    if isinstance(live, PastSession) and (replica or not live.is_staff(who)):
        live.fold()
    return _open_to_reader(live)


def readable_id(session_id: str, unknown: str) -> LiveSession:
    """The same by its id. :raises ClassWavesError: ``SESSION_ACCESS_DENIED``; ``unknown``: there is no such session."""
    state, hub = current_state(), current_state().hub
    state.limits.hit("read", principal().user_id)
    try:
        return _open_to_reader(hub.view(session_id))
    except ClassWavesError as error:
        if error.code != "SESSION_NOT_FOUND":
            raise
    found = hub.archive.known(session_id) if hub.archive else None
    if found is None or hub.archive is None:
        raise ClassWavesError(unknown)
    past = PastSession(found, hub.archive, hub.store, hub.settings)
    past.fold()
    return _open_to_reader(past)


def _open_to_reader(live: LiveSession) -> LiveSession:
    if not _may_read(live):
        current_state().hub.refresh(live)  # who has just come in on another worker
        if not _may_read(live):
            raise ClassWavesError("SESSION_ACCESS_DENIED")
    who = principal()
    if not live.is_staff(who) and who.user_id not in live.replica.participants:
        current_state().hub.gate.check(Join.of(who, live.record, remote(), reads=True))
    return live


def _may_read(live: LiveSession) -> bool:
    who = principal()
    if must_wait(live, who) or admissions(live.replica).get(who.user_id) is False:
        return False
    belongs = who.user_id in live.replica.known or who.auth.guest_of == live.id
    return live.is_staff(who) or (belongs and who.user_id not in live.replica.removed)


def _known(code: str, who: Principal) -> LiveSession:
    hub = current_state().hub
    found = _look_up(code, who, hub.archive)
    if isinstance(found, Past) and hub.archive:
        return PastSession(found, hub.archive, hub.store, hub.settings)
    return hub.view(str(found))


def _shown(record: SessionRecord, who: Principal) -> SessionRecord:
    """The record as this user may see it: the roster is for staff."""
    if record.is_staff(who.user_id, who.role):
        return record
    return record.with_changes(settings={k: v for k, v in record.settings.items() if k != "rosterUserIds"})


def page_of(items: list[Any], cursor: int, limit: int) -> tuple[list[Any], str | None]:
    """A page of items, of which one more than ``limit`` were read, and the cursor of the next one."""
    return items[:limit], str(cursor + limit) if len(items) > limit else None


@blueprint.route("/sessions", methods=["POST"])
@documented(blueprint, 403)
@blueprint.arguments(NewSessionSchema)
@blueprint.response(201, SessionSchema)
@authenticated
def create(body: dict[str, Any]) -> SessionRecord:
    """Create a session. For teachers and admins."""
    who = principal()
    if who.role not in ("teacher", "admin"):
        raise ClassWavesError("FORBIDDEN", "Only teachers and admins create sessions")
    limits = current_state().limits
    limits.hit("create", who.user_id)
    record = lifecycle.create(current_state().hub, who.user_id, body["title"], body["settings"])
    limits.welcome(address(), record.id)
    return record


@blueprint.route("/sessions", methods=["GET"])
@documented(blueprint)
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, SessionListSchema)
@authenticated
def index(page: dict[str, int]) -> dict[str, Any]:
    """The user's own sessions, newest first; all of them for an admin."""
    who, limit, cursor = principal(), page["limit"], page["cursor"]
    current_state().limits.hit("read", who.user_id)
    owner = None if who.role == "admin" else who.user_id
    records, following = page_of(current_state().store.list_sessions(owner, cursor, limit + 1), cursor, limit)
    return {"sessions": [_shown(record, who) for record in records], "nextCursor": following}


@blueprint.route("/sessions/<code>", methods=["GET"])
@documented(blueprint, 403, 404)
@blueprint.response(200, SessionSchema)
@authenticated
def show(code: str) -> SessionRecord:
    """One session, for its staff and participants."""
    return _shown(readable(code, replica=False).record, principal())


@blueprint.route("/sessions/<code>", methods=["PATCH"])
@documented(blueprint, 403, 404, 409)
@blueprint.arguments(ChangeSessionSchema)
@blueprint.response(200, SessionSchema)
@authenticated
def change(body: dict[str, Any], code: str) -> SessionRecord:
    """Change the title or some of the settings. For staff."""
    hub, who = current_state().hub, principal()
    current_state().limits.hit("event", who.user_id)
    return lifecycle.configure(hub, _find(code, who), who, body.get("title"), body.get("settings", {}))


def _step(code: str, name: str, reason: str | None = None) -> SessionRecord:
    state, who = current_state(), principal()
    state.limits.hit("event", who.user_id)
    record = lifecycle.step(state.hub, _find(code, who), name, who, reason)
    state.limits.welcome(address(), record.id)  # who leads it is there
    return record


@blueprint.route("/sessions/<code>/start", methods=["POST"])
@documented(blueprint, 403, 404, 409)
@blueprint.response(200, SessionSchema)
@authenticated
def start(code: str) -> SessionRecord:
    """Start a session that was created."""
    return _step(code, "start")


@blueprint.route("/sessions/<code>/pause", methods=["POST"])
@documented(blueprint, 403, 404, 409)
@blueprint.response(200, SessionSchema)
@authenticated
def pause(code: str) -> SessionRecord:
    """Pause an active session."""
    return _step(code, "pause")


@blueprint.route("/sessions/<code>/resume", methods=["POST"])
@documented(blueprint, 403, 404, 409)
@blueprint.response(200, SessionSchema)
@authenticated
def resume(code: str) -> SessionRecord:
    """Resume a paused session."""
    return _step(code, "resume")


@blueprint.route("/sessions/<code>/end", methods=["POST"])
@documented(blueprint, 403, 404, 409)
@blueprint.arguments(EndSchema, required=False)
@blueprint.response(200, SessionSchema)
@authenticated
def end(body: dict[str, str] | None, code: str) -> SessionRecord:
    """End a session for good."""
    return _step(code, "end", (body or {}).get("reason"))


@blueprint.route("/sessions/<code>/join", methods=["POST"])
@documented(blueprint, 403, 404, 409, public=True)
@blueprint.arguments(GuestSchema)
@blueprint.response(200, TokensSchema)
def join(body: dict[str, str], code: str) -> dict[str, Any]:
    """A login for a guest student, good for this session alone."""
    state = current_state()
    record = state.hub.record(_find(code))
    state.limits.hit("guest", address())  # wrong codes are counted as guesses, and use up nothing of a class's
    if record.status == "ended":
        raise ClassWavesError("SESSION_ENDED")
    if record.settings["access"] != "code" or not record.settings["guestsAllowed"]:
        raise ClassWavesError("SESSION_ACCESS_DENIED", "This session is not open to guests")
    who, seconds = new_guest(body["displayName"], record.id), state.settings.idle_days * 86400
    state.hub.gate.check(Join.of(Principal(who, time.time() + seconds), record, remote()))
    most = state.settings.guests_per_seat * record.settings["maxParticipants"]
    pair = state.tokens.guest(who, seconds, most)
    state.limits.welcome(address(), record.id)
    return tokens(pair)


@blueprint.route("/sessions/<code>/participants", methods=["GET"])
@documented(blueprint, 403, 404)
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, ParticipantsSchema)
@authenticated
def participants(page: dict[str, int], code: str) -> dict[str, Any]:
    """Who is in the session, in the order of joining."""
    live, limit, cursor = readable(code), page["limit"], page["cursor"]
    with live.lock:
        everybody = live.participants()
    shown, following = page_of(everybody[cursor : cursor + limit + 1], cursor, limit)
    return {"participants": shown, "nextCursor": following}
