"""``GET /files/{fileId}``: a shared file, chunk by chunk, for who is or was in the session."""

from __future__ import annotations

import errno
import itertools
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from flask import Response, request
from flask_smorest import Blueprint

from ..errors import ClassWavesError
from ..files import session_of, shared
from ..state import current_state
from ..tally import Tally
from . import common
from .common import authenticated, documented, make_blueprint
from .sessions import readable_id

logger = logging.getLogger(__name__)

#: What somebody has shared is of any type.
BYTES: dict[str, Any] = {"content": {"*/*": {}}}

blueprint: Blueprint = make_blueprint("files", "Shared files.")


@blueprint.route("/files/<file_id>", methods=["GET"])
@documented(blueprint, 403, 404)
@blueprint.response(200, description="The file, as an attachment")
@blueprint.doc(
    responses={
        200: BYTES,
        206: {"description": "The part that `Range` asks for", **BYTES},
        416: {"description": "There is no such part"},
    }
)
@authenticated
def download(file_id: str) -> Response:
    """A shared file, for participants and staff. One part can be asked for (``Range: bytes=…``)."""
    live = readable_id(session_of(file_id), unknown="FILE_NOT_FOUND")
    if file_id not in shared(live.replica):
        current_state().hub.refresh(live)  # what has just been shared on another worker
    file = shared(live.replica).get(file_id)
    if file is None:
        raise ClassWavesError("FILE_NOT_FOUND")
    size, etag = file["size"], f'"{file["sha256"]}"'
    part = _part(size, etag)
    if part is None:
        response = Response(status=416, headers={"Content-Range": f"bytes */{size}"})
    else:
        start, stop = part
        whole = (start, stop) == (0, size)

        def begun() -> Response:
            body = _begun(current_state().hub.files.read(file_id, start, stop))
            return Response(body if request.method == "GET" else b"", status=200 if whole else 206)

        response = common.download(begun)
        response.headers["Content-Length"] = str(stop - start)
        if not whole:
            response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    response.headers |= {
        "Content-Type": file["mimeType"],
        "Content-Disposition": disposition(file["fileName"]),
        "Accept-Ranges": "bytes",
        "ETag": etag,
        # what somebody has shared is never part of a page, whatever it says it is
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-site",
        "Cache-Control": "private, no-store",
    }
    return response


def _part(size: int, etag: str) -> tuple[int, int] | None:
    """From where to where the file is asked for (RFC 9110, section 14.2); ``None``: from after its end.

    What is no range, or more than one, means all of it; so does a range of another file (``If-Range``), and an end that
    is longer than the file.
    """
    wanted = request.range
    if request.method != "GET" or wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return 0, size
    if request.headers.get("If-Range", etag) != etag or 0 < size < -(wanted.ranges[0][0] or 0):
        return 0, size
    return wanted.range_for_length(size)


def _begun(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, of which the first is read now: what goes wrong at once is an error, and not half a file."""
    first = next(chunks, b"")
    return itertools.chain([first], _rest(chunks, current_state().tally))


def _rest(chunks: Iterator[bytes], tally: Tally) -> Iterator[bytes]:
    """Where not all can be sent, the connection ends, as if the client had gone: so nobody takes it for the whole."""
    try:
        yield from chunks
    except ClassWavesError as error:
        logger.info("a download was broken off: %s", error.code)
        tally.refuse("download broken off")
        raise ConnectionResetError(errno.ECONNRESET, error.code) from None


def disposition(name: str) -> str:
    """``Content-Disposition`` for a file to be saved (RFC 6266), its name for old and for new clients (RFC 8187)."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace("\\", "_").replace('"', "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
