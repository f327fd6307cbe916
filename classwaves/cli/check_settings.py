"""What can be said of the settings alone: keys, workers, origins, proxies, demo mode, calls.

Imports settings and the findings. Asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from ..settings import MIN_KEY_BYTES, Settings
from .findings import Finding, error, ok, warning

#: Variables that a PaaS sets: a router is in front, and the disk is gone after a restart.
PAAS = {
    "DYNO": "Heroku",
    "FLY_APP_NAME": "Fly.io",
    "RENDER": "Render",
    "RAILWAY_ENVIRONMENT": "Railway",
    "K_SERVICE": "Cloud Run",
    "WEBSITE_SITE_NAME": "Azure",
    "VCAP_APPLICATION": "Cloud Foundry",
}
LOCAL = ("127.0.0.1", "::1", "localhost")
#: What is in keys that were meant for a while only.
MAKESHIFT = ("change", "secret", "example", "password", "classwaves", "test", "dev", "demo", "12345")


def paas(environ: Mapping[str, str]) -> str | None:
    """The PaaS that this environment is of, if it is one that is known here."""
    return next((name for variable, name in PAAS.items() if environ.get(variable)), None)


def is_local(host: str) -> bool:
    return host in LOCAL or host.startswith("127.") or host.endswith(".localhost")


def check_settings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Everything that these settings, in this environment, say about themselves."""
    yield from _keys(settings)
    yield from _store(settings)
    yield from _origins(settings)
    yield from _proxies(settings, paas(environ))
    yield from _demo(settings, paas(environ))
    yield from _calls(settings)
    yield from _limits(settings)
    yield from _metrics(settings)
    if environ.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no", "off"):
        yield error("debug", "FLASK_DEBUG is set: whoever causes an error sees the code. Unset it on a server.")


def _keys(settings: Settings) -> Iterator[Finding]:
    both = {"JWT_SECRET_KEY": settings.jwt_secret_key, "SECRET_KEY": settings.secret_key}
    keys = {name: key for name, key in both.items() if key}  # with a private key there may be one only
    if settings.demo or not keys or any(len(key.encode()) < MIN_KEY_BYTES for key in keys.values()):
        return  # made by demo mode, or told among what is wrong with the settings
    weak = [name for name, key in keys.items() if is_weak(key)]
    for name in weak:
        yield error(
            name,
            "looks like one from an example or typed by hand, which others guess and then sign tokens with: make one "
            "by `python -c 'import secrets; print(secrets.token_urlsafe(48))'`.",
        )
    if settings.jwt_secret_key == settings.secret_key:
        yield warning("keys", "JWT_SECRET_KEY and SECRET_KEY are the same: whoever learns one has both. Make two.")
    elif not weak:
        yield ok("keys", "are long, and not the same")


def is_weak(key: str) -> bool:
    """Whether a key is of few characters, or has words in it that random ones do not have."""
    if len(set(key)) < 12:
        return True
    words = [part for part in key.lower().replace("_", "-").split("-") if part.isalpha()]
    return any(word in MAKESHIFT or word.startswith("change") for word in words)


def _store(settings: Settings) -> Iterator[Finding]:
    if settings.store_kind == "redis":
        if not settings.require_redis:
            yield warning(
                "store",
                "a server that starts while Redis is away keeps everything in memory until its next start: set "
                "CLASSWAVES_REQUIRE_REDIS=1 in production.",
            )
        yield ok("workers", f"{settings.workers}, no sticky sessions needed: any of them takes any client's requests")
        return
    yield warning("store", "is in memory: what is in it ends with the server. Set REDIS_URL for anything but a try.")
    if settings.workers > 1:
        yield error(
            "workers",
            f"WEB_CONCURRENCY is {settings.workers}, and a store in memory has one worker: our gunicorn.conf.py starts "
            "one, another one would start worlds that know nothing of each other. Set REDIS_URL, or WEB_CONCURRENCY=1.",
        )


def _origins(settings: Settings) -> Iterator[Finding]:
    wrong = False
    for origin in settings.origins:
        if finding := _origin(origin):
            wrong = True
            yield finding
    if not wrong:
        yield ok("origins", ", ".join(settings.origins) or "pages of the server's own address only")


def _origin(origin: str) -> Finding | None:
    if origin == "*":
        return warning("origins", "* is every page on earth: list yours, such as https://school.example.")
    parts = urlsplit(origin)
    if parts.scheme == "http" and not is_local(parts.hostname or ""):
        return warning("origins", f"{origin} is not encrypted: who is on the way reads tokens. Use https://.")
    return None


def _proxies(settings: Settings, platform: str | None) -> Iterator[Finding]:
    if settings.trusted_proxies:
        yield ok("proxies", f"the last {settings.trusted_proxies} of X-Forwarded-For are believed")
    elif platform:
        yield error(
            "proxies",
            f"this is {platform}, whose router is in front: to the server all clients have one address, and pages of "
            "its own are strangers. Set CLASSWAVES_TRUSTED_PROXIES=1.",
        )
    elif is_local(settings.bind.rpartition(":")[0].strip("[]")) and not settings.demo:
        yield warning(
            "proxies",
            "the server is bound to this machine, so a proxy seems to be in front, and is not believed: all clients "
            "have one address. Set CLASSWAVES_TRUSTED_PROXIES=1.",
        )
    else:
        yield ok("proxies", "none is believed; set CLASSWAVES_TRUSTED_PROXIES if there are any")


def _demo(settings: Settings, platform: str | None) -> Iterator[Finding]:
    if not settings.demo:
        return
    host = settings.bind.rpartition(":")[0]
    if platform or not is_local(host.strip("[]")):
        yield error(
            "demo mode",
            f"is on at {settings.bind}: everybody knows the passwords. Unset CLASSWAVES_DEMO, or CLASSWAVES_HOST.",
        )
    else:
        yield warning("demo mode", "is on, with passwords that everybody knows: unset CLASSWAVES_DEMO in production.")


def _calls(settings: Settings) -> Iterator[Finding]:
    if not settings.ice_servers:
        yield ok("calls", "no STUN and TURN servers: calls work within one network. See docs/calls.md")
    elif not any(server.relays for server in settings.ice_servers):
        yield warning("calls", "there is STUN but no TURN server: behind some firewalls calls fail. See docs/calls.md.")
    else:
        yield ok("calls", "there is a TURN server")


def _limits(settings: Settings) -> Iterator[Finding]:
    if not settings.ratelimit_enabled:
        yield warning("limits", "CLASSWAVES_RATELIMIT_ENABLED is off: passwords can be guessed at any speed. Unset it.")
    if settings.ping_interval + settings.ping_timeout > 55:
        yield warning(
            "heartbeat",
            "an idle connection may be silent for longer than the 55 or 60 seconds after which routers cut it: set "
            "CLASSWAVES_PING_INTERVAL to 25.",
        )


def _metrics(settings: Settings) -> Iterator[Finding]:
    if settings.metrics_token:
        yield ok("metrics", "/metrics asks for its token")
    elif not is_local(settings.bind.rpartition(":")[0].strip("[]")):
        yield warning(
            "metrics",
            "everybody who reaches the server reads /metrics: set CLASSWAVES_METRICS_TOKEN, and give it to Prometheus.",
        )
