"""Files: sent in chunks over the socket, checked when they are whole, and then shared with everybody in the session.

The chunks are in the storage, and how far an upload is is in the store, so it goes on at any worker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from marshmallow import post_load, validate

from ..declared import Nothing, Numbered, Shape, Stored, flag, moment, string, whole
from ..errors import ClassWavesError, StoreUnavailable
from ..events import Context, Feature
from ..filenames import safe_name
from ..files import AROUND, CHUNK, FENCE, chunks_of, new_file_id, rejected, session_of, shared
from ..filetypes import matches, normalized
from ..hub import Hub
from ..models import Entry, iso
from ..payloads import KEY, AnyText, Binary, EventSchema, StoredEvent, Text, client_message_id, identifier, position
from ..replica import Replica, erases, fold, snapshot
from ..rules import forbidden
from ..store.base import Room, Upload
from ..tally import add

files = Feature("files")

#: A type and a subtype (RFC 6838, section 4.2), maybe with parameters, which do not count.
MIME_TYPE = r"[A-Za-z0-9!#$&^_.+-]{1,63}/[A-Za-z0-9!#$&^_.+-]{1,63}\s*(;.{0,100})?\Z"


class StartSchema(StoredEvent):
    clientFileId = identifier(required=True)
    fileName = AnyText(required=True)
    mimeType = Text(required=True, validate=validate.Regexp(MIME_TYPE))
    size = position(required=True)
    sha256 = Text(required=True, validate=validate.Regexp(r"[0-9A-Fa-f]{64}\Z"))

    @post_load
    def _plain(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """``clientFileId`` is what makes it safe to repeat."""
        data.pop(KEY, None)
        return data


class FileSchema(EventSchema):
    fileId = identifier(required=True)


class ChunkSchema(FileSchema):
    index = position(required=True)
    data = Binary(required=True, validate=validate.Length(1, CHUNK))


class CompleteSchema(FileSchema):
    clientMessageId = client_message_id()

    @post_load
    def _plain(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """The file's id is what makes it safe to repeat: however often it is asked for, a file is shared once."""
        data.pop(KEY, None)
        return data


class RemoveSchema(StoredEvent):
    fileId = identifier(required=True)


class SharedFileShape(Shape):
    """A file, as a joiner finds it."""

    fileId = string()
    userId = string()
    clientFileId = string()
    fileName = string()
    mimeType = string()
    size = whole()
    sha256 = string()
    url = string()
    seq = whole()
    timestamp = moment()


class FileSharedShape(SharedFileShape, Numbered):
    pass


class FileRemovedShape(Numbered):
    fileId = string()
    removedBy = string()


class NextShape(Shape):
    nextIndex = whole()


class BegunShape(NextShape):
    fileId = string()
    chunkSize = whole()
    complete = flag()


files.sends("fileShared", FileSharedShape)
files.sends("fileRemoved", FileRemovedShape)
files.answers(BegunShape, "fileStart")
files.answers(NextShape, "fileChunk")
files.answers(Stored, "fileComplete", "removeFile")
files.answers(Nothing, "fileCancel")


# the fold


@fold("fileShared")
def _add(replica: Replica, entry: Entry) -> None:
    there, data = replica.state.setdefault("files", {}), entry.draft.data
    if data["sha256"]:  # else its user is erased, and so is the file
        there.setdefault(data["fileId"], {**data, "seq": entry.seq, "timestamp": iso(entry.time)})


@erases
def _forget(replica: Replica, user_id: str) -> None:
    there = replica.state.get("files", {})
    for file_id in [file_id for file_id, file in there.items() if file["userId"] == user_id]:
        del there[file_id]


@fold("fileRemoved")
def _take_out(replica: Replica, entry: Entry) -> None:
    replica.state.get("files", {}).pop(entry.draft.data["fileId"], None)


@snapshot("files")
def _files(replica: Replica, user_id: str, staff: bool) -> list[dict[str, Any]]:
    """The files that there are, in the order in which they were shared."""
    return list(shared(replica).values())


# the events


def by_file(hub: Hub, data: Mapping[str, Any]) -> str:
    """The id of the session of the file that a payload names."""
    return session_of(data["fileId"])


