"""The settings of limits: how often, and how many at once.

Imports the readers. What they mean for a school is in ``docs/limits.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import readers
from .readers import setting

#: Events that have a rate of their own beside that of all events, unless CLASSWAVES_EVENT_RATES says otherwise: what
#: costs more than a message, or disturbs a whole class.
EVENT_RATES = {
    "addReaction": "10/second",
    "assignGroups": "2/second",
    "fetchHistory": "10/second",
    "fetchTranscript": "10/second",
    "joinSession": "20/second;120/minute",
    "raiseHand": "5/second;60/minute",
    "syncSession": "5/second",
}


@dataclass(frozen=True, kw_only=True, repr=False)
class RateSettings:
    """Rates are those of the ``limits`` library."""

    ratelimit_enabled: bool = setting("CLASSWAVES_RATELIMIT_ENABLED", True, readers.flag, "rate limits")
    login_rate: str = setting("CLASSWAVES_LOGIN_RATE", "10/minute", readers.rate, "logins per address and user name")
    login_name_rate: str = setting("CLASSWAVES_LOGIN_NAME_RATE", "60/minute", readers.rate, "logins per user name")
    wrong_password_rate: str = setting(
        "CLASSWAVES_WRONG_PASSWORD_RATE", "600/minute", readers.rate, "wrong passwords per address, whatever the names"
    )
    address_logins: int = setting(
        "CLASSWAVES_ADDRESS_LOGINS",
        30,
        readers.positive(int),
        "passwords of one address that are checked, or wait to be, at once, at one worker",
    )
    guest_rate: str = setting("CLASSWAVES_GUEST_RATE", "3000/minute", readers.rate, "guest joins per address")
    guess_rate: str = setting(
        "CLASSWAVES_GUESS_RATE", "100/minute", readers.rate, "unknown codes per user; guests: per address"
    )
    handshake_rate: str = setting(
        "CLASSWAVES_HANDSHAKE_RATE",
        "6000/minute",
        readers.rate,
        "per address and worker: handshakes, tokens shown by sockets, and requests for connections that there are not",
    )
    connect_rate: str = setting(
        "CLASSWAVES_CONNECT_RATE", "30/minute", readers.rate, "connections per address and user"
    )
    user_connections: int = setting(
        "CLASSWAVES_USER_CONNECTIONS", 50, readers.positive(int), "sockets of one user at once, at one worker"
    )
    address_connections: int = setting(
        "CLASSWAVES_ADDRESS_CONNECTIONS", 5000, readers.positive(int), "sockets of one address at once, at one worker"
    )
    read_rate: str = setting(
        "CLASSWAVES_READ_RATE", "30/second;600/minute", readers.rate, "REST reads of sessions per user"
    )
    user_downloads: int = setting(
        "CLASSWAVES_USER_DOWNLOADS", 10, readers.positive(int), "downloads of one user at once, at one worker"
    )
    create_rate: str = setting("CLASSWAVES_CREATE_RATE", "30/minute", readers.rate, "new sessions per user")
    event_rate: str = setting("CLASSWAVES_EVENT_RATE", "30/second;600/minute", readers.rate, "events per user")
    event_rates: tuple[tuple[str, str], ...] = setting(
        "CLASSWAVES_EVENT_RATES",
        (),
        readers.event_rates,
        "rates of single events per user, beside that of all: `addReaction=20/second,raiseHand=1/second`; by default "
        + ", ".join(f"`{name}={rate}`" for name, rate in EVENT_RATES.items()),
    )
    session_rate: str = setting(
        "CLASSWAVES_SESSION_RATE",
        "1000/second",
        readers.rate,
        "events of all students of one session together, at one worker; its staff have as many of their own",
    )
    personal_rate: str = setting(
        "CLASSWAVES_PERSONAL_RATE",
        "10/minute",
        readers.rate,
        "exports and erases of one's own data per user, for which all logs are read; guests: per address",
    )
    chunk_rate: str = setting(
        "CLASSWAVES_CHUNK_RATE",
        "50/second;1000/minute",
        readers.rate,
        "chunks of files per user, 256 KiB each at the most",
    )
    signal_rate: str = setting(
        "CLASSWAVES_SIGNAL_RATE",
        "60/second;1200/minute",
        readers.rate,
        "`signal` events per user, which are no others' events; each further 8 KiB of one counts as another one",
    )

    @property
    def own_rates(self) -> dict[str, str]:
        """The rates of single events: the usual ones, and over them those that were set."""
        return {**EVENT_RATES, **dict(self.event_rates)}
