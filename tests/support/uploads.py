"""Files that clients send, chunk by chunk, and where servers keep them: on the disk or in a bucket of S3."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from classwaves.files import CHUNK
from tests.support.apps import AppFactory
from tests.support.ports import free_port
from tests.support.tabs import Classroom, open_classroom

Ask = Callable[..., dict[str, Any]]
"""Sends an event and returns its ack."""

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89" + bytes(200)

BUCKET = "classwaves-test"
KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass
class Sent:
    """A file as its sender knows it. ``changes``: what ``fileStart`` says otherwise than is true."""

    ask: Ask
    code: str
    data: bytes
    name: str = "notes.txt"
    mime_type: str = "text/plain"
    client_id: str = "f1"
    file_id: str = ""

    def start(self, **changes: Any) -> dict[str, Any]:
        """Begin, or go on, and return the ack."""
        body = {
            "sessionCode": self.code,
            "clientFileId": self.client_id,
            "fileName": self.name,
            "mimeType": self.mime_type,
            "size": len(self.data),
            "sha256": hashlib.sha256(self.data).hexdigest(),
        }
        ack = self.ask("fileStart", {**body, **changes})
        if ack["ok"]:
            self.file_id = ack["fileId"]
        return ack

    def chunk(self, index: int, data: bytes | None = None) -> dict[str, Any]:
        """Send a chunk, another one if told, and return the ack."""
        mine = self.data[index * CHUNK : (index + 1) * CHUNK] if data is None else data
        return self.ask("fileChunk", {"fileId": self.file_id, "index": index, "data": mine})

    def chunks(self, first: int = 0, stop: int | None = None) -> None:
        """Send these chunks, all of them if not told."""
        for index in range(first, -(-len(self.data) // CHUNK) if stop is None else stop):
            ack = self.chunk(index)
            assert ack == {"ok": True, "nextIndex": index + 1}, ack

    def complete(self) -> dict[str, Any]:
        """Share the file and return the ack."""
        return self.ask("fileComplete", {"fileId": self.file_id})

    def share(self) -> dict[str, Any]:
        """Do all of it, and return the ack."""
        begun = self.start()
        assert begun["ok"], begun
        self.chunks(begun["nextIndex"])
        ack = self.complete()
        assert ack["ok"], ack
        return ack


def patterned(size: int) -> bytes:
    """Bytes of which no two chunks are alike, and which are text."""
    line = b"".join(b"%015d\n" % number for number in range(size // 16 + 1))
    return line[:size]


@contextmanager
def s3_server(**options: Any) -> Iterator[str]:
    """Run a bucket of S3 on this machine and return its endpoint."""
    from moto.server import ThreadedMotoServer  # importing it takes a second

    port = free_port()
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="session")
def s3_process() -> Iterator[dict[str, str]]:
    """Run S3 for all tests of this process, with a bucket, and return the environment of its users."""
    import boto3

    with s3_server() as endpoint, pytest.MonkeyPatch.context() as patch:
        env = {**KEYS, "AWS_ENDPOINT_URL": endpoint}
        for name, value in env.items():
            patch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        client.close()
        yield env


@pytest.fixture
def s3(s3_process: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the environment of who uses S3; this process has it too."""
    for name, value in s3_process.items():
        monkeypatch.setenv(name, value)
    return s3_process


@pytest.fixture(params=["disk", "s3"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return where files are kept, as ``CLASSWAVES_FILES`` says it: a new place for each test, of each kind."""
    if request.param == "disk":
        return str(tmp_path_factory.mktemp("files"))
    request.getfixturevalue("s3")
    return f"s3://{BUCKET}/{tmp_path_factory.mktemp('prefix').name}"


@pytest.fixture
def room(make_app: AppFactory, place: str) -> Classroom:
    """A session whose files are kept there."""
    return open_classroom(make_app(CLASSWAVES_FILES=place))
