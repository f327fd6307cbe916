"""Routes under ``/auth``: log in, exchange a refresh token, log out, who am I."""

from __future__ import annotations

from typing import Any

from flask import request

from ..auth.tokens import TokenPair, bearer
from ..errors import ClassWavesError
from ..models import Account, AuthSession
from ..names import canonical
from ..signals import login_ended
from ..state import current_state
from .common import address, authenticated, documented, make_blueprint, principal
from .schemas import LoginSchema, TokensSchema, UserSchema

blueprint = make_blueprint("auth", "Log in and out.")


def user(auth: AuthSession) -> dict[str, Any]:
    return {"userId": auth.user_id, "displayName": auth.display_name, "role": auth.role}


def tokens(pair: TokenPair) -> dict[str, Any]:
    """A login as the contract shows it."""
    body = {
        "accessToken": pair.access,
        "tokenType": "Bearer",
        "expiresIn": pair.expires_in,
        "user": user(pair.auth),
    }
    return body if pair.refresh is None else {**body, "refreshToken": pair.refresh}


@blueprint.route("/auth/login", methods=["POST"])
@documented(blueprint, 401, public=True)
@blueprint.arguments(LoginSchema)
@blueprint.response(200, TokensSchema)
def login(body: dict[str, str]) -> dict[str, Any]:
    """Log in with a user name and a password."""
    state, name = current_state(), canonical(body["username"])
    with state.limits.login(address(), name):
        account = state.authenticator.authenticate(body["username"], body["password"])
    if account is None:
        state.limits.note_wrong_password(address())
        raise ClassWavesError("INVALID_CREDENTIALS")
    if not isinstance(account, Account):  # a shop's own model: nothing of it would fit into a token
        raise TypeError(f"the authenticator returned a {type(account).__name__}; return a classwaves.Account, or None")
    state.limits.welcome(address(), "login", name)
    return tokens(state.tokens.login(account))


@blueprint.route("/auth/refresh", methods=["POST"])
@documented(blueprint)
@blueprint.response(200, TokensSchema)
def refresh() -> dict[str, Any]:
    """Exchange a refresh token, given as the bearer token, for a new pair. A second use ends the login."""
    token = bearer(request.headers.get("Authorization"))
    if token is None:
        raise ClassWavesError("AUTH_REQUIRED")
    return tokens(current_state().tokens.refresh(token))


@blueprint.route("/auth/logout", methods=["POST"])
@documented(blueprint)
@blueprint.response(204)
@authenticated
def logout() -> None:
    """End the auth session: its tokens are worth nothing any more and its sockets are disconnected."""
    state, auth = current_state(), principal().auth
    state.store.end_auth(auth.id)
    state.hub.herald.tell(login_ended, user_id=auth.user_id)


@blueprint.route("/auth/me", methods=["GET"])
@documented(blueprint)
@blueprint.response(200, UserSchema)
@authenticated
def me() -> dict[str, Any]:
    """The user whose token this is."""
    return user(principal().auth)
