"""The table of error codes against the contract, written down here once more by hand."""

import subprocess
import sys

import pytest

from classwaves.errors import ERROR_CODES, ClassWavesError, StoreUnavailable
from tests.support.gunicorn_server import ROOT

STATUSES = {
    401: "AUTH_REQUIRED INVALID_TOKEN TOKEN_EXPIRED TOKEN_REVOKED SESSION_EXPIRED INVALID_CREDENTIALS",
    403: "FORBIDDEN SESSION_ACCESS_DENIED",
    404: "SESSION_NOT_FOUND GROUP_NOT_FOUND MESSAGE_NOT_FOUND ACTIVITY_NOT_FOUND FILE_NOT_FOUND NOT_FOUND "
    "UNKNOWN_EVENT PEER_UNAVAILABLE",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT SESSION_ENDED SESSION_NOT_ACTIVE SESSION_FULL GROUP_FULL NOT_IN_SESSION",
    413: "PAYLOAD_TOO_LARGE",
    422: "INVALID_PAYLOAD FILE_REJECTED",
    429: "RATE_LIMIT CONNECTION_LIMIT",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}


def test_the_codes_and_their_statuses_are_those_of_the_contract() -> None:
    expected = {code: status for status, codes in STATUSES.items() for code in codes.split()}
    assert {code: spec.status for code, spec in ERROR_CODES.items()} == expected


def test_only_429_500_and_503_are_retryable() -> None:
    assert {spec.status for spec in ERROR_CODES.values() if spec.retryable} == {429, 500, 503}
    assert {spec.status for spec in ERROR_CODES.values() if not spec.retryable}.isdisjoint({429, 500, 503})


def test_each_code_has_a_meaning_of_its_own() -> None:
    meanings = [spec.meaning for spec in ERROR_CODES.values()]
    assert all(meanings)
    assert len(set(meanings)) == len(meanings)


def test_the_messages_of_a_refused_connection_are_the_frozen_ones() -> None:
    assert ERROR_CODES["AUTH_REQUIRED"].meaning == "Authentication required"
    assert ERROR_CODES["SESSION_EXPIRED"].meaning == "Session expired"
    assert ERROR_CODES["INVALID_TOKEN"].meaning == "Invalid authentication token"


def test_clients_see_only_what_is_known() -> None:
    assert ClassWavesError("FORBIDDEN").to_dict() == {"code": "FORBIDDEN", "message": "You may not do this"}
    full = ClassWavesError("RATE_LIMIT", "Slow down", details={"limit": 3}, retry_after_ms=0)
    assert full.to_dict() == {
        "code": "RATE_LIMIT",
        "message": "Slow down",
        "details": {"limit": 3},
        "retryAfterMs": 0,
    }


def test_a_store_that_is_away_says_when_to_try_again() -> None:
    assert StoreUnavailable().to_dict()["code"] == "SERVICE_UNAVAILABLE"
    assert StoreUnavailable().to_dict()["retryAfterMs"] > 0


def test_a_code_that_is_not_in_the_table_cannot_be_raised() -> None:
    with pytest.raises(ValueError, match="TEAPOT is no error code"):
        ClassWavesError("TEAPOT")


def test_the_documents_made_from_tables_are_up_to_date() -> None:
    """docs/errors.md and docs/configuration.md."""
    command = [sys.executable, "scripts/docs.py", "--check"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout
