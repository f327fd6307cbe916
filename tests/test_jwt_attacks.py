"""Tokens that attackers make: each is refused, over REST, at the connect of a socket and by ``refreshAuth``."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from flask import Flask

from classwaves import create_app
from classwaves.auth.tokens import TokenPair
from classwaves.keys import private_key, secret
from tests.support.apps import API, bearer, sign_in, state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.tabs import Tab
from tests.test_keys import RSA, pem, public_pem

KEY = TEST_KEYS["JWT_SECRET_KEY"]
THEIRS = "the attacker's own key, of thirty-two bytes or more"
KID = secret(KEY).id
RSA_KID = private_key(pem(RSA)).id


@pytest.fixture(scope="module")
def app() -> Iterator[Flask]:
    """Every way to be wrong: an old secret beside a private key that signs, an audience and an issuer."""
    keys = {"CLASSWAVES_JWT_PRIVATE_KEY": pem(RSA)}
    names = {"CLASSWAVES_JWT_AUDIENCE": "classroom", "CLASSWAVES_JWT_ISSUER": "school"}
    made = create_app({"TESTING": True, "CLASSWAVES_RATELIMIT_ENABLED": False, **TEST_KEYS, **keys, **names})
    yield made
    state_of(made).close()


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def part(data: Any) -> str:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def by_hmac(header: dict[str, Any], claims: Any, key: str) -> str:
    """A token made by hand: libraries refuse to make some of them."""
    body = f"{part({'alg': 'HS256', 'typ': 'JWT', **header})}.{part(claims)}"
    digest = hashlib.sha512 if header.get("alg") == "HS512" else hashlib.sha256
    return f"{body}.{part(hmac.new(key.encode(), body.encode(), digest).digest())}"


def signed(claims: dict[str, Any], **headers: Any) -> str:
    """A token by a key that is ours, the old secret."""
    return jwt.encode(claims, KEY, "HS256", headers={"kid": KID, **headers})


def tampered(pair: TokenPair) -> str:
    head, _, signature = pair.access.split(".")
    return f"{head}.{part({**claims_of(pair.access), 'sub': 'root', 'role': 'admin'})}.{signature}"


def with_claims(**changes: Any) -> Callable[[TokenPair], str]:
    """Claims that a key of ours has signed: what an insider, or another service with the key, could make."""

    def make(pair: TokenPair) -> str:
        merged = {**claims_of(pair.access), **changes}
        return by_hmac({"kid": KID}, {name: value for name, value in merged.items() if value is not ...}, KEY)

    return make


def twice(pair: TokenPair) -> str:
    """Two subjects, the second of which is the one that counts in most parsers, and is not the login's."""
    text = json.dumps(claims_of(pair.access))[:-1] + ', "sub": "root"}'
    return by_hmac({"kid": KID}, text.encode(), KEY)


def named(kid: Any, key: str = THEIRS) -> Callable[[TokenPair], str]:
    return lambda pair: by_hmac({"kid": kid}, claims_of(pair.access), key)


def bringing(**headers: Any) -> Callable[[TokenPair], str]:
    """A token that says itself where its key is, or what it is."""
    return lambda pair: by_hmac(headers, claims_of(pair.access), THEIRS)


JWK = {"kty": "oct", "k": part(THEIRS.encode()), "alg": "HS256"}

FORGED: dict[str, Callable[[TokenPair], str]] = {
    "none": lambda pair: jwt.encode(claims_of(pair.access), "", "none"),
    "none, by the id of a key": lambda pair: f"{part({'alg': 'none', 'kid': KID})}.{part(claims_of(pair.access))}.",
    "None": lambda pair: f"{part({'alg': 'NoNe'})}.{part(claims_of(pair.access))}.",
    "no algorithm": lambda pair: f"{part({'typ': 'JWT', 'kid': KID})}.{part(claims_of(pair.access))}.",
    "the public key as a secret": lambda pair: by_hmac({"kid": RSA_KID}, claims_of(pair.access), public_pem(RSA)),
    "the same without an id": lambda pair: by_hmac({}, claims_of(pair.access), public_pem(RSA)),
    "the same, by the id of the secret": named(KID, public_pem(RSA)),
    "another algorithm of the family": lambda pair: by_hmac({"kid": KID, "alg": "HS512"}, claims_of(pair.access), KEY),
    "the secret, by the id of the public key": named(RSA_KID, KEY),
    "another key": named(KID),
    "another key without an id": bringing(),
    "an empty key": named(KID, ""),
    "an unknown id": named("unknown"),
    "an id that is a path": named("../../../../dev/null", ""),
    "an id that is SQL": named("x' UNION SELECT 'secret"),
    "an id that is a number": named(7),
    "an id that is a list": named([KID], KEY),
    "an id that is nothing": named("", KEY),
    "jwk": bringing(jwk=JWK),
    "jwk, by an id that we have": bringing(jwk=JWK, kid=KID),
    "jku": bringing(jku="https://attacker.example/keys.json"),
    "x5u": bringing(x5u="https://attacker.example/cert.pem"),
    "x5c": bringing(x5c=["AAAA"]),
    "crit": lambda pair: by_hmac({"kid": KID, "crit": ["theirs"], "theirs": 1}, claims_of(pair.access), KEY),
    "a changed payload": tampered,
    "no signature": lambda pair: pair.access.rsplit(".", 1)[0] + ".",
    "claims twice": twice,
    "another audience": with_claims(aud="other"),
    "no audience": with_claims(aud=...),
    "another issuer": with_claims(iss="https://attacker.example"),
    "no issuer": with_claims(iss=...),
    "not yet": with_claims(nbf=time.time() + 3600),
    "issued in the future": with_claims(iat=time.time() + 3600),
    "no end": with_claims(exp=...),
    "an end that is a text": with_claims(exp="never"),
    "an end that is no number": with_claims(exp=float("inf")),
    "a subject that is a number": with_claims(sub=7),
    "a subject that is a list": with_claims(sub=["ada"]),
    "another subject": with_claims(sub="root"),
    "no login": with_claims(sid=...),
    "a login that is an object": with_claims(sid={"$ne": ""}),
    "claims that are a list": lambda pair: by_hmac({"kid": KID}, [1], KEY),
    "claims that are deep": lambda pair: by_hmac({"kid": KID}, b"[" * 2000, KEY),
    "a refresh token": lambda pair: pair.refresh or "",
}


