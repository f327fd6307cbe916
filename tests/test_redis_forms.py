"""Each form of ``REDIS_URL``, from its reading to a whole server on it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

import pytest
import socketio

from classwaves.errors import ClassWavesError, StoreUnavailable
from classwaves.limits import RateLimits
from classwaves.models import new_id
from classwaves.redis_url import parse_redis_url
from classwaves.settings import Settings
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.school import School, open_school
from tests.support.stores import FORMS


def test_a_sentinel_url_is_taken_apart() -> None:
    url = "redis+sentinel://us%3Aer:p%40ss@one:1,[::1]:2,three/4/mymaster?sentinel_password=other"
    address = parse_redis_url(url)
    assert (address.form, address.db, address.service) == ("sentinel", 4, "mymaster")
    assert address.hosts == (("one", 1), ("::1", 2), ("three", 26379))
    assert address.credentials == {"username": "us:er", "password": "p@ss"}
    assert address.sentinel == {"password": "other"}
    assert parse_redis_url("redis+sentinel://one/mymaster").db == 0


def test_a_cluster_url_is_taken_apart() -> None:
    address = parse_redis_url("redis+cluster://:p%2Fss@one:1,two")
    assert (address.form, address.hosts) == ("cluster", (("one", 1), ("two", 6379)))
    assert address.node_url("::1", 7) == "redis://:p%2Fss@[::1]:7/0"
    assert [url for url, _ in address.queue()] == ["redis://:p%2Fss@one:1/0", "redis://:p%2Fss@two:6379/0"]


def test_one_server_is_left_to_redis_py() -> None:
    url = "rediss://:hunter2@redis.example:6379/0?ssl_cert_reqs=none"
    address = parse_redis_url(url)
    assert address.queue() == [(url, {})]
    assert address.limits() == (url, {})
    assert "hunter2" not in repr(address)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis", "must start with"),
        ("redis+cluster:one", "must start with"),
        ("rediss+cluster://one", "must start with"),
        ("redis+sentinel://one:1/0", "/db/service"),
        ("redis+sentinel://one:1", "/db/service"),
        ("redis+sentinel://one:1/a/b", "/db/service"),
        ("redis+sentinel://one:x/0/m", "host and port"),
        ("redis+sentinel://one,,two/0/m", "hosts"),
        ("redis+cluster://", "hosts"),
        ("redis+cluster://one/3", "database"),
        ("redis+cluster://one?ssl=1", "option"),
    ],
)
def test_what_cannot_be_meant_is_refused(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_redis_url(url)


@pytest.fixture(params=FORMS)
def url(request: pytest.FixtureRequest) -> str:
    """The URL of a Sentinel set, and that of a cluster."""
    return str(request.getfixturevalue(f"{request.param}_set").url)


@contextmanager
def limits(url: str) -> Iterator[RateLimits]:
    settings = {**TEST_KEYS, "REDIS_URL": url, "CLASSWAVES_LOGIN_NAME_RATE": "3/minute"}
    made = RateLimits(Settings.load(settings | {"CLASSWAVES_REDIS_PREFIX": f"test-{new_id(6)}"}, {}))
    yield made
    made.close()


def test_rates_are_counted_there(url: str) -> None:
    with limits(url) as made:
        for _ in range(3):
            made.hit("login_name", "ann")
        with pytest.raises(ClassWavesError, match="RATE_LIMIT"):
            made.hit("login_name", "ann")
        made.hit("login_name", "bob")


@pytest.mark.parametrize("url", ["redis+cluster://127.0.0.1:1", "redis+sentinel://127.0.0.1:1/0/m"])
def test_rates_cannot_be_counted_while_it_is_away(url: str) -> None:
    with limits(url) as made, pytest.raises(StoreUnavailable):
        made.hit("login_name", "ann")


@pytest.fixture
def school(url: str) -> Iterator[School]:
    """Two workers on one of them."""
    own = {"CLASSWAVES_REDIS_PREFIX": f"test-{new_id(6)}", "CLASSWAVES_RATELIMIT_ENABLED": "1"}
    with open_school(REDIS_URL=url, WEB_CONCURRENCY="2", **own) as opened:  # type: ignore[arg-type]
        yield opened


def test_a_class_meets_there(school: School, url: str) -> None:
    with urlopen(school.url + "/readyz", timeout=10) as answer:
        assert json.load(answer)["status"] == "ok"
    code = school.session()
    ann, bob = school.joined(code), school.joined(code, "Bob")
    assert ann.say(code, "hello")["ok"]
    assert bob.wait_for("messageReceived")["message"] == "hello"
    # and what a shop emits from elsewhere, by Flask-SocketIO's queue
    (place, options), *_ = parse_redis_url(url).queue()
    emitter = socketio.RedisManager(place, channel="flask-socketio", write_only=True, redis_options=options)

    heard = threading.Event()

    def emit() -> None:  # again and again, as what is sent before a worker listens is lost
        while not heard.wait(0.05):
            emitter.emit("news", {})

    emitting = threading.Thread(target=emit)
    emitting.start()
    try:
        for client in (ann, bob):
            client.wait_for("news")
    finally:
        heard.set()
        emitting.join()
        emitter.redis.close()
    assert "Traceback" not in school.server.log()
