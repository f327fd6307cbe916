"""What a file is: its bytes tell, whatever its sender says."""

import io
import zipfile

import pytest

from classwaves.filetypes import TypeCheck, matches, normalized
from tests.support.uploads import PNG

REST = bytes(300)


def archive(**files: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        for name, text in files.items():
            packed.writestr(name.replace("__", "/"), text)
    return made.getvalue()


SAMPLES = {
    "png": PNG,
    "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0" + REST,
    "pdf": b"%PDF-1.7\n1 0 obj << >> endobj\n",
    "mp4": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + REST,
    "webm": b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\xf7\x81\1B\xf2\x81\4B\xf3\x81\x08B\x82\x84webmB\x87\x81\4" + REST,
    "wav": b"RIFF\x24\0\0\0WAVEfmt " + REST,
    "zip": archive(note="x" * 100),
    "docx": archive(**{"[Content_Types].xml": "x" * 50, "word__document.xml": "y" * 99}),
    "ole": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + REST,
    "exe": b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff" + REST,
    "random": bytes(range(256)) * 2,
    "empty": b"",
    "text": b"BM is how this begins, and MZ\r\n",
    "html": b"<!DOCTYPE html><html></html>",
    "latin": "Stra\u00dfe".encode("latin-1"),
    "utf-16": "Stra\u00dfe, \u0436".encode("utf-16"),
    "half utf-16": b"\xff\xfea",
}

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("sample", "right", "wrong"),
    [
        ("png", "image/png", "image/jpeg image/svg+xml text/plain application/pdf image/x-made-up"),
        ("jpeg", "image/jpeg image/jpg image/pjpeg", "image/png"),
        ("pdf", "application/pdf", "text/plain image/png"),
        ("mp4", "video/mp4 audio/mp4", "audio/mpeg video/webm"),
        ("webm", "video/webm audio/webm", "video/mp4"),
        ("wav", "audio/wav audio/x-wav", "audio/mpeg"),
        ("zip", f"application/zip application/x-zip-compressed {DOCX}", "application/pdf text/plain"),
        ("docx", f"application/zip {DOCX}", "application/msword image/png"),
        ("ole", "application/msword application/vnd.ms-excel", DOCX),
        ("exe", "application/x-msdownload", "text/plain image/bmp application/pdf"),
        ("random", "", "text/plain application/json application/x-made-up image/png"),
        ("empty", "text/plain", "image/png application/x-made-up"),
        ("text", "text/plain text/csv application/json text/html", "image/bmp application/x-msdownload"),
        ("html", "text/html text/plain", "image/png application/pdf"),
        ("latin", "text/plain text/csv", "image/png"),
        ("utf-16", "text/plain text/csv", "image/png"),
        ("half utf-16", "", "text/plain"),
    ],
)
def test_a_file_is_what_its_bytes_say(sample: str, right: str, wrong: str) -> None:
    def agrees(claimed: str) -> bool:
        check, data = TypeCheck(claimed), SAMPLES[sample]
        for at in range(0, len(data), 200):
            check.feed(data[at : at + 200])
        return check.agrees()

    assert [claimed for claimed in (*right.split(), "application/octet-stream") if not agrees(claimed)] == []
    assert [claimed for claimed in wrong.split() if agrees(claimed)] == []


def test_text_is_text_to_its_end() -> None:
    check = TypeCheck("text/plain")
    check.feed(b"a long text " * 1000)
    check.feed(b"\0")
    check.feed(b"and so on")
    assert not check.agrees()


def test_patterns() -> None:
    assert normalized("Text/Plain; charset=UTF-8") == "text/plain"
    assert matches("image/png", ("application/pdf", "image/*"))
    assert not matches("application/zip", ("application/pdf", "image/*"))
    assert matches("application/zip", ("*/*",))
