"""A real server with users in it: gunicorn in demo mode, its store in memory or in a Redis of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

from tests.support.clients import Api, RawClient
from tests.support.gunicorn_server import TEST_KEYS, Gunicorn
from tests.support.redis_server import RedisServer

STORES = ("memory", "redis")
TRANSPORTS = ("websocket", "polling")


class School:
    """A running server, its demo teacher, and sessions with guests in them.

    :param server: signs with :data:`~tests.support.gunicorn_server.TEST_KEYS`, so that a test may make tokens too
    """

    def __init__(self, server: Gunicorn, redis: RedisServer | None = None) -> None:
        self.server = server
        self.redis = redis
        self.url = server.url
        self.api = Api(server.url)
        self._clients: list[RawClient] = []

    @cached_property
    def teacher(self) -> str:
        """The access token of the demo teacher."""
        return self.api.token("teacher")

    def session(self, **settings: Any) -> str:
        """Create a session of the demo teacher and return its code."""
        return self.api.new_session(self.teacher, **settings)

    def connect(self, token: str | None = None, transport: str = "websocket", **how: Any) -> RawClient:
        """Connect a socket, which :meth:`dismiss` drops; ``how`` is for :class:`RawClient`."""
        client = RawClient(self.url, token, transport, **how)
        self._clients.append(client)
        return client

    def guest(self, code: str, name: str = "Ann", transport: str = "websocket") -> RawClient:
        """Connect a new guest of a session, who has not joined it."""
        return self.connect(self.api.guest(code, name), transport)

    def joined(self, code: str, name: str = "Ann", transport: str = "websocket") -> RawClient:
        """Connect a new guest who joins the session."""
        client = self.guest(code, name, transport)
        client.join(code)
        return client

    def dismiss(self) -> None:
        """Drop all connections that were made by this object."""
        while self._clients:
            self._clients.pop().wire.drop()


@contextmanager
def open_school(store: str = "memory", *, server: type[Gunicorn] = Gunicorn, **env: str) -> Iterator[School]:
    """Run a server without rate limits.

    :param store: ``memory`` or ``redis``
    :param env: of the server; wins over everything
    """
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer()) if store == "redis" else None
        address = {"REDIS_URL": redis.url} if redis else {}
        settings = {**TEST_KEYS, **address, "CLASSWAVES_RATELIMIT_ENABLED": "0", **env}
        school = School(stack.enter_context(server(env=settings)), redis)
        stack.callback(school.dismiss)
        yield school
