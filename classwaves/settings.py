"""Every setting once: its name, default, meaning and check; loaded into one frozen object.

Imports only the parsers of URLs. Names are environment variables and Flask config keys alike; the config wins.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import readers, tracing
from .demo_keys import demo_keys
from .ice import IceServer, parse_ice_servers
from .keys import MIN_KEY_BYTES as MIN_KEY_BYTES
from .rates import RateSettings
from .readers import SettingsError as SettingsError
from .readers import setting
from .token_settings import TokenSettings

PREFIX = "CLASSWAVES_"

#: What gunicorn's master hands to its workers beside the settings.
INTERNAL = frozenset({"CLASSWAVES_PREFLIGHT", "CLASSWAVES_METRICS_DIR"})


@dataclass(frozen=True, kw_only=True, repr=False)
class Settings(TokenSettings, RateSettings):
    """The settings of one application, with those of ``token_settings`` and ``rates``.

    Durations are in seconds unless the name says otherwise.
    """

    host: str = setting("CLASSWAVES_HOST", "", str, "address to bind; empty: 127.0.0.1 in demo mode, else 0.0.0.0")
    port: int = setting("PORT", 8000, readers.count, "port to bind")
    workers: int = setting(
        "WEB_CONCURRENCY", 1, readers.positive(int), "gunicorn workers; one if the store is in memory"
    )
    redis_url: str = setting(
        "REDIS_URL",
        "",
        readers.redis_url,
        "URL of the store: redis://, rediss://, redis+sentinel:// or redis+cluster://; none: memory, one server",
    )
    require_redis: bool = setting("CLASSWAVES_REQUIRE_REDIS", False, readers.flag, "never fall back to memory")
    store: str = setting(
        "CLASSWAVES_STORE",
        "auto",
        readers.one_of("auto", "memory", "redis"),
        "which store; auto: redis if REDIS_URL is set. gunicorn's master sets it when it falls back to memory",
    )
    secret_key: str = setting("SECRET_KEY", "", str, "Flask's own key; required, 32 bytes or more")
    demo: bool = setting(
        "CLASSWAVES_DEMO", False, readers.flag, "demo users, a demo session, keys of its own, a page at /"
    )
    state_dir: str = setting("CLASSWAVES_STATE_DIR", "", str, "where demo mode keeps its keys; default: the XDG place")
    data_dir: str = setting("CLASSWAVES_DATA_DIR", "", str, "where what lasts is kept; default: the XDG place for data")
    origins: tuple[str, ...] = setting(
        "CLASSWAVES_ORIGINS",
        (),
        readers.origins,
        "origins of pages that may connect, besides the server's own; comma separated; `https://*.school.example`: all "
        "subdomains; `*` alone: all pages",
    )
    hsts_seconds: int = setting(
        "CLASSWAVES_HSTS_SECONDS",
        31_536_000,
        readers.count,
        "how long browsers use https alone, told them where the proxy says that they do; 0: not told",
    )
    trusted_proxies: int = setting(
        "CLASSWAVES_TRUSTED_PROXIES", 0, readers.count, "proxies in front that set X-Forwarded-*"
    )
    namespace: str = setting("CLASSWAVES_NAMESPACE", "/", readers.namespace, "the Socket.IO namespace of the classroom")
    url_prefix: str = setting(
        "CLASSWAVES_URL_PREFIX", "/api/v1", readers.starting_with("/"), "where the REST API is mounted"
    )

    ping_interval: float = setting("CLASSWAVES_PING_INTERVAL", 25.0, readers.positive(float), "Engine.IO heartbeat")
    ping_timeout: float = setting(
        "CLASSWAVES_PING_TIMEOUT", 20.0, readers.positive(float), "Engine.IO heartbeat's patience"
    )
    max_packet_bytes: int = setting(
        "CLASSWAVES_MAX_PACKET_BYTES",
        1_000_000,
        readers.positive(int),
        "hard cap of one packet; larger ones end the socket",
    )
    max_event_bytes: int = setting(
        "CLASSWAVES_MAX_EVENT_BYTES", 65_536, readers.positive(int), "a larger event is refused with PAYLOAD_TOO_LARGE"
    )
    max_message_length: int = setting(
        "CLASSWAVES_MAX_MESSAGE_LENGTH", 4000, readers.message_length, "characters of one message, up to 1000000"
    )
    max_backlog_bytes: int = setting(
        "CLASSWAVES_MAX_BACKLOG_BYTES",
        1_048_576,
        readers.positive(int),
        "what may wait for one client before it is dropped",
    )
    request_timeout: float = setting(
        "CLASSWAVES_REQUEST_TIMEOUT",
        10.0,
        readers.positive(float),
        "how long the head, and the body, of an HTTP request may take; from the environment only",
    )
    answer_timeout: float = setting(
        "CLASSWAVES_ANSWER_TIMEOUT",
        60.0,
        readers.positive(float),
        "an HTTP answer (a download, an export) of which a client takes less than 64 KiB in so long is broken off; "
        "from the environment only",
    )
    connect_timeout: float = setting(
        "CLASSWAVES_CONNECT_TIMEOUT",
        10.0,
        readers.positive(float),
        "how long a socket may take until it is in a namespace",
    )
    max_connections: int = setting(
        "CLASSWAVES_MAX_CONNECTIONS", 10_000, readers.positive(int), "connections of one worker"
    )

    disconnect_grace: float = setting(
        "CLASSWAVES_DISCONNECT_GRACE", 5.0, readers.positive(float), "from the last socket's end to `disconnected`"
    )
    drain_seconds: float = setting(
        "CLASSWAVES_DRAIN_SECONDS",
        4.0,
        readers.duration,
        "over how long a worker that ends closes its sockets; 500 a second",
    )
    drain_grace: float = setting(
        "CLASSWAVES_DRAIN_GRACE",
        30.0,
        readers.positive(float),
        "how long their seats are kept for who comes back elsewhere",
    )
    left_after: float = setting(
        "CLASSWAVES_LEFT_AFTER", 600.0, readers.positive(float), "from `disconnected` to `left`"
    )
    ephemeral_window: float = setting(
        "CLASSWAVES_EPHEMERAL_WINDOW",
        0.2,
        readers.duration,
        "presence, typing and the like: of what is about the same, only the newest in so long is sent; 0: all",
    )
    typing_timeout: float = setting(
        "CLASSWAVES_TYPING_TIMEOUT", 5.0, readers.positive(float), "how long somebody types who does not say so again"
    )
    stall_after: float = setting(
        "CLASSWAVES_STALL_AFTER", 30.0, readers.positive(float), "a transcription without text for so long has stalled"
    )
    late_after: float = setting(
        "CLASSWAVES_LATE_AFTER", 300.0, readers.duration, "who joins so long after the start of a session is late"
    )
    max_response_bytes: int = setting(
        "CLASSWAVES_MAX_RESPONSE_BYTES", 8192, readers.positive(int), "`data` of one response to an activity"
    )
    files: str = setting(
        "CLASSWAVES_FILES",
        "",
        readers.file_place,
        "where shared files are kept: a folder, `s3://BUCKET/PREFIX`, or `none`: none are shared. Default: the folder "
        "`files` in CLASSWAVES_DATA_DIR, or a temporary one if the store is in memory",
    )
    max_file_bytes: int = setting(
        "CLASSWAVES_MAX_FILE_BYTES", 50_000_000, readers.positive(int), "size of one shared file"
    )
    session_file_bytes: int = setting(
        "CLASSWAVES_SESSION_FILE_BYTES", 1_000_000_000, readers.positive(int), "size of all shared files of a session"
    )
    session_files: int = setting("CLASSWAVES_SESSION_FILES", 100, readers.positive(int), "shared files of a session")
    session_uploads: int = setting(
        "CLASSWAVES_SESSION_UPLOADS", 100, readers.positive(int), "uploads of a session that may be under way at once"
    )
    user_uploads: int = setting("CLASSWAVES_USER_UPLOADS", 5, readers.positive(int), "those of one user in a session")
    upload_timeout: float = setting(
        "CLASSWAVES_UPLOAD_TIMEOUT",
        600.0,
        readers.positive(float),
        "an upload that nothing comes of for so long is given up",
    )
    file_types: tuple[str, ...] = setting(
        "CLASSWAVES_FILE_TYPES",
        ("*/*",),
        readers.mime_patterns,
        "types of files that may be shared, comma separated, such as `image/*,application/pdf`",
    )
    ice_servers: tuple[IceServer, ...] = setting(
        "CLASSWAVES_ICE_SERVERS",
        (),
        parse_ice_servers,
        "STUN and TURN servers for calls: URLs (`stun:`, `turn:`), comma separated, or a JSON list of "
        "`{urls, username, credential}`",
    )
    turn_secret: str = setting(
        "CLASSWAVES_TURN_SECRET",
        "",
        str,
        "shared with TURN servers that have no credentials of their own (coturn's `static-auth-secret`)",
    )
    turn_ttl: int = setting(
        "CLASSWAVES_TURN_TTL", 14_400, readers.positive(int), "seconds that the credentials made with it are good for"
    )
    lease: float = setting(
        "CLASSWAVES_LEASE", 30.0, readers.positive(float), "a worker not heard of for so long is dead"
    )
    renew: float = setting("CLASSWAVES_RENEW", 10.0, readers.positive(float), "how often a worker renews its lease")
    auth_check: float = setting(
        "CLASSWAVES_AUTH_CHECK", 60.0, readers.positive(float), "how often live sockets' auth sessions are looked up"
    )

    ring_entries: int = setting("CLASSWAVES_RING_ENTRIES", 500, readers.positive(int), "newest entries a worker keeps")
    ring_bytes: int = setting("CLASSWAVES_RING_BYTES", 262_144, readers.positive(int), "and their bytes at the most")
    resume_entries: int = setting("CLASSWAVES_RESUME_ENTRIES", 1000, readers.positive(int), "missed events at the most")
    resume_bytes: int = setting(
        "CLASSWAVES_RESUME_BYTES", 524_288, readers.positive(int), "and their bytes at the most"
    )
    checkpoint_entries: int = setting(
        "CLASSWAVES_CHECKPOINT_ENTRIES", 500, readers.positive(int), "a tail this long is worth a checkpoint"
    )
    log_entries: int = setting(
        "CLASSWAVES_LOG_ENTRIES", 100_000, readers.positive(int), "entries a session's log keeps"
    )
    log_bytes: int = setting("CLASSWAVES_LOG_BYTES", 64_000_000, readers.positive(int), "and their bytes, about")
    dedupe_keys: int = setting(
        "CLASSWAVES_DEDUPE_KEYS", 20_000, readers.positive(int), "clientMessageIds a session keeps"
    )
    retention_hours: float = setting(
        "CLASSWAVES_RETENTION_HOURS", 24.0, readers.positive(float), "how long a session's data stays after its end"
    )
    idle_days: float = setting(
        "CLASSWAVES_IDLE_DAYS", 30.0, readers.positive(float), "how long a session that never ended stays unused"
    )
    audit_days: float = setting(
        "CLASSWAVES_AUDIT_DAYS", 365.0, readers.duration, "how long the audit stream keeps an act; 0: for ever"
    )

    log_format: str = setting(
        "CLASSWAVES_LOG_FORMAT",
        "auto",
        readers.one_of("auto", "json", "text"),
        "of gunicorn's and ClassWaves' log; auto: text on a terminal, else a JSON object a line",
    )
    log_level: str = setting(
        "CLASSWAVES_LOG_LEVEL",
        "info",
        readers.one_of("debug", "info", "warning", "error"),
        "what is written to it; debug: also each delivery on each worker",
    )
    slow_handler: float = setting(
        "CLASSWAVES_SLOW_HANDLER",
        0.5,
        readers.positive(float),
        "an event, a request or an append that takes longer is named in the log",
    )
    tracing: str = setting(
        "CLASSWAVES_TRACING",
        "auto",
        readers.one_of("auto", "0", "1"),
        "spans by OpenTelemetry (`classwaves[otel]`); auto: if OTEL_* says where they go",
    )

    redis_timeout: float = setting(
        "CLASSWAVES_REDIS_TIMEOUT", 2.0, readers.positive(float), "patience with one command"
    )
    redis_connections: int = setting("CLASSWAVES_REDIS_CONNECTIONS", 32, readers.positive(int), "pool of one worker")
    redis_prefix: str = setting("CLASSWAVES_REDIS_PREFIX", "cw", str, "first part of every key")

    metrics_token: str = setting(
        "CLASSWAVES_METRICS_TOKEN", "", str, "who asks for /metrics shows it; empty: anybody may"
    )
    blocked_after: float = setting(
        "CLASSWAVES_BLOCKED_AFTER",
        2.0,
        readers.positive(float),
        "/healthz says `blocked` if the loop stood still so long",
    )
    monitor: bool = setting("CLASSWAVES_MONITOR", True, readers.flag, "/monitor, where admins see all workers")
    monitor_seconds: float = setting(
        "CLASSWAVES_MONITOR_SECONDS", 2.0, readers.positive(float), "how often it shows new numbers"
    )

    archive_url: str = setting(
        "CLASSWAVES_ARCHIVE_URL",
        "",
        readers.archive_url,
        "SQL archive of all sessions: sqlite:///… or postgresql://…; none: no archive; "
        "empty: archive.sqlite3 in CLASSWAVES_DATA_DIR, if SQLAlchemy is installed",
    )
    archive_days: float = setting(
        "CLASSWAVES_ARCHIVE_DAYS",
        365.0,
        readers.duration,
        "how long the archive keeps a session after its last event; 0: for ever",
    )

    @classmethod
    def load(cls, config: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from a Flask config over the environment.

        :param config: the application's configuration; its values win.
        :param environ: the environment; ``os.environ`` if left out.
        :raises SettingsError: all that is wrong: an unknown ``CLASSWAVES_*`` name (the nearest is named), a value that
            does not pass its check, or a key that is missing or too short outside demo mode.
        """
        settings, problems = cls.look(config, environ)
        if problems:
            raise SettingsError(*problems)
        return settings

    @classmethod
    def look(
        cls, config: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
    ) -> tuple[Settings, list[str]]:
        """The settings as far as they can be read, the others at their defaults, and a sentence for each problem."""
        sources = [dict(os.environ if environ is None else environ), dict(config or {})]
        known = {field.metadata["name"]: field for field in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        problems: list[str] = []
        for source in sources:
            for name, value in source.items():
                try:
                    if name in known:
                        values |= cls._read(known[name], value)
                    elif name.startswith(PREFIX) and name not in INTERNAL:
                        raise SettingsError(readers.unknown(name, list(known), PREFIX))
                except SettingsError as error:
                    problems += error.problems
        settings = cls(**values)
        problems += settings._contradictions()
        try:
            return settings._with_keys(), problems
        except SettingsError as error:
            return settings, [*problems, *error.problems]

    @staticmethod
    def _read(field: dataclasses.Field[Any], value: Any) -> dict[str, Any]:
        if value is None or value == "":  # an empty variable is an unset one
            return {}
        try:
            return {field.name: field.metadata["read"](value)}
        except (TypeError, ValueError) as error:
            raise SettingsError(f"{field.metadata['name']} {error}.") from None

    def _contradictions(self) -> Iterator[str]:
        if self.require_redis and not self.redis_url:
            yield "CLASSWAVES_REQUIRE_REDIS is set, but REDIS_URL is not: give the store's address."
        if self.store == "redis" and not self.redis_url:
            yield "CLASSWAVES_STORE is redis, but REDIS_URL is not set: give the store's address."
        if not self.turn_secret and any(server.relays and not server.username for server in self.ice_servers):
            yield (
                "CLASSWAVES_ICE_SERVERS has a TURN server without credentials: give them there as username and "
                "credential, or set CLASSWAVES_TURN_SECRET to its shared secret (coturn: static-auth-secret)."
            )
        if self.tracing == "1" and not tracing.is_installed():
            yield "CLASSWAVES_TRACING is 1, but OpenTelemetry is not installed: pip install 'classwaves[otel]'."
        if self.renew * 2 > self.lease:
            yield "CLASSWAVES_RENEW must be at most half of CLASSWAVES_LEASE, or workers seem dead."

    def _with_keys(self) -> Settings:
        keys = {"JWT_SECRET_KEY": self.jwt_secret_key, "SECRET_KEY": self.secret_key}
        spared = {"JWT_SECRET_KEY", "SECRET_KEY"} if self.demo else set()
        if self.jwt_private_key is not None:
            spared.add("JWT_SECRET_KEY")
        short = {
            name: key for name, key in keys.items() if len(key.encode()) < MIN_KEY_BYTES and (key or name not in spared)
        }
        if short:
            raise SettingsError(*(readers.short_key(name, key, MIN_KEY_BYTES) for name, key in short.items()))
        if self.demo:
            made = {} if all(keys.values()) else demo_keys(self.state_dir)
            return dataclasses.replace(
                self,
                jwt_secret_key=self.jwt_secret_key or made["jwt_secret_key"],
                secret_key=self.secret_key or made["secret_key"],
            )
        return self

    @property
    def store_kind(self) -> str:
        """``memory`` or ``redis``: what ``auto`` means here. The fallback is gunicorn's master's to decide."""
        if self.store != "auto":
            return self.store
        return "redis" if self.redis_url else "memory"

    @property
    def data_folder(self) -> Path:
        """Where what lasts is kept: outside the repository, by default ``$XDG_DATA_HOME/classwaves``."""
        default = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "classwaves"
        return Path(self.data_dir) if self.data_dir else default

    def store_seconds(self, status: str) -> float:
        """How long the store keeps a session in which nothing happens any more."""
        return self.retention_hours * 3600 if status == "ended" else self.idle_days * 86400

    @property
    def archives(self) -> bool:
        """Whether there is an archive: one that was asked for, or the default one if SQLAlchemy is installed."""
        if self.archive_url:
            return self.archive_url != "none"
        return importlib.util.find_spec("sqlalchemy") is not None

    @property
    def bind(self) -> str:
        """The address to listen at. Demo mode has public passwords, so it stays on this machine unless told."""
        host = self.host or ("127.0.0.1" if self.demo else "0.0.0.0")  # noqa: S104
        return f"{host}:{self.port}"

    def __repr__(self) -> str:
        # keys and URLs with passwords have no place in logs or tracebacks
        return f"<Settings store={self.store_kind} demo={self.demo}>"
