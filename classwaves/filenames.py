"""Names of files that others may save under: what a client gave, made safe; no name is refused.

Imports nothing of the package.
"""

from __future__ import annotations

import os
import re
import unicodedata

#: What most file systems allow, in bytes of UTF-8; and how long an ending may be that is kept.
LONGEST, ENDING = 255, 32
#: How many characters are looked at, in front and at the end: thousands of accents on one letter take seconds.
LOOKED_AT = 512

#: Control characters, what turns the direction of a text, what breaks lines, private and unassigned characters.
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff]")
#: What some systems or shells read as more than a character of a name.
SPECIAL = re.compile(r'[<>:"|?*]')


def safe_name(name: str) -> str:
    """The last component of a path as a name for a file: normalized (NFC), without what hides or overrides.

    Neither empty nor hidden (no full stop in front), and no longer than 255 bytes; its ending stays.
    """
    text = name.encode("utf-8", "replace").decode()  # lone surrogates
    text = re.split(r"[/\\]", text.rstrip("/\\"))[-1]
    if len(text) > 2 * LOOKED_AT:
        text = text[:LOOKED_AT] + text[-LOOKED_AT:]
    text = SPECIAL.sub("_", UNSAFE.sub("", unicodedata.normalize("NFC", text)))
    return _shortened(text.lstrip(". ").rstrip(". ")).strip() or "file"


def _shortened(name: str) -> str:
    if len(name.encode()) <= LONGEST:
        return name
    stem, ending = os.path.splitext(name)
    if len(ending.encode()) > ENDING:
        stem, ending = name, ""
    return stem.encode()[: LONGEST - len(ending.encode())].decode("utf-8", "ignore").rstrip() + ending
