"""What all routes share: who is asking, errors in one shape, requests of other origins.

Imports errors, state and auth.
"""

from __future__ import annotations

import functools
import itertools
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from flask import Request, Response, g, jsonify, request
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from .. import codec
from ..addresses import source
from ..auth.tokens import bearer
from ..errors import ClassWavesError
from ..headers import guard
from ..models import Principal
from ..pipeline import DETAILS, printable
from ..rules import forbidden
from ..state import current_state
from ..tally import add
from ..trail import current
from .requests import HEADER, begin, end, identify
from .schemas import ErrorSchema

logger = logging.getLogger(__name__)

#: The routes of a token that is for captions alone: what it is, and its end.
OPEN_TO_TRANSCRIBERS = ("classwaves_auth.me", "classwaves_auth.logout")

#: What pages of other origins may read of an answer.
EXPOSED = f"Retry-After, Content-Disposition, Content-Range, ETag, {HEADER}"

P = ParamSpec("P")
T = TypeVar("T")

#: What an HTTP error of Flask or of a library means in our table.
CODES = {
    400: "INVALID_PAYLOAD",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "INVALID_PAYLOAD",
    422: "INVALID_PAYLOAD",
    429: "RATE_LIMIT",
    503: "SERVICE_UNAVAILABLE",
}


