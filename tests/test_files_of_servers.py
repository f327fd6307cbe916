"""Files over real sockets: any transport, any client, cut off and taken up at another process; a chunk at a time."""

import hashlib
import http.client
import os
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from classwaves.files import CHUNK
from tests.support.apps import API, bearer
from tests.support.clients import RawClient
from tests.support.pair import STEADY, Pair, open_pair
from tests.support.pair import pair as pair
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer
from tests.support.school import TRANSPORTS, School, open_school
from tests.support.tools import node
from tests.support.uploads import BUCKET, Sent, patterned
from tests.support.uploads import s3 as s3
from tests.support.uploads import s3_process as s3_process
from tests.test_node_client import run

pytestmark = pytest.mark.xdist_group("files of servers")

MEGABYTES = int(os.environ.get("FILE_MEGABYTES", "16"))
"""How large the file is by which memory is measured; ``make files`` takes a larger one."""

LONG = patterned(3 * CHUNK + 1000)


@pytest.fixture(scope="module")
def running() -> Iterator[Pair]:
    limits = {"CLASSWAVES_MAX_FILE_BYTES": str(MEGABYTES * 2**20), "CLASSWAVES_SESSION_FILE_BYTES": str(2**32)}
    with RedisServer() as redis, open_pair(redis.url, {**STEADY, **limits}) as pair:
        yield pair


def download(school: School, token: str, url: str) -> tuple[int, str]:
    """Return the length and the SHA-256 of a file, of which no more than a piece is held."""
    request = urllib.request.Request(school.url + url, headers=bearer(token))
    digest, length = hashlib.sha256(), 0
    with urllib.request.urlopen(request, timeout=30) as answer:
        while piece := answer.read(65536):
            digest.update(piece)
            length += len(piece)
    return length, digest.hexdigest()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_upload_is_cut_and_goes_on_at_another_process(pair: Pair, transport: str) -> None:
    code = pair.a.session()
    token = pair.a.api.guest(code, "Ann")
    here = pair.a.connect(token, transport)
    here.join(code)
    sent = Sent(here.ask, code, LONG)
    assert sent.start()["ok"]
    sent.chunks(stop=2)
    here._send("9", ["fileChunk", {"fileId": sent.file_id, "index": 2, "data": LONG[2 * CHUNK : 3 * CHUNK]}])
    here.wire.drop()  # whether that one came, nobody knows
    there = pair.b.connect(token, transport)
    there.join(code)
    again = Sent(there.ask, code, LONG)
    begun = again.start()
    assert begun["fileId"] == sent.file_id
    assert begun["nextIndex"] in (2, 3)
    again.chunks(begun["nextIndex"])
    assert again.complete()["ok"]
    shared = pair.watch(code, pair.a).inbox[0][1]["files"][0]
    assert shared["sha256"] == hashlib.sha256(LONG).hexdigest()
    for school in (pair.a, pair.b):
        assert download(school, token, shared["url"]) == (len(LONG), shared["sha256"])


def test_a_chunk_may_be_larger_than_other_events_and_nothing_else(pair: Pair) -> None:
    code = pair.a.session()
    ann = pair.a.joined(code)
    sent = Sent(ann.ask, code, LONG)
    sent.share()
    for event, body in [
        ("fileChunk", {"fileId": sent.file_id, "index": 0, "data": b"x" * (CHUNK + 5000)}),
        ("fileComplete", {"fileId": "x" * 70_000}),
        ("sendMessage", {"sessionCode": code, "message": b"x" * 70_000}),
        ("noSuchEvent", {"data": b"x" * 70_000}),
    ]:
        assert ann.ask(event, body)["error"]["code"] == "PAYLOAD_TOO_LARGE", event
    ann.say(code, "still here")


@pytest.mark.parametrize("way", ["websocket", "polling", "upgrade"])
def test_the_javascript_client(pair: Pair, way: str) -> None:
    node()
    code = pair.a.session()
    student = pair.a.api.guest(code, "Ann")
    steps = run("files.mjs", url=pair.a.url, way=way, code=code, teacher=pair.a.teacher, student=student)
    assert steps == ["chunk", "resumed", "downloaded"]


