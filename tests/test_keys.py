"""The keys of tokens: several that verify, of several kinds, and a rotation in which nobody is logged out."""

from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from flask import Flask
from flask_jwt_extended import create_access_token, decode_token, get_jwt_identity, jwt_required

from classwaves import SettingsError
from classwaves.keys import KeyRing, old_keys, private_key, public_keys, secret
from classwaves.settings import Settings
from tests.support.apps import API, AppFactory, bearer, sign_in, state_of
from tests.support.gunicorn_server import TEST_KEYS

OLD, NEW = TEST_KEYS["JWT_SECRET_KEY"], "another secret key of at least thirty-two bytes"


def pem(private: Any) -> str:
    return str(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
    )


def public_pem(private: Any) -> str:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(private.public_key().public_bytes(serialization.Encoding.PEM, kind).decode())


RSA = rsa.generate_private_key(65537, 2048)
PRIVATE = {
    "RS256": RSA,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def me(app: Flask, token: str) -> int:
    return app.test_client().get(f"{API}/auth/me", headers=bearer(token)).status_code


def refresh(app: Flask, token: str) -> Any:
    return app.test_client().post(f"{API}/auth/refresh", headers=bearer(token))


def header_of(token: str) -> dict[str, Any]:
    return dict(jwt.get_unverified_header(token))


def nameless(token: str, key: str) -> str:
    """The same token without a ``kid``, as tokens were before there were several keys."""
    return jwt.encode(jwt.decode(token, key, algorithms=["HS256"]), key, "HS256")


def test_a_rotation_logs_nobody_out(make_app: AppFactory, redis_url: str) -> None:
    """Two applications on one store, as servers before and after the change of keys."""
    before = make_app(REDIS_URL=redis_url)
    after = make_app(REDIS_URL=redis_url, JWT_SECRET_KEY=NEW, CLASSWAVES_JWT_OLD_KEYS=OLD)
    pair = sign_in(before, "Ada")
    assert me(after, pair.access) == 200
    assert me(after, nameless(pair.access, OLD)) == 200, "of a server that knew no ids of keys"
    fresh = refresh(after, pair.refresh or "").get_json()
    assert header_of(fresh["accessToken"])["kid"] == secret(NEW).id
    assert me(before, fresh["accessToken"]) == 401, "servers that are to take it need the new key first: see the docs"
    gone = make_app(REDIS_URL=redis_url, JWT_SECRET_KEY=NEW)
    assert me(gone, pair.access) == 401
    assert me(gone, fresh["accessToken"]) == 200


def test_all_servers_take_the_next_key_before_one_signs_with_it(make_app: AppFactory, redis_url: str) -> None:
    first = make_app(REDIS_URL=redis_url, CLASSWAVES_JWT_OLD_KEYS=NEW)
    second = make_app(REDIS_URL=redis_url, JWT_SECRET_KEY=NEW, CLASSWAVES_JWT_OLD_KEYS=OLD)
    for one, other in ((first, second), (second, first)):
        assert me(other, sign_in(one, "Ada").access) == 200


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_a_private_key_signs_and_its_public_key_verifies(make_app: AppFactory, redis_url: str, algorithm: str) -> None:
    private = PRIVATE[algorithm]
    signs = make_app(REDIS_URL=redis_url, CLASSWAVES_JWT_PRIVATE_KEY=pem(private))
    pair = sign_in(signs, "Ada")
    assert header_of(pair.access)["alg"] == header_of(pair.refresh or "")["alg"] == algorithm
    assert me(signs, pair.access) == 200
    assert refresh(signs, pair.refresh or "").status_code == 200
    verifies = make_app(REDIS_URL=redis_url, CLASSWAVES_JWT_PUBLIC_KEYS=public_pem(private))
    assert me(verifies, pair.access) == 200
    assert me(make_app(REDIS_URL=redis_url), pair.access) == 401


def test_a_change_of_the_kind_of_key_logs_nobody_out(make_app: AppFactory, redis_url: str) -> None:
    before = make_app(REDIS_URL=redis_url)
    after = make_app(REDIS_URL=redis_url, CLASSWAVES_JWT_PRIVATE_KEY=pem(RSA))
    assert me(after, sign_in(before, "Ada").access) == 200


def test_a_private_key_needs_no_secret() -> None:
    keys = {"SECRET_KEY": TEST_KEYS["SECRET_KEY"], "CLASSWAVES_JWT_PRIVATE_KEY": pem(RSA)}
    assert Settings.load(keys, {}).key_ring.algorithms == ["RS256"]
    with pytest.raises(SettingsError, match="JWT_SECRET_KEY is too short"):
        Settings.load({**keys, "JWT_SECRET_KEY": "short"}, {})


def test_keys_come_from_files_and_from_environments_that_escape_lines(tmp_path: Path) -> None:
    file, other = tmp_path / "key.pem", tmp_path / "public.pem"
    file.write_text(pem(RSA))
    escaped = [pem(RSA).replace("\n", "\\n"), pem(RSA).replace("\n", "\\r\\n")]
    assert len({private_key(value).id for value in (pem(RSA), *escaped, str(file), f"@{file}")}) == 1
    several = public_pem(RSA) + public_pem(PRIVATE["ES256"])
    other.write_text(several)
    ids = [key.id for key in public_keys(several)]
    assert ids == [key.id for key in public_keys(f"{other}")]
    assert ids[0] == private_key(pem(RSA)).id
    assert [key.algorithm for key in public_keys(f"@{other},{other}")] == ["RS256", "ES256"] * 2


@pytest.mark.parametrize(
    ("read", "value", "words"),
    [
        (private_key, "nonsense", "no path"),
        (private_key, public_pem(RSA), "is no private key"),
        (private_key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "is no private key"),
        (private_key, pem(rsa.generate_private_key(65537, 1024)), "less than 2048 bits"),
        (private_key, pem(ec.generate_private_key(ec.SECP256K1())), "not signed with"),
        (private_key, pem(dsa.generate_private_key(1024)), "not signed with"),
        (public_keys, pem(RSA), "has a private key"),
        (public_keys, "nonsense", "no path"),
        (public_keys, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no public key"),
        (old_keys, "short", "less than 32 bytes"),
        (old_keys, '{"a": "short"}', "less than 32 bytes"),
        (old_keys, "{broken", "no JSON object"),
    ],
    ids=map(str, range(12)),  # the keys are other ones in each process
)
def test_what_is_no_key_is_refused_without_repeating_it(read: Any, value: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refusal:
        read(value)
    assert value[30:60] not in str(refusal.value) or len(value) < 60


def test_old_keys_may_have_the_ids_that_their_tokens_have() -> None:
    ring = KeyRing(secret(NEW), old_keys(f'{{"2024": "{OLD}"}}'))
    (found,) = ring.candidates({"alg": "HS256", "kid": "2024"})
    assert found.verifies == OLD


def test_a_key_has_one_algorithm_whatever_the_token_says() -> None:
    ring = KeyRing(private_key(pem(RSA)), [secret(OLD)])
    public = ring.signing.id
    assert ring.candidates({"alg": "RS256", "kid": public})
    assert not ring.candidates({"alg": "HS256", "kid": public})
    assert not ring.candidates({"alg": "none"})
    assert not ring.candidates({"alg": "none", "kid": public})
    assert not ring.candidates({"alg": "HS256", "kid": ["a"]})
    assert not ring.candidates({"alg": "HS256", "crit": ["exp"]})


def test_audience_and_issuer_are_written_and_asked_for(make_app: AppFactory, redis_url: str) -> None:
    said = {"CLASSWAVES_JWT_AUDIENCE": "classroom", "CLASSWAVES_JWT_ISSUER": "school"}
    app = make_app(REDIS_URL=redis_url, **said)
    pair = sign_in(app, "Ada")
    claims = jwt.decode(pair.access, OLD, algorithms=["HS256"], audience="classroom")
    assert claims["iss"] == "school"
    assert me(app, pair.access) == 200
    assert refresh(app, pair.refresh or "").status_code == 200
    for wrong in ({"aud": "other"}, {"iss": "other"}, {"aud": None}, {"iss": None}):
        changed = {name: value for name, value in {**claims, **wrong}.items() if value is not None}
        assert me(app, jwt.encode(changed, OLD, "HS256")) == 401


def test_a_shops_own_routes_take_our_tokens_by_any_key(make_app: AppFactory, redis_url: str) -> None:
    before = make_app(REDIS_URL=redis_url)
    after = make_app(REDIS_URL=redis_url, CLASSWAVES_JWT_PRIVATE_KEY=pem(RSA))

    @after.get("/mine")
    @jwt_required()  # type: ignore[untyped-decorator] # flask-jwt-extended has no types
    def mine() -> str:
        return str(get_jwt_identity())

    client = after.test_client()
    for app in (before, after):
        assert client.get("/mine", headers=bearer(sign_in(app, "Ada").access)).text == "ada"
    forged = jwt.encode({"sub": "ada", "jti": "1"}, OLD, "HS256", headers={"kid": secret(NEW).id})
    assert client.get("/mine", headers=bearer(forged)).status_code == 422
    with after.app_context():
        assert decode_token(create_access_token("ben"))["sub"] == "ben"


def test_a_shops_own_keys_are_left_alone(make_app: AppFactory) -> None:
    app = make_app(JWT_ALGORITHM="RS256", JWT_PRIVATE_KEY=pem(RSA), JWT_PUBLIC_KEY=public_pem(RSA))
    pair = sign_in(app, "Ada")
    assert header_of(pair.access) == {"alg": "RS256", "typ": "JWT"}
    assert me(app, pair.access) == 200
    assert state_of(app).settings.jwt_private_key is None
