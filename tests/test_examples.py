"""The examples, run as a shop runs them, against two workers: what is published reaches the clients of both."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.clients import RawClient
from tests.support.engine_io import Opener
from tests.support.examples import EXAMPLES, commands, environ
from tests.support.pair import Pair
from tests.support.pair import redis as redis
from tests.support.redis_server import RedisServer
from tests.support.server_process import ServerProcess
from tests.support.shop import ShopServer
from tests.support.socket_io import ask, connect

MOST_LINES = 80
EMIT = """
import sys
from flask_socketio import SocketIO
sockets = SocketIO(message_queue=sys.argv[1])
sockets.emit("told", {"to": "a room"}, to="the choir", namespace="/shop")
sockets.emit("told", {"to": "all"}, namespace="/shop")
"""


class CeleryWorker(ServerProcess):
    """Celery with the tasks of the example, in one process."""

    name = "celery"

    def __init__(self, redis_url: str) -> None:
        super().__init__()
        self.redis_url = redis_url

    def command(self) -> list[str]:
        """Return the command of the README, without what a single worker has no use for."""
        alone = ["--pool", "solo", "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
        return [sys.executable, "-m", "celery", "--app", "celery_tasks", "worker", *alone]

    def environ(self) -> dict[str, str]:
        return environ(REDIS_URL=self.redis_url)

    def working_directory(self) -> Path:
        return EXAMPLES

    def is_ready(self) -> bool:
        """Look for what it says when it takes tasks."""
        return " ready." in self.log()


@pytest.fixture(scope="module")
def pair(redis: RedisServer) -> Iterator[Pair]:
    """Run two servers of a shop, and Celery beside them."""
    with ExitStack() as stack:
        shops = [ShopServer(REDIS_URL=redis.url, CLASSWAVES_REQUIRE_REDIS="1") for _ in range(2)]
        started = [*shops, CeleryWorker(redis.url)]
        for server in started:
            stack.callback(server.close)
            server.start(wait=False)
        for server in started:
            server.wait_ready()
        pair = Pair(shops)
        stack.callback(pair.dismiss)
        yield pair


@pytest.fixture
def classroom(pair: Pair) -> tuple[str, list[RawClient]]:
    """Return a session's code and two guests in it, one on each worker."""
    code = pair.a.session()
    return code, [school.joined(code, name) for school, name in ((pair.a, "Ann"), (pair.b, "Ben"))]


@pytest.mark.parametrize("example", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_an_example_is_short_and_says_how_it_is_run(example: str) -> None:
    assert len((EXAMPLES / f"{example}.py").read_text().splitlines()) <= MOST_LINES
    assert commands(example)


def run(redis: RedisServer, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=EXAMPLES,
        env=environ(REDIS_URL=redis.url),
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_script_reaches_the_clients_of_all_workers(
    pair: Pair, redis: RedisServer, classroom: tuple[str, list[RawClient]]
) -> None:
    code, clients = classroom
    done = run(redis, "publish_from_script.py", code, "The bus leaves at noon")
    assert (done.returncode, done.stderr) == (0, "")
    for client in clients:
        said = client.wait_for("messageReceived", type="system", message="The bus leaves at noon")
        posted = client.wait_for("noticePosted", messageId=said["messageId"])
        assert posted["seq"] == said["seq"] + 1 and f"number {said['seq']}," in done.stdout
        assert client.wait_for("bellRings") == {"times": 2}
    assert [message["message"] for message in pair.history(code)] == ["The bus leaves at noon"]


def test_a_script_is_told_what_is_wrong(redis: RedisServer, pair: Pair) -> None:
    done = run(redis, "publish_from_script.py", "ZZZZZZ", "Anybody?")
    assert (done.returncode, done.stderr) == (1, "SESSION_NOT_FOUND: There is no such session\n")


@pytest.mark.parametrize("script", ["publish_from_script.py", "celery_tasks.py"])
def test_a_script_without_its_arguments_says_which(redis: RedisServer, script: str) -> None:
    done = run(redis, script)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{script} CODE")


def test_celery_tasks_reach_the_clients_of_all_workers(
    pair: Pair, redis: RedisServer, classroom: tuple[str, list[RawClient]]
) -> None:
    code, clients = classroom
    done = run(redis, "celery_tasks.py", code)
    assert (done.returncode, done.stderr) == (0, "")
    for client in clients:
        graded = client.wait_for("quizGraded", best=9, winners=["Ben", "Cem"])
        said = client.wait_for("messageReceived", type="system", message="The quiz is graded: 9 points.")
        assert said["seq"] == graded["seq"] + 1
        assert client.wait_for("bellRings") == {"times": 3}


def test_a_shops_own_rooms_are_reached_by_flask_socketios_emitter(pair: Pair, redis: RedisServer) -> None:
    """From another process, in a namespace of the shop, on both workers; who is in another room hears nothing."""
    with ExitStack() as stack:
        singers, others = (
            [stack.enter_context(Opener(school.server.port)).live() for school in (pair.a, pair.b)] for _ in range(2)
        )
        for session in (*singers, *others):
            connect(session)
        for session in singers:
            ask(session, "join", "the choir")
        done = run(redis, "-c", EMIT, redis.url)
        assert (done.returncode, done.stderr) == (0, "")
        for session in singers:
            assert session.receive() == '42/shop,["told",{"to":"a room"}]'
        for session in (*singers, *others):
            assert session.receive() == '42/shop,["told",{"to":"all"}]'
