"""The few requests of the REST API that a client needs: logins, and what a token is renewed with.

Imports errors.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

from .errors import CONNECTION_FAILED, ClassWavesError, from_wire

API = "/api/v1"

#: Seconds that an answer may take.
PATIENCE = 20.0


def post(url: str, path: str, body: dict[str, Any] | None = None, token: str | None = None) -> dict[str, Any]:
    """The answer to a POST. :raises ClassWavesError: it is an error, or there is none."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("the address of the server begins with http:// or https://")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url.rstrip("/") + path, data, headers, method="POST")  # noqa: S310 - see above
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            made: dict[str, Any] = json.load(answer)
            return made
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error) from None
    except (OSError, ValueError) as error:
        raise ClassWavesError(CONNECTION_FAILED, f"no answer to {path}: {error}") from error


def _refusal(error: urllib.error.HTTPError) -> ClassWavesError:
    try:
        told = json.loads(error.read(100_000))["error"]
    except (OSError, ValueError, KeyError, TypeError):  # of a proxy, perhaps
        code = "SERVICE_UNAVAILABLE" if error.code in (429, 502, 503, 504) else "INTERNAL_ERROR"
        return ClassWavesError(code, f"HTTP {error.code}")
    refusal = from_wire(told)
    after = error.headers.get("Retry-After", "")
    if refusal.retry_after is None and after.isdecimal():
        refusal.retry_after = float(after)
    return refusal


class Login:
    """A login with a user name and a password, which gives access tokens for as long as it is used.

    A refresh token works once, and a second use ends the login. So where the answer to a refresh was lost, and where
    the login is gone, it logs in again.
    """

    def __init__(self, url: str, username: str, password: str, api: str = API) -> None:
        self._url, self._api = url, api
        self._credentials = {"username": username, "password": password}
        self._refresh: str | None = None
        self._one_at_a_time = threading.Lock()

    def token(self) -> str:
        """A new access token. :raises ClassWavesError: there is none."""
        with self._one_at_a_time:
            refresh, self._refresh = self._refresh, None
            if refresh is not None:
                try:
                    return self._take(post(self._url, f"{self._api}/auth/refresh", token=refresh))
                except ClassWavesError as error:
                    if error.code == "RATE_LIMIT":  # it was not looked at
                        self._refresh = refresh
                        raise
            return self._take(post(self._url, f"{self._api}/auth/login", self._credentials))

    def _take(self, answer: dict[str, Any]) -> str:
        self._refresh = answer["refreshToken"]
        return str(answer["accessToken"])


class Guest:
    """A guest of a session: one token, which lives for hours and cannot be renewed."""

    def __init__(self, url: str, code: str, name: str, api: str = API) -> None:
        self._url, self._name = url, name
        self._path = f"{api}/sessions/{quote(code.strip(), safe='')}/join"
        self._is_used = False

    def token(self) -> str:
        """The access token of a new guest, once. :raises ClassWavesError: there is none."""
        if self._is_used:
            raise ClassWavesError("TOKEN_EXPIRED", "A guest's token cannot be renewed")
        token = str(post(self._url, self._path, {"displayName": self._name})["accessToken"])
        self._is_used = True
        return token
