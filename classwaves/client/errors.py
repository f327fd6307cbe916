"""What goes wrong, with a code. Imports nothing of the package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What may pass: the same request may succeed later.
RETRYABLE = frozenset({"RATE_LIMIT", "CONNECTION_LIMIT", "SERVICE_UNAVAILABLE", "INTERNAL_ERROR"})

#: What a new token mends.
UNAUTHENTICATED = frozenset({"AUTH_REQUIRED", "INVALID_TOKEN", "TOKEN_EXPIRED", "TOKEN_REVOKED", "SESSION_EXPIRED"})

#: Of this client, beside the codes of the server.
TIMEOUT, CLOSED, CONNECTION_LOST, CONNECTION_FAILED = "TIMEOUT", "CLOSED", "CONNECTION_LOST", "CONNECTION_FAILED"


class ClassWavesError(Exception):
    """A refusal of the server, or of this client.

    :ivar code: one of the table of error codes, or one of this client: ``TIMEOUT`` (no answer by the deadline),
        ``CONNECTION_FAILED`` (the server cannot be reached), ``CONNECTION_LOST`` (not known to be done, and not to be
        repeated), ``CLOSED`` (the client or the room was closed meanwhile).
    :ivar message: for people.
    :ivar retry_after: seconds after which another attempt makes sense, where the server has said so.
    :ivar details: more, where the server has said more.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.details = dict(details or {})

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.code in RETRYABLE or self.code in (TIMEOUT, CONNECTION_FAILED)


def from_wire(error: Any) -> ClassWavesError:
    """The error in an ack, a ``connect_error`` or an answer of the REST API."""
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        return ClassWavesError("INTERNAL_ERROR", "The server's answer is no answer of ClassWaves")
    after = error.get("retryAfterMs")
    return ClassWavesError(
        error["code"],
        str(error.get("message", "")),
        after / 1000 if isinstance(after, int | float) else None,
        error["details"] if isinstance(error.get("details"), dict) else None,
    )
