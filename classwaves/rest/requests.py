"""The id of a request: in each line of the log that it causes, in what it appends, and in its answer.

Imports refusals, state and the trail.
"""

from __future__ import annotations

import re

from flask import Response, g, request

from .. import trail
from ..refusals import note_end
from ..state import current_state
from ..trail import REQUEST, UNKNOWN, Trail

HEADER = "X-Request-Id"

#: What is taken from a proxy: letters, digits and the signs that routers use, so that no line of a log is forged.
_GIVEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{7,127}")
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
#: Trace Context, section 3.2: version, trace id, parent id, flags.
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def begin() -> None:
    """A request of ours begins."""
    given, parent = _given(), ""
    if _trusted():
        traceparent = request.headers.get("Traceparent", "")
        parent = traceparent if _TRACEPARENT.fullmatch(traceparent) else given if _TRACE_ID.fullmatch(given) else ""
    at_work = Trail(REQUEST, request.endpoint or UNKNOWN, parent=parent)
    at_work.__enter__()
    g.classwaves_trail = at_work
    g.classwaves_request_id = at_work.request_id = given or at_work.id


def end(error: BaseException | None = None) -> None:
    """It has its answer; what is left of one that is made while it is sent comes after this."""
    at_work: Trail | None = g.pop("classwaves_trail", None)
    if at_work is not None:
        note_end(at_work, at_work.seconds, current_state().settings.slow_handler)
        at_work.__exit__(type(error) if error else None, error, None)


def identify(response: Response) -> Response:
    """Say the id in the answer. A path that no route has gets one, too."""
    response.headers[HEADER] = g.get("classwaves_request_id") or _given() or trail.new_trace_id()
    return response


def _given() -> str:
    """The id that a proxy has given; nobody else is believed, because it goes into the log."""
    given = request.headers.get(HEADER, "") if _trusted() else ""
    return given if _GIVEN.fullmatch(given) else ""


def _trusted() -> bool:
    return current_state().settings.trusted_proxies > 0
