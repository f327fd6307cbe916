"""What ``REDIS_URL`` may say, and the same for the libraries that want it in their own words. Imports nothing of ours.

redis://[user:password@]host:port/db            one server, or rediss:// for TLS
redis+sentinel://[user:password@]host:port,host:port/db/service
redis+cluster://[user:password@]host:port,host:port
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

FORMS = {"redis": "single", "rediss": "single", "redis+sentinel": "sentinel", "redis+cluster": "cluster"}
#: The credentials for the sentinels, which have their own: options of the URL.
SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")


@dataclass(frozen=True, slots=True, repr=False)
class RedisAddress:
    """A URL taken apart.

    :param form: ``single``, ``sentinel`` or ``cluster``.
    :param hosts: the server, all sentinels, or some nodes of the cluster.
    :param credentials: ``username`` and ``password`` for the servers, as far as they are given.
    :param service: the name under which the sentinels know the master.
    :param sentinel: ``username`` and ``password`` for the sentinels.
    """

    url: str
    form: str
    hosts: tuple[tuple[str, int], ...]
    credentials: dict[str, str]
    db: int
    service: str
    sentinel: dict[str, str]

    def node_url(self, host: str, port: int) -> str:
        """The ``redis://`` URL of one server; of a single one, the URL as it was given."""
        if self.form == "single":
            return self.url
        user, password = (quote(self.credentials.get(key, ""), safe="") for key in ("username", "password"))
        at = f"{user}:{password}@" if user or password else ""
        name = f"[{host}]" if ":" in host else host
        return f"redis://{at}{name}:{port}/{self.db}"

    def queue(self) -> list[tuple[str, dict[str, Any]]]:
        """URLs and ``redis_options`` for python-socketio's ``RedisManager``, to be tried one after the other.

        Of a cluster it is one of its nodes: what is published on one reaches the subscribers of all.
        """
        if self.form == "sentinel":
            hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
            options = {**self.credentials, "sentinel_kwargs": self.sentinel}
            return [(f"redis+sentinel://{hosts}/{self.db}/{self.service}", options)]
        return [(self.node_url(host, port), {}) for host, port in self.hosts]

    def limits(self) -> tuple[str, dict[str, Any]]:
        """The URL and the options for a storage of the ``limits`` library."""
        if self.form == "single":
            return self.url, {}
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        if self.form == "cluster":
            return f"redis+cluster://{hosts}", {**self.credentials}
        own = {"username": None, "password": None, **self.sentinel}  # else it takes the servers' for the sentinels
        options = {**self.credentials, "db": self.db, "sentinel_kwargs": own, "use_replicas": False}
        return f"redis+sentinel://{hosts}/{self.service}", options


def parse_redis_url(url: str) -> RedisAddress:
    """Take a URL apart. :raises ValueError: what is wrong with it, to be read after its name."""
    form = FORMS.get(url.partition("://")[0]) if "://" in url else None
    if form is None:
        raise ValueError("must start with redis://, rediss://, redis+sentinel:// or redis+cluster://")
    if form == "single":  # redis-py knows best what else it may have
        return RedisAddress(url, form, (("", 0),), {}, 0, "", {})
    parts = urlsplit(url)
    path = [unquote(part) for part in parts.path.split("/") if part]
    db, service = ("0", "") if form == "cluster" else _database_and_service(path)
    if form == "cluster" and path not in ([], ["0"]):
        raise ValueError("must not name a database: a cluster has one")
    options = dict(parse_qsl(parts.query))
    if unknown := set(options) - set(SENTINEL_OPTIONS if form == "sentinel" else ()):
        raise ValueError(f"has an option that is not known here: {min(unknown)}")
    sentinel = {name.removeprefix("sentinel_"): value for name, value in options.items()}
    hosts = _hosts(parts, 26379 if form == "sentinel" else 6379)
    return RedisAddress(url, form, hosts, _credentials(parts), int(db), service, sentinel)


def _database_and_service(path: list[str]) -> tuple[str, str]:
    db, service = path if len(path) == 2 else ("0", path[0] if len(path) == 1 else "")
    if not service or service.isdigit() or not db.isdigit():
        raise ValueError("must end with /db/service, such as /0/mymaster")
    return db, service


def _credentials(parts: SplitResult) -> dict[str, str]:
    user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
    found = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in found.items() if value and colon}


def _hosts(parts: SplitResult, usual: int) -> tuple[tuple[str, int], ...]:
    hosts: list[tuple[str, int]] = []
    for one in parts.netloc.rpartition("@")[2].split(","):
        try:
            host = urlsplit(f"//{one.strip()}")
            hosts.append((host.hostname or "", host.port or usual))
        except ValueError:
            raise ValueError(f"has no host and port in {one!r}") from None
    if not all(host for host, _ in hosts):
        raise ValueError("must name hosts: host:port,host:port")
    return tuple(hosts)