class JsonParser(FlaskParser):
    """webargs' parser, for which a body that Python's json cannot stand is as wrong as one that is not JSON."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE}

    def load_json(self, req: Request, schema: Schema) -> Any:
        try:
            return super().load_json(req, schema)
        except (ValueError, RecursionError):  # a number of thousands of digits, thousands of brackets
            raise ClassWavesError("INVALID_PAYLOAD", details={"_schema": ["Invalid JSON body."]}) from None


class Routes(Blueprint):  # type: ignore[misc] # flask-smorest has no types
    ARGUMENTS_PARSER = JsonParser()


def make_blueprint(name: str, description: str) -> Blueprint:
    """A blueprint whose every answer, errors too, is what the contract says."""
    blueprint = Routes(f"classwaves_{name}", __name__, description=description)
    blueprint.register_error_handler(ClassWavesError, answer)
    blueprint.register_error_handler(HTTPException, answer_http)
    blueprint.register_error_handler(Exception, answer_unexpected)
    blueprint.before_request(begin)
    blueprint.before_request(_bound_body)
    blueprint.after_request(allow_origin)
    blueprint.after_request(guard)
    blueprint.after_request(identify)
    blueprint.teardown_request(end)
    return blueprint


def _bound_body() -> None:
    request.max_content_length = current_state().settings.max_packet_bytes


def answer(error: ClassWavesError) -> Response:
    """An error as ``{"error": {...}}``, with ``Retry-After`` (RFC 9110, section 10.2.3) where it is known."""
    state = current_state()
    tally = state.tally
    state.pipeline.refusals.note(error.code, "a request")
    add(tally.http_errors, error.code)
    if error.spec.status == 401:
        add(tally.auth_failures, (error.code, "rest"))
    response = jsonify({"error": error.to_dict()})
    response.status_code = error.spec.status
    if error.retry_after_ms is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after_ms / 1000))
    if error.spec.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def answer_http(error: HTTPException) -> Response:
    """An error that Flask or flask-smorest raised."""
    data = getattr(error, "data", None) or {}
    messages = data.get("messages")
    details = {"_schema": messages} if isinstance(messages, list) else _named(messages) if messages else None
    response = answer(ClassWavesError(CODES.get(error.code or 500, "INTERNAL_ERROR"), details=details))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(error.valid_methods)
    return response


def _named(messages: dict[str, Any]) -> dict[str, Any]:
    """What is wrong, by field; webargs puts the place (json, query) around it."""
    fields = next(iter(messages.values()))
    if not isinstance(fields, dict):
        return {"_schema": fields}
    return {printable(name): fields[name] for name in list(fields)[:DETAILS]}


def answer_unexpected(error: Exception) -> Response:
    logger.error("a request failed", exc_info=error)
    current_state().tally.fail("request")
    at_work = current()  # what finds it in the log, for who reports it
    return answer(ClassWavesError("INTERNAL_ERROR", details={"traceId": at_work.id} if at_work else None))


def allow_origin(response: Response) -> Response:
    """CORS (the Fetch standard, section 3.2) by the same rule as for sockets; no cookies, so no credentials."""
    origin = request.headers.get("Origin")
    response.headers.add("Vary", "Origin")
    if current_state().origins.allowed(origin, request.environ):
        response.headers["Access-Control-Allow-Origin"] = origin or ""
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Range, If-Range"
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PATCH, DELETE, OPTIONS"
        response.headers["Access-Control-Expose-Headers"] = EXPOSED
        response.headers["Access-Control-Max-Age"] = "600"
    return response


def authenticated(view: Callable[P, T]) -> Callable[P, T]:
    """A route for who shows an access token; :func:`principal` tells who."""

    @functools.wraps(view)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        token = bearer(request.headers.get("Authorization"))
        if token is None:
            raise ClassWavesError("AUTH_REQUIRED")
        g.classwaves_principal = current_state().tokens.check(token)
        if (at_work := current()) is not None:
            at_work.user_id = principal().user_id
        if principal().is_transcriber and request.endpoint not in OPEN_TO_TRANSCRIBERS:
            raise forbidden("scope", "This token is for captions alone")
        return view(*args, **kwargs)

    return call


def principal() -> Principal:
    """Who is asking, in an :func:`authenticated` route."""
    who: Principal = g.classwaves_principal
    return who


def for_admins() -> None:
    """A route for admins alone. :raises ClassWavesError: ``FORBIDDEN``, of which the audit stream knows."""
    who = principal()
    current_state().limits.hit("read", who.user_id)
    if who.role != "admin" or who.auth.guest_of is not None:
        raise refused_admin("This is for admins")


def refused_admin(message: str) -> ClassWavesError:
    """The refusal of somebody who is no admin; written down, so bounded more than other requests."""
    who, state = principal(), current_state()
    state.limits.hit("personal", who.user_id if who.auth.guest_of is None else address())
    state.hub.audit.note("access.refused", who.user_id, details={"route": f"{request.method} {request.url_rule}"})
    return ClassWavesError("FORBIDDEN", message)


def documented(blueprint: Blueprint, *statuses: int, public: bool = False) -> Callable[[Any], Any]:
    """Say in the OpenAPI document which errors a route gives and whether it asks for a token."""

    def decorate(view: Any) -> Any:
        for status in {*statuses, 422, 429, 500, 503} | (set() if public else {401}):
            view = blueprint.alt_response(status, schema=ErrorSchema)(view)
        return view if public else blueprint.doc(security=[{"bearerAuth": []}])(view)

    return decorate


def also(*media_types: str) -> dict[str, Any]:
    """The other media types of an answer, in the OpenAPI document."""
    return {"content": {media_type: {"schema": {"type": "string"}} for media_type in media_types}}


def attachment(body: str | Iterable[bytes], media_type: str, name: str) -> Response:
    """An answer that browsers keep as a file."""
    response = Response(body, content_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def download(make: Callable[[], Response]) -> Response:
    """An answer that may take long, of which one user has only so many at once.

    :raises ClassWavesError: ``CONNECTION_LIMIT``.
    """
    downloads, user_id = current_state().limits.downloads, principal().user_id
    if not downloads.take(user_id):
        raise ClassWavesError("CONNECTION_LIMIT", "Too many downloads at once", retry_after_ms=1000)
    try:
        response = make()
    except BaseException:
        downloads.leave(user_id)
        raise
    response.call_on_close(lambda: downloads.leave(user_id))
    return response


def json_lines(items: Iterable[Mapping[str, Any]], name: str) -> Response:
    """An attachment of a JSON text a line, made while it is sent."""
    lines = (codec.dumps(item) + b"\n" for item in items)

    def begun() -> Response:
        first = next(lines, b"")  # what goes wrong at once is an error, and not half a file
        return attachment(itertools.chain([first], lines), "application/x-ndjson", name)

    return download(begun)


def address() -> str:
    """Where a request is from, as limits count it."""
    return source(remote())


def remote() -> str:
    """The address that a request is from."""
    return request.remote_addr or ""
