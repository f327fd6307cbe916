"""Is a file of the type that its sender says? Its bytes tell, as the library ``filetype`` reads them.

Imports nothing of the package. ``application/octet-stream`` claims nothing, so it may be anything.
"""

from __future__ import annotations

import codecs
from fnmatch import fnmatchcase

import filetype

ANYTHING = "application/octet-stream"

#: How much of a file's beginning tells its type.
HEAD = 8192

#: Names of the same thing, or of things whose files begin alike. The first of a line that is one type is what it
#: is called here.
ALIKE = (
    "audio/wav audio/x-wav audio/wave audio/vnd.wave",
    "audio/flac audio/x-flac",
    "audio/mpeg audio/mp3 audio/mpeg3 audio/x-mpeg-3",
    "audio/aac audio/x-aac audio/aacp",
    "audio/midi audio/x-midi audio/mid",
    "audio/aiff audio/x-aiff",
    "audio/ogg video/ogg application/ogg audio/opus",
    "video/mp4 audio/mp4 audio/x-m4a audio/m4a video/x-m4v video/quicktime video/3gpp audio/3gpp",
    "video/webm audio/webm video/x-matroska audio/x-matroska",
    "video/avi video/x-msvideo",
    "video/x-ms-wmv video/x-ms-asf audio/x-ms-wma",
    "image/jpeg image/jpg image/pjpeg",
    "image/png image/apng",
    "image/bmp image/x-ms-bmp image/x-bmp",
    "image/heic image/heif",
    "image/x-icon image/vnd.microsoft.icon",
    "application/zip application/x-zip-compressed application/x-zip",
    "application/gzip application/x-gzip",
    "application/x-rar-compressed application/vnd.rar application/x-rar",
    "application/x-bzip2 application/x-bzip",
    "application/rtf text/rtf",
    "application/x-msdownload application/vnd.microsoft.portable-executable application/x-dosexec",
    "application/font-woff font/woff",
    "application/font-woff2 font/woff2",
    "application/font-sfnt font/ttf font/otf font/sfnt",
)
SAME = {name: line.split()[0] for line in ALIKE for name in line.split()}

#: What is a ZIP archive inside, and what is an OLE compound file; which of them, only their insides tell.
IN_ZIP = (
    "application/vnd.openxmlformats-officedocument.*",
    "application/vnd.oasis.opendocument.*",
    "application/vnd.geogebra.*",
    "application/java-archive",
    "application/*+zip",
)
IN_OLE = ("application/msword", "application/vnd.ms-*", "application/x-ole-storage", "application/vnd.visio")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

#: What is text, beside ``text/*``.
TEXTUAL = (
    "text/*",
    "*/*+xml",
    "application/*+json",
    *(f"application/{name}" for name in ["json", "xml", "javascript", "ecmascript", "yaml", "x-yaml", "toml", "sql"]),
    *(f"application/x-{name}" for name in ["ndjson", "sh", "tex", "latex"]),
)
#: What may look like text and is not.
NOT_TEXT = ("application/pdf", "application/postscript", "application/rtf")

#: Control characters that no text has.
CONTROLS = bytes({*range(32)} - set(b"\t\n\r\f\x1b\b"))


def matches(mime_type: str, patterns: tuple[str, ...]) -> bool:
    """Whether a type is one of these, of which ``*`` stands for any characters."""
    return any(fnmatchcase(mime_type, pattern) for pattern in patterns)


def normalized(mime_type: str) -> str:
    """A type without its parameters, in small letters."""
    return mime_type.partition(";")[0].strip().lower()


class TypeCheck:
    """Looks at a file chunk by chunk. :meth:`agrees` tells in the end."""

    def __init__(self, claimed: str) -> None:
        self._claimed = SAME.get(claimed, claimed)
        self._textual = matches(claimed, TEXTUAL) and self._claimed not in NOT_TEXT
        self._head = b""
        self._is_text = True
        self._wide: codecs.IncrementalDecoder | None = None

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk."""
        if not self._head:
            self._head = chunk[:HEAD]
            if chunk[:2] in (b"\xff\xfe", b"\xfe\xff"):
                self._wide = codecs.getincrementaldecoder("utf-16")()
        if self._is_text:
            self._is_text = self._reads(chunk)

    def _reads(self, chunk: bytes, final: bool = False) -> bool:
        """Whether this can be text, in UTF-8 or one of the old encodings with a byte a character, or in UTF-16."""
        if self._wide is None:
            return len(chunk.translate(None, CONTROLS)) == len(chunk)
        try:
            return "\0" not in self._wide.decode(chunk, final)
        except UnicodeDecodeError:
            return False

    def agrees(self) -> bool:
        """Whether the file is what its sender says."""
        if self._claimed == ANYTHING:
            return True
        found = sniffed(self._head)
        is_text = self._is_text and self._reads(b"", final=True)
        if self._textual or (is_text and found not in NOT_TEXT):  # two letters may begin a text as well as an image
            return self._textual and is_text and found not in NOT_TEXT
        if found == "application/zip" and matches(self._claimed, IN_ZIP):
            return True
        if self._head.startswith(OLE) and matches(self._claimed, IN_OLE):
            return True
        return found == self._claimed or (self._claimed == "application/zip" and matches(found, IN_ZIP))


def sniffed(head: bytes) -> str:
    """The type that a file's beginning tells; empty if it tells none."""
    kind = filetype.guess(head) if head else None
    return SAME.get(kind.mime, str(kind.mime)) if kind else ""
