"""Shared files in a bucket of S3, or of what speaks its protocol (``classwaves[s3]``): an object a chunk.

Imports the storage's base. Where the bucket is and who we are, boto3 finds out as it always does: ``AWS_ENDPOINT_URL``,
``AWS_ACCESS_KEY_ID`` and so on. It waits by sockets that gevent has replaced, so it keeps nobody from working.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .base import Watched

#: Patience in seconds: with a connection, and with an answer.
CONNECT, READ = 3.0, 10.0
#: Chunks that may be on their way at once, of one worker.
CONNECTIONS = 32

CONFIG = Config(
    connect_timeout=CONNECT,
    read_timeout=READ,
    max_pool_connections=CONNECTIONS,
    retries={"mode": "standard", "total_max_attempts": 3},
    request_checksum_calculation="when_required",  # what others who speak S3 do not know
    response_checksum_validation="when_required",
)


class S3Storage(Watched):
    """A :class:`~classwaves.storage.base.Storage` in a bucket.

    :param url: ``s3://bucket/prefix``; the bucket must exist.
    """

    def __init__(self, url: str) -> None:
        super().__init__(BotoCoreError, ClientError, OSError)
        self._bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client: Any = boto3.client("s3", config=CONFIG)
        self._guards = True  # whether the bucket keeps an object from being written twice

    def _key(self, *parts: object) -> str:
        return self._prefix + "/".join(str(part) for part in parts)

    def put(self, session_id: str, file_id: str, index: int, data: bytes) -> None:
        with self._watched():
            try:
                self._put(self._key(session_id, file_id, index), data)
            except ClientError as error:
                if _code(error) in ("NotImplemented", "501") and self._guards:
                    self._guards = False
                    self._put(self._key(session_id, file_id, index), data)
                elif _code(error) not in ("PreconditionFailed", "412"):  # the chunk is there: it stays
                    raise

    def _put(self, key: str, data: bytes) -> None:
        guard = {"IfNoneMatch": "*"} if self._guards else {}
        self._client.put_object(Bucket=self._bucket, Key=key, Body=data, **guard)

    def get(self, session_id: str, file_id: str, index: int) -> bytes | None:
        with self._watched():
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=self._key(session_id, file_id, index))
                data: bytes = found["Body"].read()
            except ClientError as error:
                if _code(error) in ("NoSuchKey", "404"):
                    return None
                raise
            return data

    def delete(self, session_id: str, file_id: str) -> None:
        with self._watched():
            for page in self._pages(self._key(session_id, file_id, "")):
                if keys := [{"Key": item["Key"]} for item in page.get("Contents", ())]:
                    answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True})
                    if kept := answer.get("Errors"):  # the answer is a success all the same
                        raise ClientError({"Error": kept[0]}, "DeleteObjects")

    def tidy(self, session_id: str) -> None:
        """There are no folders in a bucket."""

    def sessions(self) -> list[str]:
        return self._folders(self._prefix)

    def files(self, session_id: str) -> list[str]:
        return self._folders(self._key(session_id, ""))

    def _folders(self, start: str) -> list[str]:
        with self._watched():
            return [
                item["Prefix"][len(start) :].rstrip("/")
                for page in self._pages(start, Delimiter="/")
                for item in page.get("CommonPrefixes", ())
            ]

    def touched(self, session_id: str, file_id: str) -> float:
        with self._watched():
            pages = self._pages(self._key(session_id, file_id, ""))
            times = [item["LastModified"].timestamp() for page in pages for item in page.get("Contents", ())]
            return max(times, default=0.0)

    def _pages(self, start: str, **more: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("list_objects_v2")
        found: Iterator[dict[str, Any]] = iter(pages.paginate(Bucket=self._bucket, Prefix=start, **more))
        return found

    def close(self) -> None:
        self._client.close()


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