def code_of(app: Flask, token: str, path: str = "/auth/me", method: str = "GET") -> str | None:
    answer = app.test_client().open(f"{API}{path}", method=method, headers=bearer(token))
    return None if answer.status_code < 300 else str(answer.get_json()["error"]["code"])


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(app: Flask, name: str) -> None:
    pair = sign_in(app, "Ada")
    token = FORGED[name](pair)
    assert code_of(app, token) == "INVALID_TOKEN"
    assert not Tab(app, token).connected
    tab = Tab(app, pair.access)
    assert tab.refused("refreshAuth", {"token": token})["code"] == "INVALID_TOKEN"
    if name != "a refresh token":
        assert code_of(app, token, "/auth/refresh", "POST") == "INVALID_TOKEN"
    assert code_of(app, pair.access) is None, "and the login goes on"


def test_the_same_made_rightly_is_taken(app: Flask) -> None:
    """Or the table above would prove nothing."""
    pair = sign_in(app, "Ada")
    for token in (pair.access, signed(claims_of(pair.access)), with_claims()(pair), named(KID, KEY)(pair)):
        assert code_of(app, token) is None
        assert Tab(app, token).connected


@pytest.mark.parametrize("size", [4097, 100_000])
def test_a_huge_token_is_refused_before_it_is_read(app: Flask, size: int) -> None:
    token = signed({**claims_of(sign_in(app, "Ada").access), "pad": "x" * size})
    assert code_of(app, token) == "INVALID_TOKEN"
    assert not Tab(app, token).connected


def test_the_clocks_may_differ_a_little_and_no_more(app: Flask) -> None:
    pair = sign_in(app, "Ada")
    leeway, now = state_of(app).settings.jwt_leeway, time.time()
    within, beyond = leeway - 3, leeway + 3
    for claims in ({"exp": now - within}, {"nbf": now + within}, {"iat": now + within}):
        assert code_of(app, with_claims(**claims)(pair)) is None
    late = with_claims(exp=now - beyond)(pair)
    assert code_of(app, late) == "TOKEN_EXPIRED"
    assert not Tab(app, late).connected
    assert code_of(app, with_claims(nbf=now + beyond)(pair)) == "INVALID_TOKEN"


def test_an_access_token_is_no_refresh_token(app: Flask) -> None:
    pair = sign_in(app, "Ada")
    assert code_of(app, pair.access, "/auth/refresh", "POST") == "INVALID_TOKEN"
    assert code_of(app, pair.refresh or "", "/auth/refresh", "POST") is None


def test_a_stolen_refresh_token_ends_the_login_and_its_sockets(app: Flask) -> None:
    """Whoever comes second, the thief or the owner: nobody goes on with what was stolen."""
    pair = sign_in(app, "Ada")
    tab = Tab(app, pair.access)
    assert code_of(app, pair.refresh or "", "/auth/refresh", "POST") is None
    assert code_of(app, pair.refresh or "", "/auth/refresh", "POST") == "TOKEN_REVOKED"
    assert not tab.connected
    assert code_of(app, pair.access) == "SESSION_EXPIRED"


def test_scopes_that_a_token_adds_only_take_rights_away(app: Flask) -> None:
    """The one scope there is narrows; no other one means anything."""
    pair = sign_in(app, "Ada", "teacher")
    narrowed = with_claims(scope="transcriber admin staff")(pair)
    answer = app.test_client().post(f"{API}/sessions", json={"title": "Mine"}, headers=bearer(narrowed))
    assert answer.status_code == 403
