"""The table of error codes: the one place that says what a code means, its HTTP status and whether to try again.

Imports the codec. Every error that reaches a client, over a socket or over REST, is a
:class:`ClassWavesError` with one of these codes.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from .codec import dumps


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """What one code means.

    :param status: the HTTP status of the REST answer (RFC 9110, section 15).
    :param meaning: one sentence, also the default message.
    :param retryable: the same request may succeed later, unchanged.
    """

    status: int
    meaning: str
    retryable: bool = False


ERROR_CODES: dict[str, ErrorCode] = {
    "AUTH_REQUIRED": ErrorCode(401, "Authentication required"),
    "INVALID_TOKEN": ErrorCode(401, "Invalid authentication token"),
    "TOKEN_EXPIRED": ErrorCode(401, "The token has expired"),
    "TOKEN_REVOKED": ErrorCode(401, "The token was revoked"),
    "SESSION_EXPIRED": ErrorCode(401, "Session expired"),
    "INVALID_CREDENTIALS": ErrorCode(401, "Wrong user name or password"),
    "INVALID_PAYLOAD": ErrorCode(422, "The payload does not match the schema"),
    "UNKNOWN_EVENT": ErrorCode(404, "There is no such event"),
    "NOT_IN_SESSION": ErrorCode(409, "This connection has not joined the session"),
    "SESSION_NOT_FOUND": ErrorCode(404, "There is no such session"),
    "SESSION_ACCESS_DENIED": ErrorCode(403, "You may not enter this session"),
    "SESSION_NOT_ACTIVE": ErrorCode(409, "The session is not active"),
    "SESSION_ENDED": ErrorCode(409, "The session has ended"),
    "SESSION_FULL": ErrorCode(409, "The session is full"),
    "FORBIDDEN": ErrorCode(403, "You may not do this"),
    "GROUP_NOT_FOUND": ErrorCode(404, "There is no such group"),
    "GROUP_FULL": ErrorCode(409, "The group is full"),
    "CONFLICT": ErrorCode(409, "The step is not possible from the current state"),
    "MESSAGE_NOT_FOUND": ErrorCode(404, "There is no such message"),
    "ACTIVITY_NOT_FOUND": ErrorCode(404, "There is no such activity"),
    "FILE_NOT_FOUND": ErrorCode(404, "There is no such file"),
    "FILE_REJECTED": ErrorCode(422, "The file was rejected"),
    "NOT_FOUND": ErrorCode(404, "There is nothing at this address"),
    "METHOD_NOT_ALLOWED": ErrorCode(405, "The method is not allowed here"),
    "PAYLOAD_TOO_LARGE": ErrorCode(413, "The payload is too large"),
    "RATE_LIMIT": ErrorCode(429, "Too many requests", retryable=True),
    "CONNECTION_LIMIT": ErrorCode(429, "Too many connections", retryable=True),
    "PEER_UNAVAILABLE": ErrorCode(404, "The other participant is not connected"),
    "SERVICE_UNAVAILABLE": ErrorCode(503, "The service is not available; try again", retryable=True),
    "INTERNAL_ERROR": ErrorCode(500, "Something went wrong on the server", retryable=True),
}


class ClassWavesError(Exception):
    """A refusal with a code of :data:`ERROR_CODES`.

    :param code: a key of :data:`ERROR_CODES`; the contract has no others.
    :param message: a sentence for a person; the code's meaning if left out.
    :param details: JSON-able facts for a program, such as ``{"message": ["Missing data"]}``.
    :param retry_after_ms: when trying again makes sense, in milliseconds from now.
    :raises ValueError: there is no such code.
    :raises TypeError: the message or the details cannot be sent, so that the client would hear nothing.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        details: dict[str, Any] | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        if code not in ERROR_CODES:
            near = difflib.get_close_matches(code, ERROR_CODES, n=1, cutoff=0.0)[0]
            raise ValueError(
                f"{code} is no error code of ClassWaves; take the nearest one, such as {near}, and say more in details"
            )
        try:
            dumps([message, details])
        except (TypeError, ValueError) as error:  # also: it contains itself
            raise TypeError(
                f"{code} cannot be told: {error}; give a text as message, and a dict of JSON values as details"
            ) from None
        self.spec = ERROR_CODES[code]
        self.code = code
        self.message = message or self.spec.meaning
        self.details = details
        self.retry_after_ms = retry_after_ms
        super().__init__(f"{code}: {self.message}")

    def __reduce__(self) -> tuple[Any, ...]:
        # Celery and multiprocessing send errors from process to process
        return BaseException.__new__, (type(self), *self.args), self.__dict__

    def to_dict(self) -> dict[str, Any]:
        """The error as clients see it: ``{code, message, details?, retryAfterMs?}``."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details is not None:
            body["details"] = self.details
        if self.retry_after_ms is not None:
            body["retryAfterMs"] = self.retry_after_ms
        return body


#: What a shop's handlers call it.
Error = ClassWavesError


class StoreUnavailable(ClassWavesError):
    """The store did not answer: nothing is known to be stored, the same request may be repeated."""

    def __init__(self, message: str | None = None, *, retry_after_ms: int = 1000) -> None:
        super().__init__("SERVICE_UNAVAILABLE", message, retry_after_ms=retry_after_ms)


class ArchiveUnavailable(StoreUnavailable):
    """The archive's database did not answer; what was to be written is written later, and a read may be repeated."""


class StaleFence(Exception):
    """An append relied on a fence that has moved: catch up, check again, try again. Never leaves the server."""
