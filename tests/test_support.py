"""The tooling itself: what other tests rely on."""

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.gunicorn_server import ROOT, TEST_KEYS, Gunicorn
from tests.support.ports import free_port
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer, redis_binary
from tests.support.server_process import ServerProcess
from tests.support.waiting import eventually


def client_of(proxy: FaultyProxy) -> redis.Redis:
    return redis.Redis(port=proxy.port, socket_timeout=5, retry=Retry(NoBackoff(), 0), decode_responses=True)


def test_redis_is_not_the_one_of_the_environment() -> None:
    assert Path(redis_binary()).is_absolute()
    assert not Path(redis_binary()).is_relative_to(Path(sys.prefix) / "bin")


def test_each_test_gets_a_clean_redis(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("left", "over")
        redis_server.make_clean()
    with redis_server.client() as client:
        assert client.dbsize() == 0
        assert len(client.client_list()) == 1


def test_redis_keeps_acknowledged_writes_through_a_kill() -> None:
    with RedisServer(aof=True) as server:
        with server.client() as client:
            client.set("kept", "yes")
        server.kill()
        assert not server.running
        with server.client() as client, pytest.raises(redis.ConnectionError):
            client.ping()
        server.start()
        with server.client() as client:
            assert client.get("kept") == "yes"


def test_redis_without_aof_comes_back_empty() -> None:
    with RedisServer() as server:
        with server.client() as client:
            client.set("kept", "no")
        assert server.stop() == 0
        server.start()
        with server.client() as client:
            assert client.get("kept") is None


def test_a_paused_redis_answers_after_resume(redis_server: RedisServer) -> None:
    redis_server.pause()
    assert not redis_server.is_ready()
    redis_server.resume()
    eventually(redis_server.is_ready, what="an answer after resume")


def test_a_killed_shared_redis_comes_back(redis_server: RedisServer) -> None:
    redis_server.kill()
    redis_server.make_clean()
    assert redis_server.is_ready()


def test_proxy_swallows_a_reply_that_was_carried_out(redis_server: RedisServer) -> None:
    with FaultyProxy(redis_server.port) as proxy, client_of(proxy) as client:
        client.ping()
        proxy.swallow_next_reply(b"INCR")
        client.ping()
        with pytest.raises(redis.ConnectionError):
            client.incr("count")
        assert proxy.swallowed.wait(5)
        assert client.get("count") == "1"
        assert client.incr("count") == 2


def test_proxy_swallows_after_the_whole_pipeline(redis_server: RedisServer) -> None:
    with FaultyProxy(redis_server.port) as proxy, client_of(proxy) as client:
        client.ping()
        proxy.swallow_next_reply()
        pipeline = client.pipeline(transaction=False)
        for _ in range(200):
            pipeline.incr("count")
        with pytest.raises(redis.ConnectionError):
            pipeline.execute()
        assert proxy.swallowed.wait(5)
        with redis_server.client() as direct:
            assert direct.get("count") == "200"


def test_proxy_delays_cuts_and_refuses(redis_server: RedisServer) -> None:
    with FaultyProxy(redis_server.port) as proxy, client_of(proxy) as client:
        proxy.delay = 0.2
        started = time.monotonic()
        client.ping()
        assert time.monotonic() - started >= 0.2
        proxy.delay = 0.0

        proxy.refuse()
        assert client.ping(), "open connections stay"
        proxy.cut()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        with pytest.raises(redis.ConnectionError):
            client.ping()

        proxy.accept()
        assert client.ping()
    assert eventually(lambda: proxy.connections == 0, what="no connection in the proxy")


def test_ports_are_never_given_twice() -> None:
    ports = {free_port() for _ in range(20)}
    assert len(ports) == 20
    assert max(ports) < 55536
    with socket.create_server(("127.0.0.1", free_port())):
        pass


def test_eventually_waits_and_tells_the_last_value() -> None:
    flag = threading.Event()
    threading.Timer(0.1, flag.set).start()
    assert eventually(flag.is_set)
    with pytest.raises(AssertionError, match=r"two apples: not within 0\.1 s; last seen: 0"):
        eventually(lambda: 0, timeout=0.1, what="two apples")


class Failing(ServerProcess):
    name = "failing"

    def command(self) -> list[str]:
        return [sys.executable, "-c", "import sys; print('no keys'); sys.exit(3)"]

    def is_ready(self) -> bool:
        return False


def test_a_server_that_exits_is_told_with_its_log() -> None:
    with pytest.raises(AssertionError, match="failing exited with 3\n(.*\n)*no keys"), Failing():
        pass


class Forking(ServerProcess):
    """A server whose child is in another process group and does not notice its parent's end."""

    name = "forking"

    def command(self) -> list[str]:
        return ["sh", "-c", "set -m; sleep 300 & echo ready; wait"]

    def is_ready(self) -> bool:
        return "ready" in self.log()


def test_killing_a_server_kills_its_orphans() -> None:
    with Forking() as server:
        assert len(server.members()) == 2
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        assert len(server.members()) == 1
    assert server.members() == []


def test_a_server_sees_a_minimal_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://somewhere.invalid")
    monkeypatch.setenv("EDITOR", "vi")
    demo = Gunicorn(env={"WEB_CONCURRENCY": "2"})
    assert demo.environ().items() >= {"CLASSWAVES_DEMO": "1", "WEB_CONCURRENCY": "2", "PORT": str(demo.port)}.items()
    assert not {"REDIS_URL", "EDITOR", "SECRET_KEY"} & demo.environ().keys()
    demo.close()

    production = Gunicorn(demo=False, env={"SECRET_KEY": None})
    assert production.environ()["JWT_SECRET_KEY"] == TEST_KEYS["JWT_SECRET_KEY"]
    assert not {"SECRET_KEY", "CLASSWAVES_DEMO"} & production.environ().keys()
    production.close()


def run_pytest(directory: Path, source: str) -> str:
    """Run ``source`` as a test module under our fixtures and settings, in a process of its own."""
    module = directory / "test_inner.py"
    module.write_text(textwrap.dedent(source))
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", "setup.cfg"]
    env = {**os.environ, "CWTEST_GRACE": "1"}
    return subprocess.run(
        [*command, str(module)], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
    ).stdout


def test_a_leaked_context_is_noticed(tmp_path: Path) -> None:
    result = run_pytest(
        tmp_path,
        """
        from flask import Flask
        def test_leaks():
            Flask("leaky").app_context().push()
        def test_next():
            pass
        """,
    )
    assert "application context of <Flask 'leaky'>" in result
    assert "2 passed, 1 error" in result


def test_a_leaked_process_is_noticed_and_killed(tmp_path: Path) -> None:
    result = run_pytest(
        tmp_path,
        """
        import subprocess
        def test_leaks():
            subprocess.run("setsid sleep 301 & setsid sleep 302 &", shell=True)
        """,
    )
    assert "processes left behind, now killed" in result
    assert "1 passed, 1 error" in result
    killed = re.findall(r"^E +(\d+): sleep 30[12]$", result, re.MULTILINE)
    assert len(killed) == 2
    eventually(lambda: not any(psutil.pid_exists(int(pid)) for pid in killed), what="their end")


def test_the_servers_of_a_killed_test_process_die_with_it(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from tests.support import processes
        from tests.support.redis_server import RedisServer
        processes.mark_this_process()
        server = RedisServer(directory=Path(sys.argv[1]))
        server.start()
        print(server.pid, flush=True)
        time.sleep(300)
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as tester:
        assert tester.stdout
        server = int(tester.stdout.readline())
        os.kill(server, 0)
        tester.kill()
    eventually(lambda: not psutil.pid_exists(server), what="the end of the server")


def test_gunicorn_comes_back_after_a_kill(redis_url: str) -> None:
    with Gunicorn(env={"REDIS_URL": redis_url, "WEB_CONCURRENCY": "2"}) as server:
        eventually(lambda: len(server.worker_pids) == 2, what="two workers")
        before = server.worker_pids
        server.kill9()
        assert server.members() == []
        assert not server.is_ready()
        server.start()
        assert not set(before) & set(server.worker_pids)
        server.terminate()
        assert server.wait() == 0
        assert server.log().count("Starting gunicorn") == 2
    assert server.members() == []


def test_gunicorn_that_cannot_start_says_why() -> None:
    with pytest.raises(AssertionError, match="(?s)gunicorn exited with .*CLASSWAVES_NONSENSE"):
        Gunicorn(env={"CLASSWAVES_NONSENSE": "1"}).__enter__()
