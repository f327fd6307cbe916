"""The settings of logins and tokens; a part of :class:`classwaves.settings.Settings`.

Imports the readers.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import readers
from .readers import setting

#: No token of ours is longer, in characters; whatever is, is not worth a signature check.
MAX_TOKEN = 4096


@dataclass(frozen=True, kw_only=True, repr=False)
class TokenSettings:
    """How tokens are signed, checked and how long they live."""

    jwt_secret_key: str = setting("JWT_SECRET_KEY", "", str, "signs the tokens; required, 32 bytes or more")
    jwt_leeway: float = setting(
        "CLASSWAVES_JWT_LEEWAY",
        5.0,
        readers.duration,
        "by how much the clocks of who signs and who checks a token may differ",
    )
    auth_warning: float = setting(
        "CLASSWAVES_AUTH_WARNING", 60.0, readers.duration, "how long before the end of its token a socket is warned"
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
