"""Routes under ``/sessions/{code}`` that read what happened: groups, messages, transcript, attendance, export."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

from flask import Response
from flask_smorest import Blueprint

from .. import captions
from ..errors import ClassWavesError
from ..features.attendance import sheet
from ..features.groups import all_groups
from ..features.history import messages, segments
from ..history import Log, Window, line
from ..live import LiveSession
from ..models import Entry
from ..past import PastSession
from ..state import current_state
from .auth import tokens
from .common import also, attachment, authenticated, documented, json_lines, make_blueprint, principal
from .schemas import (
    AttendanceQuery,
    AttendanceSchema,
    GroupsSchema,
    HistoryQuery,
    MessagesSchema,
    PageSchema,
    TokensSchema,
    TranscriberSchema,
    TranscriptQuery,
    TranscriptSchema,
)
from .sessions import page_of, readable

blueprint: Blueprint = make_blueprint("records", "What happened in a classroom session.")

#: What a spreadsheet would take for the beginning of a formula, some of them also in full width.
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n")

COLUMNS = (
    "userId",
    "displayName",
    "role",
    "status",
    "joinedAt",
    "leftAt",
    "minutesPresent",
    "late",
    "minutesLate",
)


def log() -> Log:
    state = current_state()
    return Log(state.store, state.hub.archive)


def _of_staff(code: str, replica: bool = True) -> LiveSession:
    """The session, for its staff. :raises ClassWavesError: ``SESSION_ACCESS_DENIED``, ``FORBIDDEN``."""
    live = readable(code, replica=replica)
    if not live.is_staff(principal()):
        raise ClassWavesError("FORBIDDEN", "This is for the session's staff")
    return live


@blueprint.route("/sessions/<code>/groups", methods=["GET"])
@documented(blueprint, 403, 404)
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, GroupsSchema)
@authenticated
def groups(page: dict[str, int], code: str) -> dict[str, Any]:
    """The groups as they are now, in the order in which they were made."""
    live, limit, cursor = readable(code), page["limit"], page["cursor"]
    with live.lock:
        everyone = all_groups(live.replica)
    shown, following = page_of(everyone[cursor : cursor + limit + 1], cursor, limit)
    return {"groups": shown, "nextCursor": following}


@blueprint.route("/sessions/<code>/messages", methods=["GET"])
@documented(blueprint, 403, 404)
@blueprint.arguments(HistoryQuery, location="query")
@blueprint.response(200, MessagesSchema)
@authenticated
def history(query: dict[str, Any], code: str) -> dict[str, Any]:
    """Messages as they were received, newest last; older pages by ``beforeSeq``."""
    return messages(log(), readable(code, replica=False), principal(), Window.of(query))


@blueprint.route("/sessions/<code>/transcript", methods=["GET"])
@documented(blueprint, 403, 404)
@blueprint.arguments(TranscriptQuery, location="query")
@blueprint.response(200, TranscriptSchema)
@blueprint.doc(responses={200: also("text/vtt", "application/x-subrip", "text/plain")})
@authenticated
def transcript(query: dict[str, Any], code: str) -> Any:
    """Final captions: ``json`` in pages as for messages; ``vtt``, ``srt`` and ``txt`` whole, as a file."""
    who, form = principal(), query["format"]
    live = readable(code, replica=form != "json")
    if form == "json":
        return segments(log(), live, who, Window.of(query))
    staff, group_id = live.is_staff(who), query.get("groupId")
    found = [
        {**entry.payload(live.record.code), "speaker": _name(live, entry)}
        for entry in log().everything(live.id, "transcriptionUpdate")
        if entry.is_for(who.user_id, staff) and group_id in (None, entry.draft.data.get("groupId"))
    ]
    media_type, make = captions.FORMATS[form]
    return attachment(make(found), f"{media_type}; charset=utf-8", f"transcript-{live.record.code}.{form}")


def _name(live: LiveSession, entry: Entry) -> str:
    speaker: str = entry.draft.data["speakerId"]
    return live.replica.known.get(speaker, [speaker])[0] or speaker


@blueprint.route("/sessions/<code>/attendance", methods=["GET"])
@documented(blueprint, 403, 404)
@blueprint.arguments(AttendanceQuery, location="query")
@blueprint.response(200, AttendanceSchema)
@blueprint.doc(responses={200: also("text/csv")})
@authenticated
def attendance(query: dict[str, Any], code: str) -> Any:
    """Who was there, when, and for how long. For staff. ``format=csv``: the whole sheet as a file."""
    live, limit, cursor = _of_staff(code), query["limit"], query["cursor"]
    with live.lock:
        now = live.until if isinstance(live, PastSession) else int(time.time() * 1000)
        rows = sheet(live.replica, now, current_state().settings.late_after)
    if query["format"] == "csv":
        return attachment(_csv(rows), "text/csv; charset=utf-8", f"attendance-{live.record.code}.csv")
    shown, following = page_of(rows[cursor : cursor + limit + 1], cursor, limit)
    return {"attendance": shown, "nextCursor": following}


def _csv(rows: list[dict[str, Any]]) -> str:
    """RFC 4180, with a header; what a user named is never a formula of the spreadsheet that opens it."""
    sheet_file = io.StringIO()
    writer = csv.writer(sheet_file)
    writer.writerow(COLUMNS)
    for row in rows:
        cells = [row[column] for column in COLUMNS]
        writer.writerow([f"'{cell}" if str(cell).startswith(FORMULA) else cell for cell in cells])
    return sheet_file.getvalue()


@blueprint.route("/sessions/<code>/export", methods=["GET"])
@documented(blueprint, 403, 404)
@blueprint.response(200, description="The log, an entry a line")
@blueprint.doc(responses={200: also("application/x-ndjson")})
@authenticated
def export(code: str) -> Response:
    """The whole event log, oldest first, as JSON lines. For staff."""
    live = _of_staff(code, replica=False)
    current_state().hub.audit.note("session.exported", principal().user_id, record=live.record)
    return json_lines(map(line, log().everything(live.id)), f"session-{live.record.code}.jsonl")


@blueprint.route("/sessions/<code>/transcriber", methods=["POST"])
@documented(blueprint, 403, 404, 409)
@blueprint.arguments(TranscriberSchema, required=False)
@blueprint.response(200, TokensSchema)
@authenticated
def transcriber(body: dict[str, str] | None, code: str) -> dict[str, Any]:
    """A token for a program that captions this session and may do nothing else. For staff."""
    state, live = current_state(), _of_staff(code)
    if live.record.status == "ended":
        raise ClassWavesError("SESSION_ENDED")
    seconds = state.settings.idle_days * 86400
    pair = state.tokens.transcriber((body or {}).get("displayName", "Captions"), live.id, seconds)
    state.hub.audit.note("token.transcriber", principal().user_id, record=live.record, target=pair.auth.user_id)
    return tokens(pair)
