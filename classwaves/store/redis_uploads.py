"""Files on their way, in a hash of their session. One script takes each step, so the room for files is given out once.

Imports the store's base and what the parts of the store on Redis share.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from .base import Room, Upload, no_room
from .redis_base import RedisPart, checked, dump, fence_args, guarded, script
from .redis_servers import Servers

#: What of an upload does not change.
UPLOAD_FIELDS = ("user_id", "client_id", "name", "mime_type", "size", "sha256")


class RedisUploads(RedisPart):
    """The :class:`~classwaves.store.base.Uploads` on Redis."""

    def __init__(self, servers: Servers, prefix: str) -> None:
        super().__init__(servers, prefix)
        self._upload = servers.lane.script(script("upload"))

    @guarded
    def begin_upload(self, session_id: str, upload: Upload, room: Room, fences: Mapping[str, int]) -> Upload:
        fixed = {name: getattr(upload, name) for name in UPLOAD_FIELDS}
        args = ["begin", *fence_args(fences), upload.id, dump(fixed)]
        answer = checked(self._step_upload(session_id, [*args, room.files, room.bytes, room.uploads, room.own_uploads]))
        if answer[0] == b"room":
            raise no_room(answer[1].decode())
        self._lane.run("ZADD", self._key("uploading"), "NX", answer[2].split(b" ")[1], session_id)
        return _upload(answer[1], answer[2])

    def _step_upload(self, session_id: str, args: list[Any]) -> Any:
        return self._upload([*self._log_keys(session_id), *self._of(session_id, "uploads")], args)

    @guarded
    def upload(self, session_id: str, file_id: str) -> Upload | None:
        text = self._redis.hget(self._of(session_id, "uploads")[0], file_id)
        return _upload(file_id.encode(), cast("bytes", text)) if text else None

    @guarded
    def uploads(self, session_id: str) -> list[Upload]:
        found = cast("dict[bytes, bytes]", self._redis.hgetall(self._of(session_id, "uploads")[0]))
        return [_upload(file_id, text) for file_id, text in found.items()]

    @guarded
    def advance_upload(self, session_id: str, file_id: str, index: int) -> Upload | None:
        return _moved(self._step_upload(session_id, ["advance", file_id, index]))

    @guarded
    def seal_upload(self, session_id: str, file_id: str, stage: str) -> Upload | None:
        return _moved(self._step_upload(session_id, ["seal", file_id, stage]))

    @guarded
    def end_upload(self, session_id: str, file_id: str, *, only_open: bool = False) -> bool:
        return bool(self._step_upload(session_id, ["end", file_id, int(only_open)])[0] == b"ok")

    @guarded
    def end_idle_uploads(self, session_id: str, older_than: float) -> list[str]:
        step = ["idle", int(older_than * 1000)]
        ended, oldest = self._end_idle(session_id, step)
        if not oldest:
            self._redis.zrem(self._key("uploading"), session_id)
            more, oldest = self._end_idle(session_id, step)  # what was begun since the first look
            ended += more
        if oldest:
            self._redis.zadd(self._key("uploading"), {session_id: oldest})
        return ended

    def _end_idle(self, session_id: str, step: list[Any]) -> tuple[list[str], int]:
        answer = self._step_upload(session_id, step)
        if answer[0] == b"gone":
            return [], 0
        return [file_id.decode() for file_id in answer[2]], int(answer[1])

    @guarded
    def due_uploads(self, older_than: float) -> list[str]:
        return self._due("uploading", older_than)


def _upload(file_id: bytes, text: bytes) -> Upload:
    next_index, _, stage, body = text.split(b" ", 3)
    return Upload(file_id.decode(), **json.loads(body), next_index=int(next_index), stage=stage.decode())


def _moved(answer: Any) -> Upload | None:
    return _upload(answer[1], answer[2]) if answer[0] == b"ok" else None
