"""The example of a login by OpenID Connect, against a provider with real signed ID tokens."""

import http.cookiejar
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.clients import Api
from tests.support.examples import Example
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.identity import Provider, new_key, open_provider

Running = tuple[Provider, Example]
SECRET = "the-secret-of-the-client-0123456789abcdef"


class Stay(urllib.request.HTTPRedirectHandler):
    """A redirect is looked at, and not followed."""

    def redirect_request(self, *args: Any) -> None:
        pass


class Browser:
    """With a cookie jar of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(self._cookies, Stay)

    def go(self, address: str, data: bytes | None = None) -> tuple[int, str, str]:
        """Return the status, where it leads to, and the body."""
        try:
            answer: Any = self._opener.open(urllib.request.Request(address, data), timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.headers.get("Location", ""), answer.read().decode()

    def to_provider(self) -> str:
        """Return the address of the provider that a login leads to."""
        status, address, _ = self.go(f"{self._url}/login")
        assert status == 302
        return address

    def log_in(self) -> int:
        """Go to the provider and back; the status of what is there in the end."""
        callback = self.go(self.to_provider())[1]
        return self.go(callback)[0]

    def token(self) -> tuple[int, Any]:
        status, _, body = self.go(f"{self._url}/classroom-token", b"")
        return status, json.loads(body) if status == 200 else None


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with ExitStack() as stack:
        provider = stack.enter_context(open_provider())
        replace = {"https://id.school.example": provider.issuer, "CLASSWAVES_DEMO=1 ": "", "...": SECRET}
        yield provider, stack.enter_context(Example("oidc_login", replace, **TEST_KEYS))


@pytest.fixture
def provider(running: Running) -> Iterator[Provider]:
    """Give the provider, and mend it after the test."""
    provider = running[0]
    before = vars(provider).copy()
    yield provider
    vars(provider).update(before)


@pytest.fixture
def browser(running: Running) -> Browser:
    return Browser(running[1].url)


@pytest.mark.parametrize(
    ("roles", "role"),
    [("teacher", "teacher"), (["staff", "teacher"], "teacher"), (["teachers"], "student"), ("admin", "student")],
)
def test_a_login(running: Running, provider: Provider, browser: Browser, roles: Any, role: str) -> None:
    assert browser.token() == (401, None)
    provider.user = provider.user | {"roles": roles}
    assert browser.log_in() == 302
    assert provider.asked["code_challenge_method"] == "S256" and provider.asked["scope"] == "openid profile"
    status, login = browser.token()
    assert (status, login["user"]) == (200, {"userId": "u-1", "displayName": "Ada Lovelace", "role": role})
    api, client = Api(running[1].url), running[1].connect(login["accessToken"])
    assert client.ready["role"] == role
    assert api.call("POST", "/sessions", login["accessToken"], {"title": "Frogs"})[0] == (
        201 if role == "teacher" else 403
    )


def test_nobody_logs_in_by_password(running: Running) -> None:
    body = {"username": "u-1", "password": "classwaves"}
    assert Api(running[1].url).call("POST", "/auth/login", body=body)[0] == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of another login"},
        {"nonce": None},
        {"iss": "https://somebody.else"},
        {"aud": "another application"},
        {"aud": "another application", "azp": "classroom"},
        {"exp": int(time.time()) - 1000},
        {"sub": None},
    ],
    ids=lambda claims: "-".join(claims),
)
def test_a_wrong_id_token_is_refused(provider: Provider, browser: Browser, claims: dict[str, Any]) -> None:
    provider.wrong = claims
    assert browser.log_in() == 403
    assert browser.token() == (401, None)


@pytest.mark.parametrize("alg", ["RS256", "HS256", "none"])
def test_a_wrong_signature_is_refused(provider: Provider, browser: Browser, alg: str) -> None:
    """By another key with the same name, with the client's secret, or none."""
    provider.alg = alg
    provider.key = {"RS256": new_key(), "HS256": SECRET, "none": None}[alg]
    assert browser.log_in() == 403
    assert browser.token() == (401, None)


def test_no_id_token_is_no_login(provider: Provider, browser: Browser) -> None:
    provider.gives_id_token = False
    assert browser.log_in() == 403


def test_somebody_elses_callback_is_refused(provider: Provider, browser: Browser, running: Running) -> None:
    """A state that this browser has not got, another code, and the same address twice."""
    stranger = Browser(running[1].url)
    callback = stranger.go(stranger.to_provider())[1]
    assert browser.go(callback)[0] == 403
    own = browser.go(browser.to_provider())[1]
    (code,) = parse_qs(urlsplit(callback).query)["code"]
    (mine,) = parse_qs(urlsplit(own).query)["code"]
    assert browser.go(own.replace(mine, code))[0] == 403, "its PKCE verifier is the stranger's"
    assert browser.token() == (401, None)
    assert browser.go(f"{running[1].url}/callback?error=access_denied&state=x")[0] == 403
    again = browser.go(browser.to_provider())[1]
    assert [browser.go(again)[0] for _ in range(2)] == [302, 403]