class Memory:
    """The most resident memory that a process has at a time, in bytes, beyond what it has at the beginning."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self.before = self.most = self._process.memory_info().rss

    def __enter__(self) -> "Memory":
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.005):
            self.most = max(self.most, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        return self.most - self.before


def send_without_waiting(client: RawClient, sent: Sent) -> None:
    """Send all chunks as fast as the server takes them; the acks are read afterwards."""
    numbers = [
        client.send("fileChunk", {"fileId": sent.file_id, "index": index, "data": sent.data[at : at + CHUNK]})
        for index, at in enumerate(range(0, len(sent.data), CHUNK))
    ]
    assert [client.ack(number)["nextIndex"] for number in numbers] == list(range(1, len(numbers) + 1))


def test_no_more_than_a_few_chunks_are_in_memory(pair: Pair) -> None:
    """Also of a client that does not wait for acks; measured after the first file, with which caches fill."""
    code = pair.a.session()
    token = pair.a.api.guest(code, "Ann")
    ann = pair.a.connect(token)
    ann.join(code)
    data = patterned(MEGABYTES * 2**20)
    (pid,) = pair.a.server.worker_pids
    for client_id, size in (("first", 2**20), ("second", len(data))):
        sent = Sent(ann.ask, code, data[:size], client_id=client_id)
        assert sent.start()["ok"]
        with Memory(pid) as memory:
            send_without_waiting(ann, sent)
            assert sent.complete()["ok"]
            length, _ = download(pair.a, token, f"{API}/files/{sent.file_id}")
        assert length == size
    print(f"{memory.growth / 2**20:.1f} MiB more for a file of {MEGABYTES} MiB")
    assert memory.growth < 24 * CHUNK, f"{memory.growth / 2**20:.1f} MiB for a file of {MEGABYTES} MiB"


def test_a_download_ends_short_when_the_file_is_removed(pair: Pair) -> None:
    """And not with something else in the rest of it, or never."""
    code = pair.a.session()
    teacher = pair.watch(code, pair.a)
    sent = Sent(teacher.ask, code, patterned(16 * 2**20))
    sent.share()
    request = urllib.request.Request(f"{pair.a.url}{API}/files/{sent.file_id}", headers=bearer(pair.a.teacher))
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.read(CHUNK) == sent.data[:CHUNK]
        assert teacher.ask("removeFile", {"sessionCode": code, "fileId": sent.file_id})["ok"]
        with pytest.raises(http.client.IncompleteRead) as short:
            answer.read()
    assert sent.data[CHUNK:].startswith(short.value.partial)


@pytest.fixture
def bucket(s3: dict[str, str]) -> Iterator[FaultyProxy]:
    """Return a proxy before S3, for the servers of the test."""
    with FaultyProxy(int(s3["AWS_ENDPOINT_URL"].rsplit(":", 1)[1])) as proxy:
        yield proxy


def test_a_bucket_that_is_slow_holds_up_nobody_else(s3: dict[str, str], bucket: FaultyProxy) -> None:
    env: dict[str, Any] = {**s3, "AWS_ENDPOINT_URL": bucket.url.replace("redis://", "http://").split("/0")[0]}
    with open_school(CLASSWAVES_FILES=f"s3://{BUCKET}/slow", **env) as school:
        code, other = school.session(), school.session()
        ann, bob = school.joined(code), school.joined(other)
        sent = Sent(ann.ask, code, LONG)
        assert sent.start()["ok"]
        sent.chunks(stop=1)
        bucket.delay = 3600.0  # until the others have been heard, however long that takes
        with ThreadPoolExecutor(1) as pool:
            chunk = pool.submit(sent.chunk, 1)
            for number in range(20):
                bob.say(other, str(number))
            assert not chunk.done()
            bucket.delay = 0.0
            assert chunk.result() == {"ok": True, "nextIndex": 2}
        bucket.refuse()
        bucket.cut()
        error = sent.chunk(2)["error"]
        assert error["code"] == "SERVICE_UNAVAILABLE"
        bucket.accept()
        sent.chunks(2)
        assert sent.complete()["ok"]
        token = school.api.guest(code, "Bea")
        assert download(school, token, f"{API}/files/{sent.file_id}") == (len(LONG), hashlib.sha256(LONG).hexdigest())
