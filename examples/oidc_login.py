"""Login by OpenID Connect (Keycloak, Microsoft Entra, Google ...): authorization code with PKCE, by Authlib.

    pip install classwaves Authlib requests && export OIDC_ISSUER=https://id.school.example OIDC_CLIENT_ID=classroom
    OIDC_CLIENT_SECRET=... CLASSWAVES_DEMO=1 gunicorn -c python:classwaves.gunicorn_conf oidc_login:app

Register ``https://YOUR HOST/callback`` with the provider; a public client has no OIDC_CLIENT_SECRET. A page sends
people to GET /login. When they are back, POST /classroom-token gives the page what POST /api/v1/auth/login would: an
access and a refresh token, which never stand in an address. Who has OIDC_TEACHER (``teacher``) in the claim
OIDC_ROLE_CLAIM (``roles``) is a teacher, everybody else a student. Behind a proxy set CLASSWAVES_TRUSTED_PROXIES, or
the address of /callback is wrong; in production FLASK_SESSION_COOKIE_SECURE=true, and two keys and no demo mode.

Next: docs/tokens.md for what the tokens do, own_accounts.py where you keep the passwords.
"""

import os
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Flask, abort, redirect, session, url_for
from joserfc.errors import JoseError

from classwaves import Account, ClassWaves

ISSUER, CLIENT = os.environ["OIDC_ISSUER"], os.environ["OIDC_CLIENT_ID"]
ROLE_CLAIM, TEACHER = os.environ.get("OIDC_ROLE_CLAIM", "roles"), os.environ.get("OIDC_TEACHER", "teacher")

#: Of an ID token: from this provider, and for this application. Authlib checks nonce, times and signature by itself.
CLAIMS = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": CLIENT}}

app = Flask(__name__)
app.config.update(SESSION_COOKIE_SAMESITE="Lax")
app.config.from_prefixed_env()  # FLASK_SESSION_COOKIE_SECURE=true
classwaves = ClassWaves(app, authenticator=lambda username, password: None)  # nobody logs in by password
provider = OAuth(app).register(
    "provider",
    server_metadata_url=f"{ISSUER.rstrip('/')}/.well-known/openid-configuration",
    client_id=CLIENT,
    client_secret=os.environ.get("OIDC_CLIENT_SECRET"),
    client_kwargs={"scope": "openid profile", "code_challenge_method": "S256", "timeout": 10},
)


@app.get("/login")
def login() -> Any:
    """Send the browser to the provider, with a fresh state, nonce and PKCE challenge, kept in its signed cookie."""
    return provider.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback() -> Any:
    """The browser is back with a code: exchange it, and know from the ID token who it is."""
    try:
        claims = provider.authorize_access_token(claims_options=CLAIMS)["userinfo"]
        user = {"id": claims["sub"], "name": claims.get("name") or claims["sub"]}
    except (AuthlibBaseError, JoseError, KeyError, ValueError):  # KeyError: no ID token, or nobody in it
        app.logger.warning("a login was refused", exc_info=True)
        abort(403, "This login did not work. Please try again.")
    except requests.RequestException:
        app.logger.exception("the provider did not answer")
        abort(502, "Logins do not work at the moment.")
    roles = claims.get(ROLE_CLAIM, [])
    user["role"] = "teacher" if TEACHER in ([roles] if isinstance(roles, str) else roles) else "student"
    session.clear()
    session["user"] = user
    return redirect("/")


@app.post("/classroom-token")
def classroom_token() -> Any:
    """Give the page its tokens. POST, so that the cookie (SameSite=Lax) does not come along from other sites."""
    user = session.get("user") or abort(401, "Log in first")
    return classwaves.log_in(Account(user["id"], user["name"], user["role"]))
