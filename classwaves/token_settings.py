"""The settings of logins and tokens; a part of :class:`classwaves.settings.Settings`.

Imports the readers and the keys.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import keys, readers
from .readers import setting

#: No token of ours is longer, in characters; whatever is, is not worth a signature check.
MAX_TOKEN = 4096


@dataclass(frozen=True, kw_only=True, repr=False)
class TokenSettings:
    """How tokens are signed, checked and how long they live."""

    jwt_secret_key: str = setting(
        "JWT_SECRET_KEY",
        "",
        str,
        "signs the tokens (HS256); required without CLASSWAVES_JWT_PRIVATE_KEY, 32 bytes or more",
    )
    jwt_private_key: keys.Key | None = setting(
        "CLASSWAVES_JWT_PRIVATE_KEY",
        None,
        keys.private_key,
        "signs the tokens instead, with RS256, ES256 or EdDSA by its kind: PEM, or the path of a file",
    )
    jwt_old_keys: tuple[keys.Key, ...] = setting(
        "CLASSWAVES_JWT_OLD_KEYS",
        (),
        keys.old_keys,
        "secrets that no longer sign but still verify, comma separated, or a JSON object of them by `kid`",
    )
    jwt_public_keys: tuple[keys.Key, ...] = setting(
        "CLASSWAVES_JWT_PUBLIC_KEYS",
        (),
        keys.public_keys,
        "public keys that verify too: PEM, one after the other, or paths of files, comma separated",
    )
    jwt_audience: str = setting(
        "CLASSWAVES_JWT_AUDIENCE", "", str, "written into tokens as `aud`, and asked for; empty: not looked at"
    )
    jwt_issuer: str = setting(
        "CLASSWAVES_JWT_ISSUER", "", str, "written into tokens as `iss`, and asked for; empty: not looked at"
    )
    jwt_leeway: float = setting(
        "CLASSWAVES_JWT_LEEWAY",
        5.0,
        readers.duration,
        "by how much the clocks of who signs and who checks a token may differ",
    )
    auth_warning: float = setting(
        "CLASSWAVES_AUTH_WARNING",
        60.0,
        readers.duration,
        "how long before the end of its token a socket is warned; no longer than half of what access tokens live",
    )
    access_token_minutes: float = setting(
        "CLASSWAVES_ACCESS_TOKEN_MINUTES", 60.0, readers.positive(float), "access tokens"
    )
    refresh_token_days: float = setting(
        "CLASSWAVES_REFRESH_TOKEN_DAYS", 30.0, readers.positive(float), "refresh tokens"
    )
    guest_token_hours: float = setting("CLASSWAVES_GUEST_TOKEN_HOURS", 12.0, readers.positive(float), "guests' tokens")
    guests_per_seat: int = setting(
        "CLASSWAVES_GUESTS_PER_SEAT", 3, readers.positive(int), "guests' logins for each seat (`maxParticipants`)"
    )

    @property
    def key_ring(self) -> keys.KeyRing:
        """The keys of tokens. One that signed before another kind of key was given still verifies."""
        own = [keys.secret(self.jwt_secret_key)] if self.jwt_secret_key else []
        signing = self.jwt_private_key or own[0]
        return keys.KeyRing(signing, [*self.jwt_old_keys, *self.jwt_public_keys, *own])