def _file_key(replica: Replica, data: dict[str, Any]) -> str:
    file_id: str = data["fileId"]
    return file_id


@files.event("fileStart", schema=StartSchema, allow="speaker", exclusive=True)
def start(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Begin to send a file, or go on at ``nextIndex``, which the ack says, as it does ``fileId`` and ``chunkSize``."""
    _check_sharing(context)
    context.rely(FENCE)
    there, settings, user_id = shared(context.live.replica), context.hub.settings, context.principal.user_id
    upload = Upload(
        new_file_id(context.live.id),
        user_id,
        data["clientFileId"],
        safe_name(data["fileName"]),
        normalized(data["mimeType"]),
        data["size"],
        data["sha256"].lower(),
    )
    for one in there.values():
        if (one["userId"], one["clientFileId"]) == (user_id, upload.client_id):
            _same(upload, one["size"], one["sha256"])
            whole = chunks_of(upload.size)
            return {"fileId": one["fileId"], "chunkSize": CHUNK, "nextIndex": whole, "complete": True}
    if upload.size > settings.max_file_bytes:
        raise rejected("size", "The file is too large", maxBytes=settings.max_file_bytes)
    if not matches(upload.mime_type, settings.file_types):
        raise rejected("type", f"Files of the type {upload.mime_type} are not shared here")
    room = Room(
        settings.session_files - len(there),
        settings.session_file_bytes - sum(one["size"] for one in there.values()),
        settings.session_uploads,
        settings.user_uploads,
    )
    begun = context.hub.store.begin_upload(context.live.id, upload, room, context.fences)
    _same(upload, begun.size, begun.sha256)
    if begun.id == upload.id:  # and not one that goes on
        add(context.hub.tally.uploads, "begun")
    return {"fileId": begun.id, "chunkSize": CHUNK, "nextIndex": begun.next_index, "complete": False}


@files.event("fileChunk", schema=ChunkSchema, allow="speaker", finds=by_file, rate="chunk", max_bytes=CHUNK + AROUND)
def add_chunk(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Send the next chunk: all but the last have ``chunkSize`` bytes. The ack says which is wanted then."""
    _check_sharing(context)
    live, all_files, index, chunk = context.live, context.hub.files, data["index"], data["data"]
    if (whole := shared(live.replica).get(data["fileId"])) and whole["userId"] == context.principal.user_id:
        return {"nextIndex": chunks_of(whole["size"])}
    upload = _own(context, data["fileId"])
    if index < upload.next_index:  # it came already, and its ack was lost
        return {"nextIndex": upload.next_index}
    if index > upload.next_index or index >= chunks_of(upload.size):
        raise _wrong_chunk("index", "This chunk is not the next one.", upload)
    if len(chunk) != min(CHUNK, upload.size - index * CHUNK):
        raise _wrong_chunk("data", "This chunk is not as long as it should be.", upload)
    if upload.stage != "open":
        raise ClassWavesError("CONFLICT", "The file is being completed")
    all_files.storage.put(live.id, upload.id, index, chunk)
    moved = context.hub.store.advance_upload(live.id, upload.id, index)
    if moved is None:  # it was cancelled, or given up, meanwhile, or this is late and it is shared
        all_files.delete_unless_shared(live.id, upload.id)
        raise ClassWavesError("FILE_NOT_FOUND")
    return {"nextIndex": moved.next_index}


@files.event("fileComplete", schema=CompleteSchema, allow="speaker", finds=by_file, key=_file_key)
def complete(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Share a file of which all chunks have come, if its size, SHA-256 and type are what was said of it."""
    _check_sharing(context)
    live, store = context.live, context.hub.store
    if first := context.first_answer():
        return first
    upload = _own(context, data["fileId"])
    if upload.next_index < chunks_of(upload.size):
        details = {"reason": "incomplete", "nextIndex": upload.next_index}
        raise ClassWavesError("CONFLICT", "Not all chunks have come", details=details)
    if upload.stage != "checked":
        _check(context, upload)
    elif store.seal_upload(live.id, upload.id, "checked") is None:  # it is idle no longer: no sweep comes between
        raise ClassWavesError("FILE_NOT_FOUND")
    payload = {
        "fileId": upload.id,
        "userId": upload.user_id,
        "clientFileId": upload.client_id,
        "fileName": upload.name,
        "mimeType": upload.mime_type,
        "size": upload.size,
        "sha256": upload.sha256,
        "url": f"{context.hub.settings.url_prefix.rstrip('/')}/files/{upload.id}",
    }
    ack = context.publish("fileShared", payload, bumps=[FENCE])
    add(context.hub.tally.uploads, "shared")
    with contextlib.suppress(StoreUnavailable):  # it is shared; the rest ends by itself
        store.end_upload(live.id, upload.id)
    return ack


@files.event("fileCancel", schema=FileSchema, allow="participant", finds=by_file)
def cancel(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Give up a file that one has begun to send."""
    live, store = context.live, context.hub.store
    upload = _own(context, data["fileId"])
    if not store.end_upload(live.id, upload.id, only_open=True):
        if store.upload(live.id, upload.id):
            raise ClassWavesError("CONFLICT", "The file is being completed")
        raise ClassWavesError("FILE_NOT_FOUND")  # who has ended it knows whether it was shared
    context.hub.files.delete(live.id, upload.id)
    add(context.hub.tally.uploads, "cancelled")
    return {}


@files.event("removeFile", schema=RemoveSchema, allow="participant", key=_file_key, audits="file.removed")
def remove(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Take back a file that one has shared; staff take back any. It cannot be downloaded any more."""
    context.rely(FENCE)
    live = context.live
    if first := context.first_answer():
        return first
    file = shared(live.replica).get(data["fileId"])
    if file is None:
        raise ClassWavesError("FILE_NOT_FOUND")
    if not (context.is_staff or file["userId"] == context.principal.user_id):
        raise forbidden("notOwner", "This is for who has shared the file, and for staff")
    payload = {"fileId": file["fileId"], "removedBy": context.principal.user_id}
    ack = context.publish("fileRemoved", payload, bumps=[FENCE])
    with contextlib.suppress(StoreUnavailable):  # it is out of the log, so it is swept
        context.hub.files.delete(live.id, file["fileId"])
    return ack


def _check_sharing(context: Context) -> None:
    """Refuse where no files are shared, for staff too. :raises ClassWavesError: ``FORBIDDEN``."""
    if not (context.hub.files.enabled and context.live.record.settings["fileSharing"]):
        raise forbidden("fileSharing", "Files are not shared here")


def _own(context: Context, file_id: str) -> Upload:
    """An upload that this user has begun. :raises ClassWavesError: ``FILE_NOT_FOUND``, ``FORBIDDEN``."""
    upload = context.hub.store.upload(context.live.id, file_id)
    if upload is None:
        raise ClassWavesError("FILE_NOT_FOUND")
    if upload.user_id != context.principal.user_id:
        raise forbidden("notOwner", "This is for who has begun to send the file")
    return upload


def _same(upload: Upload, size: int, sha256: str) -> None:
    """Two files under one ``clientFileId`` are a mistake. :raises ClassWavesError: ``CONFLICT``."""
    if (upload.size, upload.sha256) != (size, sha256):
        raise ClassWavesError("CONFLICT", "Another file was begun with this clientFileId")


def _wrong_chunk(field: str, problem: str, upload: Upload) -> ClassWavesError:
    return ClassWavesError("INVALID_PAYLOAD", details={field: [problem], "nextIndex": upload.next_index})


def _check(context: Context, upload: Upload) -> None:
    """Look at a whole file while nothing more comes of it. One that is not what it should be is deleted.

    :raises ClassWavesError: ``FILE_REJECTED``; ``FILE_NOT_FOUND``: it was given up meanwhile.
    """
    live, store, all_files = context.live, context.hub.store, context.hub.files
    if store.seal_upload(live.id, upload.id, "sealed") is None:
        raise ClassWavesError("FILE_NOT_FOUND")
    try:
        all_files.check(upload)
    except ClassWavesError as error:
        if error.code == "FILE_REJECTED":
            add(context.hub.tally.uploads, "rejected")
            store.end_upload(live.id, upload.id)
            all_files.delete(live.id, upload.id)
        raise
    if store.seal_upload(live.id, upload.id, "checked") is None:
        raise ClassWavesError("FILE_NOT_FOUND")
