"""Downloads: for who is in the session, whole or in parts, and never anything but a file to be saved."""

import hashlib
from typing import Any
from urllib.parse import unquote

import pytest

from classwaves.files import CHUNK, session_of
from tests.support.apps import API, AppFactory, bearer, guest, headers_for, state_of
from tests.support.tabs import Classroom, open_classroom
from tests.support.uploads import Sent, patterned
from tests.support.uploads import place as place
from tests.support.uploads import room as room
from tests.support.uploads import s3 as s3
from tests.support.uploads import s3_process as s3_process

LONG = patterned(2 * CHUNK + 1000)


def shared(room: Classroom, data: bytes = LONG, **more: Any) -> str:
    """Share a file of Ada's and return its id."""
    sent = Sent(room.joined("Ada").ask, room.code, data, **more)
    sent.share()
    return sent.file_id


def get(room: Classroom, file_id: str, name: str = "Ada", method: str = "GET", **headers: str) -> Any:
    """Ask for a file, as somebody who is signed in."""
    role = "teacher" if name == "Grace" else "student"
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    how = {**headers_for(room.app, name, role), **named}
    return room.app.test_client().open(f"{API}/files/{file_id}", method=method, headers=how)


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]["code"]


def test_a_file_as_it_was_sent(room: Classroom) -> None:
    answer = get(room, shared(room, mime_type="text/html", name="Übung \u2713 1.html"))
    assert answer.status_code == 200
    assert answer.data == LONG
    headers = answer.headers
    assert headers["Content-Type"] == "text/html"
    assert headers["Content-Length"] == str(len(LONG))
    plain, _, full = headers["Content-Disposition"].partition("; filename*=UTF-8''")
    assert plain == 'attachment; filename="_bung _ 1.html"'
    assert unquote(full) == "Übung \u2713 1.html"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox")
    assert headers["Cache-Control"] == "private, no-store"
    assert headers["ETag"] == f'"{hashlib.sha256(LONG).hexdigest()}"'
    assert headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("name", ['a"b; filename=evil.exe', "a\r\nSet-Cookie: x=1", "%22", "\u202etxt.exe"])
def test_a_name_stays_a_name(make_app: AppFactory, name: str) -> None:
    room = open_classroom(make_app())
    headers = get(room, shared(room, b"hello", name=name)).headers
    assert headers["Content-Disposition"].startswith('attachment; filename="')
    assert headers["Content-Disposition"].count('"') == 2
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=10-", (10, len(LONG))),
        ("bytes=-5", (len(LONG) - 5, len(LONG))),
        (f"bytes={CHUNK - 1}-{CHUNK}", (CHUNK - 1, CHUNK + 1)),
        (f"bytes=5-{2 * CHUNK + 5}", (5, 2 * CHUNK + 6)),
        (f"bytes=5-{10**12}", (5, len(LONG))),
    ],
)
def test_a_part(room: Classroom, wanted: str, part: tuple[int, int]) -> None:
    answer = get(room, shared(room), Range=wanted)
    start, stop = part
    assert answer.status_code == 206
    assert answer.data == LONG[start:stop]
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(LONG)}"
    assert answer.headers["Content-Length"] == str(stop - start)


def test_parts_that_are_none(make_app: AppFactory) -> None:
    room = open_classroom(make_app())
    file_id = shared(room)
    for wanted in ("bytes=5-1", "lines=1-2", "bytes=0-1,3-4", "nonsense", f"bytes=-{len(LONG) + 1}"):
        assert get(room, file_id, Range=wanted).data == LONG, wanted
    beyond = get(room, file_id, Range=f"bytes={len(LONG)}-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(LONG)}")
    etag = beyond.headers["ETag"]
    assert get(room, file_id, Range="bytes=0-3", If_Range=etag).data == LONG[:4]
    assert get(room, file_id, Range="bytes=0-3", If_Range='"another"').data == LONG
    for headers in ({}, {"Range": "bytes=0-3"}):  # a range is of a GET
        head = get(room, file_id, method="HEAD", **headers)
        assert (head.status_code, head.headers["Content-Length"], head.data) == (200, str(len(LONG)), b"")
    empty = shared(room, b"", client_id="empty")
    assert (get(room, empty).status_code, get(room, empty).data) == (200, b"")


def test_who_may(room: Classroom) -> None:
    file_id = shared(room)
    client = room.app.test_client()
    assert refusal(client.get(f"{API}/files/{file_id}")) == (401, "AUTH_REQUIRED")
    assert refusal(get(room, file_id, "Eve")) == (403, "SESSION_ACCESS_DENIED")
    other = open_classroom(room.app)
    stranger, _ = guest(client, other.code, "Olga")
    assert refusal(client.get(f"{API}/files/{file_id}", headers=bearer(stranger))) == (403, "SESSION_ACCESS_DENIED")
    mine, _ = guest(client, room.code, "Gus")
    assert client.get(f"{API}/files/{file_id}", headers=bearer(mine)).data == LONG
    assert get(room, file_id, "Grace").data == LONG
    room.joined("Rex")
    assert get(room, file_id, "Rex").data == LONG
    assert room.teacher().ask("removeParticipant", {"sessionCode": room.code, "userId": "rex"})["ok"]
    assert refusal(get(room, file_id, "Rex")) == (403, "SESSION_ACCESS_DENIED")
    room.step("end")
    assert get(room, file_id).data == LONG, "who was there still reads"


def test_what_there_is_not(room: Classroom) -> None:
    file_id = shared(room)
    session_id = session_of(file_id)
    for unknown in (session_id + "x" * 22, "x" * 44, "x", "..%2F..%2Fetc%2Fpasswd", "%00" * 30):
        assert refusal(get(room, unknown)) in ((404, "FILE_NOT_FOUND"), (404, "NOT_FOUND"))
    unfinished = Sent(room.joined("Bob").ask, room.code, LONG)
    unfinished.start()
    unfinished.chunks()
    assert refusal(get(room, unfinished.file_id, "Bob")) == (404, "FILE_NOT_FOUND")
    assert room.teacher().ask("removeFile", {"sessionCode": room.code, "fileId": file_id})["ok"]
    assert refusal(get(room, file_id)) == (404, "FILE_NOT_FOUND")
    lost = shared(room, client_id="lost")
    state_of(room.app).hub.files.storage.delete(session_id, lost)
    assert refusal(get(room, lost)) == (404, "FILE_NOT_FOUND")


def test_files_that_are_shared_no_more_are_still_read(make_app: AppFactory) -> None:
    room = open_classroom(make_app())
    file_id = shared(room)
    body = {"settings": {"fileSharing": False}}
    headers = headers_for(room.app, "Grace", "teacher")
    assert room.app.test_client().patch(f"{API}/sessions/{room.code}", json=body, headers=headers).status_code == 200
    assert get(room, file_id).data == LONG
