"""``classwaves.Publisher``: from a process that serves nobody, into the log in Redis."""

import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from classwaves import ClassWavesError, Publisher
from classwaves.store.redis import RedisStore
from tests.support.gunicorn_server import ROOT
from tests.support.processes import minimal_environ
from tests.support.redis_server import RedisServer
from tests.support.stores import LIMITS, Listener, at_once, new_session, redis_store, texts
from tests.support.stores import direct as direct


@pytest.fixture
def publisher(redis_url: str) -> Iterator[Publisher]:
    with Publisher(redis_url, prefix="test") as publisher:
        yield publisher


def run(script: str, *args: str, directory: Path = ROOT) -> str:
    """Run a script in a process of its own, which may say nothing on standard error, and return what it prints."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *args]
    done = subprocess.run(
        command, cwd=directory, env=minimal_environ() | {"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=30
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout.decode()


def test_it_comes_along_the_feed_in_one_order_with_what_others_say(publisher: Publisher, direct: RedisStore) -> None:
    session, listener = new_session(direct), Listener()
    direct.start(listener)
    direct.subscribe(session.id)
    answers = [publisher.say(session.code, text) for text in "ab"]
    listener.hears(session.id, "a", "b")
    assert [answer["seq"] for answer in answers] == [2, 3]
    assert [answer["messageId"] for answer in answers] == [entry.id for entry in listener.heard(session.id)]
    publisher.publish(session.code, "noticed", {"a": 1})
    assert [entry.draft.event for entry in direct.read(session.id, 3, 10)] == ["noticed"]


def test_many_threads_may_use_one_from_the_beginning(publisher: Publisher, direct: RedisStore) -> None:
    session, before = new_session(direct), set(threading.enumerate())
    seqs = at_once(8, lambda number: publisher.say(session.code, str(number))["seq"])
    assert sorted(seqs) == list(range(2, 10))
    assert len(texts(direct.read(session.id, 0, 20))) == 8
    assert len(set(threading.enumerate()) - before) == 1, "one connection for appends, with the thread that watches it"


def test_after_close_it_connects_again(publisher: Publisher, direct: RedisStore) -> None:
    session = new_session(direct)
    for text in "ab":
        publisher.say(session.code, text)
        publisher.close()
    publisher.close()
    assert texts(direct.read(session.id, 0, 20)) == ["a", "b"]


def test_while_redis_is_away_it_says_so_and_a_repeat_is_stored_once() -> None:
    with RedisServer(aof=True) as server, Publisher(server.url, prefix="test") as publisher:
        store = redis_store(server.url)
        session = new_session(store)
        said = publisher.say(session.code, "once", key="1")
        server.kill()
        for key in "12":
            with pytest.raises(ClassWavesError) as raised:
                publisher.say(session.code, "once", key=key)
            assert raised.value.code == "SERVICE_UNAVAILABLE" and raised.value.spec.retryable
        server.start()
        assert publisher.say(session.code, "once", key="1") == said
        assert publisher.say(session.code, "twice", key="2")["seq"] == said["seq"] + 1
        assert texts(store.read(session.id, 0, 20)) == ["once", "twice"]
        store.close()


def test_the_same_key_at_the_same_time_is_stored_once(publisher: Publisher, direct: RedisStore) -> None:
    """As when two Celery workers have the same task, because the first one took too long."""
    session = new_session(direct)
    answers = at_once(6, lambda number: publisher.say(session.code, "once", key="task"))
    assert all(answer == answers[0] for answer in answers)
    assert texts(direct.read(session.id, 0, 20)) == ["once"]


def test_it_keeps_as_many_keys_as_it_is_told(redis_url: str, direct: RedisStore) -> None:
    session = new_session(direct)
    with Publisher(redis_url, prefix="test", dedupe_keys=2) as publisher:
        for key in "abcda":
            publisher.say(session.code, key, key=key)
    assert texts(direct.read(session.id, 0, 20)) == ["a", "b", "c", "d", "a"]


def test_its_bounds_are_the_servers(redis_url: str, direct: RedisStore) -> None:
    session = new_session(direct)
    with Publisher(redis_url, prefix="test", max_event_bytes=200, max_message_length=3) as publisher:
        with pytest.raises(ClassWavesError, match="INVALID_PAYLOAD"):
            publisher.say(session.code, "xxxx")
        with pytest.raises(ClassWavesError, match="PAYLOAD_TOO_LARGE"):
            publisher.publish(session.code, "noticed", {"text": "x" * 200})


def test_a_fork_has_connections_of_its_own(redis_url: str, direct: RedisStore) -> None:
    """Parent and child publish in turn, by one object that was used before the fork."""
    session = new_session(direct)
    script = """
        import os, sys
        from classwaves import Publisher
        publisher = Publisher(sys.argv[1], prefix="test")
        publisher.say(sys.argv[2], "before")
        child = os.fork()
        if not child:
            publisher.say(sys.argv[2], "child")
            publisher.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        publisher.say(sys.argv[2], "parent")
    """
    # from Python 3.12 on a fork beside a thread is warned of; the thread is that of the connection
    run(
        f"import warnings\nwarnings.simplefilter('ignore', DeprecationWarning)\n{textwrap.dedent(script)}",
        redis_url,
        session.code,
    )
    assert texts(direct.read(session.id, 0, 20)) == ["before", "child", "parent"]


def test_a_script_needs_no_flask_and_no_gevent_and_ends_without_being_closed(
    redis_url: str, direct: RedisStore, tmp_path: Path
) -> None:
    session = new_session(direct)
    script = """
        import sys
        from classwaves import Publisher
        print("redis" in sys.modules)
        Publisher(sys.argv[1], prefix="test").say(sys.argv[2], "hello")
        heavy = "flask werkzeug gevent socketio engineio flask_socketio gunicorn limits"
        print(sorted(set(heavy.split()) & set(sys.modules)))
    """
    assert run(script, redis_url, session.code, directory=tmp_path).split("\n") == ["False", "[]", ""]
    assert texts(direct.read(session.id, 0, 20)) == ["hello"]


def test_the_example_of_the_docs_works(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "events.md").read_text().split("## From outside the server")[1]
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    store = RedisStore(redis_url, prefix="cw", limits=LIMITS, timeout=2, connections=4)
    session = new_session(store, code="DEM234")
    monkeypatch.setenv("REDIS_URL", redis_url)
    names: dict[str, Any] = {"__name__": "example", "task_id": "7"}
    exec(example, names)
    names["classroom"].close()
    told = [entry.draft.event for entry in store.read(session.id, 1, 10)]
    store.close()
    assert told == ["messageReceived", "quizGraded"]
