"""Tokens: JSON Web Tokens (RFC 7519) by flask-jwt-extended, each tied to an auth session that the store must have.

Imports errors, clock, models, settings and store. REST and sockets check a token by the same function, so that a
logout ends both. Claims: ``sub`` the user id, ``role``, ``name``, ``sid`` the auth session, ``scope`` (RFC 8693,
section 4.2).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import jwt
from flask import Flask
from flask_jwt_extended import JWTManager, decode_token
from flask_jwt_extended.config import config
from flask_jwt_extended.default_callbacks import default_decode_key_callback, default_encode_key_callback
from flask_jwt_extended.exceptions import JWTExtendedException
from flask_jwt_extended.tokens import _encode_jwt
from jwt import ExpiredSignatureError, InvalidSignatureError, InvalidTokenError, PyJWTError

from ..clock import AppClock
from ..errors import ClassWavesError
from ..keys import Key
from ..models import TRANSCRIBER, Account, AuthSession, Principal, new_id
from ..settings import Settings
from ..store import Store
from ..token_settings import MAX_TOKEN

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a login gives. ``expires_in`` is the access token's life in seconds."""

    access: str
    refresh: str | None
    expires_in: int
    auth: AuthSession


class Tokens:
    """Issues and checks tokens. All methods need an application context, which says whose keys are used."""

    def __init__(self, app: Flask, store: Store, settings: Settings, clock: AppClock | None = None) -> None:
        self._clock = clock or AppClock()
        self._store = store
        self._settings = settings
        self._keys = settings.key_ring
        self._failing: list[Any] = []
        app.config.setdefault("JWT_SECRET_KEY", settings.jwt_secret_key)
        app.config["JWT_DECODE_LEEWAY"] = settings.jwt_leeway
        for name, value in (("AUDIENCE", settings.jwt_audience), ("ISSUER", settings.jwt_issuer)):
            if value:
                app.config[f"JWT_ENCODE_{name}"] = app.config[f"JWT_DECODE_{name}"] = value
        self._manager = app.extensions.get("flask-jwt-extended") or JWTManager(app)
        self._sign_and_verify(app)
        self._end_with_logins()

    def keep_up(self, app: Flask) -> None:
        """Go on with a manager, or with a blocklist, that the shop has set up after this extension."""
        manager = app.extensions["flask-jwt-extended"]
        if manager is not self._manager:
            self._manager = manager
            self._sign_and_verify(app)
        if manager._token_in_blocklist_callback is not self._ended:
            self._end_with_logins()

    def _end_with_logins(self) -> None:
        """Have a shop's own ``@jwt_required()`` routes honour a logout too, beside its own blocklist."""
        store, theirs = self._store, self._manager._token_in_blocklist_callback

        def ended(header: dict[str, Any], claims: dict[str, Any]) -> bool:
            """Whether a token of ours is of a login that is over; of others the shop knows."""
            ours = isinstance(claims.get("sid"), str)
            return (ours and store.auth(claims["sid"]) is None) or bool(theirs(header, claims))

        self._ended = self._manager.token_in_blocklist_loader(ended)

    def _sign_and_verify(self, app: Flask) -> None:
        """Use our keys, for a shop's own routes too; unless the shop has its own way, set up before this extension."""
        self._find: Any = None
        manager, signing = self._manager, self._keys.signing
        own_way = manager._encode_key_callback is not default_encode_key_callback or (
            app.config["JWT_ALGORITHM"] != "HS256" and self._settings.jwt_private_key is None
        )
        if own_way or manager._decode_key_callback is not default_decode_key_callback:
            return

        def find(header: dict[str, Any], claims: dict[str, Any]) -> Any:
            for key in self._keys.candidates(header):
                return key.verifies
            raise InvalidTokenError("no key")

        self._find = manager.decode_key_loader(find)
        app.config["JWT_ALGORITHM"] = signing.algorithm
        app.config["JWT_DECODE_ALGORITHMS"] = self._keys.algorithms
        self._sign = manager.encode_key_loader(lambda identity: signing.signs)

    @property
    def _header(self) -> dict[str, str] | None:
        """What a token says of its key, if it is ours."""
        ours = self._find is not None and self._manager._encode_key_callback is self._sign
        return {"kid": self._keys.signing.id} if ours else None

    def login(self, account: Account) -> TokenPair:
        """Begin an auth session for an account.

        :raises ClassWavesError: ``INVALID_CREDENTIALS``: the user is blocked, which looks like a wrong password.
        """
        auth = AuthSession(new_id(), account.user_id, account.display_name, account.role)
        pair = self._issue(auth)
        # after it is kept: who blocks ends all logins that are there, or this one sees the block
        standing = self._store.user_standing(account.user_id)
        if standing.blocked:
            self._store.end_auth(auth.id)
            raise ClassWavesError("INVALID_CREDENTIALS")
        if standing.role not in (None, account.role):
            self._store.end_auth(auth.id)
            return self.login(replace(account, role=standing.role or account.role))
        return pair

    def brief(self, account: Account, seconds: float) -> TokenPair:
        """Begin an auth session for an account that ends after this time, without a refresh token.

        :raises ClassWavesError: ``INVALID_CREDENTIALS``: the user is blocked.
        """
        auth = AuthSession(new_id(), account.user_id, account.display_name, account.role)
        self._store.save_auth(auth, "", seconds)
        if self._store.user_standing(account.user_id).blocked:
            self._store.end_auth(auth.id)
            raise ClassWavesError("INVALID_CREDENTIALS")
        return TokenPair(self._access(auth, seconds), None, int(seconds), auth)

    def guest(self, auth: AuthSession, seconds: float, most: int) -> TokenPair:
        """Begin the auth session of :func:`new_guest`, which has no refresh token.

        :param most: how many guests of their session may have one at once.
        :raises ClassWavesError: ``SESSION_FULL``.
        """
        seconds = self._seconds(seconds)
        if not self._store.save_guest(auth, seconds, most):
            raise ClassWavesError("SESSION_FULL")
        return self._pair_for_session(auth, seconds)

    def transcriber(self, display_name: str, session_id: str, seconds: float) -> TokenPair:
        """Begin an auth session for a program that captions one classroom session and may do nothing else."""
        scopes = (TRANSCRIBER,)
        auth = AuthSession(new_id(), f"transcriber-{new_id(9)}", display_name, "student", scopes, session_id)
        seconds = self._seconds(seconds)
        self._store.save_auth(auth, "", seconds)
        return self._pair_for_session(auth, seconds)

    def _seconds(self, most: float) -> float:
        return min(most, self._settings.guest_token_hours * 3600)

    def _pair_for_session(self, auth: AuthSession, seconds: float) -> TokenPair:
        return TokenPair(self._access(auth, seconds), None, int(seconds), auth)

    def _issue(self, auth: AuthSession) -> TokenPair:
        refresh, refresh_id, seconds = self._refresh(auth)
        self._store.save_auth(auth, refresh_id, seconds)
        return self._pair(auth, refresh)

    def _pair(self, auth: AuthSession, refresh: str) -> TokenPair:
        seconds = self._settings.access_token_minutes * 60
        return TokenPair(self._access(auth, seconds), refresh, int(seconds), auth)

    def _access(self, auth: AuthSession, seconds: float) -> str:
        claims = {"role": auth.role, "name": auth.display_name, "sid": auth.id, "scope": " ".join(auth.scopes)}
        life = timedelta(seconds=seconds + self._clock.ahead)  # what signs goes by the machine's time
        return self._encoded(auth.user_id, "access", claims, life)

    def _refresh(self, auth: AuthSession) -> tuple[str, str, float]:
        """A refresh token, its id, and its life in seconds."""
        life, claims = timedelta(days=self._settings.refresh_token_days), {"sid": auth.id, "jti": new_id()}
        ahead = timedelta(seconds=self._clock.ahead)
        token = self._encoded(auth.user_id, "refresh", claims, life + ahead)
        return token, claims["jti"], life.total_seconds()

    def _encoded(self, user_id: str, kind: str, claims: dict[str, Any], life: timedelta) -> str:
        """What ``create_access_token()`` makes, without the loader for identities: the shop's takes its own objects.

        Its additional claims are in it, if it has any for a user's id, and ours come before them.
        """
        manager = self._manager
        token: str = _encode_jwt(
            algorithm=config.algorithm,
            audience=config.encode_audience,
            claim_overrides={**self._of_theirs(manager._user_claims_callback, user_id), **claims, "sub": user_id},
            csrf=config.cookie_csrf_protect,
            expires_delta=life,
            fresh=False,
            header_overrides={
                **self._of_theirs(manager._jwt_additional_header_callback, user_id),
                **(self._header or {}),
            },
            identity=user_id,
            identity_claim_key=config.identity_claim_key,
            issuer=config.encode_issuer,
            json_encoder=config.json_encoder,
            secret=manager._encode_key_callback(user_id),
            token_type=kind,
            nbf=config.encode_nbf,
        )
        return token

    def _of_theirs(self, loader: Any, user_id: str) -> dict[str, Any]:
        """What a shop's loader adds to a token. It may be made for tokens whose identity is an object of the shop."""
        try:
            return dict(loader(user_id))
        except Exception:  # which is told once, because it is so at each login
            if loader not in self._failing:
                self._failing.append(loader)
                logger.warning("a loader of flask-jwt-extended adds nothing to our tokens: it fails with a user's id")
            return {}

    def refresh(self, token: str) -> TokenPair:
        """Exchange a refresh token. One that was exchanged before ends the auth session.

        :raises ClassWavesError: ``INVALID_TOKEN``, ``TOKEN_EXPIRED``, ``SESSION_EXPIRED``, ``TOKEN_REVOKED``.
        """
        claims = self._claims(token, "refresh")
        auth = self._auth(claims)
        fresh, fresh_id, seconds = self._refresh(auth)
        if not self._store.rotate_refresh(auth.id, claims["jti"], fresh_id, seconds):
            raise ClassWavesError("TOKEN_REVOKED", "This refresh token was used before; log in again")
        return self._pair(auth, fresh)

    def check(self, token: str) -> Principal:
        """Who an access token speaks for.

        :raises ClassWavesError: ``INVALID_TOKEN``, ``TOKEN_EXPIRED``; ``SESSION_EXPIRED``: the auth session is gone;
            ``SERVICE_UNAVAILABLE``.
        """
        claims = self._claims(token, "access")
        auth = self._auth(claims)
        scopes = str(claims.get("scope") or "").split()  # a token may be for less than its login
        if not set(scopes) <= set(auth.scopes):
            auth = replace(auth, scopes=tuple(sorted({*scopes, *auth.scopes})))
        return Principal(auth, float(int(claims["exp"])))  # whole seconds, as the signature check takes it

    def _auth(self, claims: Mapping[str, Any]) -> AuthSession:
        auth = self._store.auth(claims["sid"])
        if auth is None:
            raise ClassWavesError("SESSION_EXPIRED")
        if auth.user_id != claims["sub"]:
            raise ClassWavesError("INVALID_TOKEN")
        return auth

    def _claims(self, token: Any, kind: str) -> Mapping[str, Any]:
        # decode_token() looks neither at the type nor at the claims that we rely on
        if not isinstance(token, str) or len(token) > MAX_TOKEN:
            raise ClassWavesError("INVALID_TOKEN")
        try:
            claims = self._decoded(token)
        except ExpiredSignatureError:
            raise ClassWavesError("TOKEN_EXPIRED") from None
        except (PyJWTError, JWTExtendedException, ValueError, RecursionError):
            raise ClassWavesError("INVALID_TOKEN") from None
        strings = all(isinstance(claims.get(name), str) for name in ("sub", "sid", "jti"))
        if claims.get("type") != kind or not strings or not isinstance(claims.get("exp"), int | float):
            raise ClassWavesError("INVALID_TOKEN")
        if self._clock.ahead and claims["exp"] + self._settings.jwt_leeway <= self._clock.time():
            raise ClassWavesError("TOKEN_EXPIRED")  # what decodes goes by the machine's time
        return claims

    def _decoded(self, token: str) -> Mapping[str, Any]:
        """What ``decode_token()`` gives, which reads a token three times to find out about its key."""
        if self._find is None or self._manager._decode_key_callback is not self._find:  # the shop's keys
            claims: Mapping[str, Any] = decode_token(token)
            return claims
        for key in self._keys.candidates(jwt.get_unverified_header(token)):
            try:
                return self._verified(token, key)
            except InvalidSignatureError:
                continue
        raise InvalidTokenError("no key")

    @staticmethod
    def _verified(token: str, key: Key) -> Mapping[str, Any]:
        audience = config.decode_audience
        return jwt.decode(
            token,
            key.verifies,
            algorithms=[key.algorithm],
            audience=audience,
            issuer=config.decode_issuer,
            leeway=config.leeway,
            options={"verify_aud": audience is not None, "verify_sub": config.verify_sub},
        )


def new_guest(display_name: str, session_id: str) -> AuthSession:
    """A guest student, who belongs to one classroom session; their login has not begun."""
    return AuthSession(new_id(), f"guest-{new_id(9)}", display_name, "student", guest_of=session_id)


def bearer(header: str | None) -> str | None:
    """The token of an ``Authorization`` header (RFC 6750, section 2.1)."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
