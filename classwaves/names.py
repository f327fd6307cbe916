"""Names that others see, and names that people log in with: what looks the same is made the same, as far as that goes.

Letters of other scripts that look alike (a Cyrillic "a") stay what they are: who somebody is, the user id says. Imports
nothing of the package.
"""

from __future__ import annotations

import unicodedata

#: How many characters are looked at: bringing thousands of accents on one letter into order takes seconds.
LOOKED_AT = 1000
#: How many accents may stand on one letter. Hebrew and Tibetan need five; a hundred would cover the lines around.
MOST_MARKS = 6
#: Invisible characters that belong to some names: Persian is written with them, and emoji are made of several.
JOINERS = dict.fromkeys(map(ord, "\u200c\u200d"))
#: What Unicode counts as a letter, a mark or a symbol, and shows nothing: fillers of Hangul, blank Braille, selectors.
BLANK = dict.fromkeys(
    [*map(ord, "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
)


def shown(text: str) -> str | None:
    """A name on one line, trimmed and normalized (NFC).

    :return: ``None`` if it shows nothing, hides something (control characters, zero width, what turns the direction of
        a text), or would cover what stands around it.
    """
    if len(text) > LOOKED_AT:
        return None
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    printed = text.translate(JOINERS)
    if not printed.isprintable() or _is_covered(printed):
        return None
    return text if any(not _is_mark(one) for one in printed.translate(BLANK)) else None


def canonical(username: str) -> str:
    """A user name in the form in which it is kept and counted: NFKC, no case, no space around."""
    folded = unicodedata.normalize("NFKC", username).strip().casefold()
    return unicodedata.normalize("NFKC", folded).strip()  # folding takes some letters apart


def is_username(username: str) -> bool:
    """Whether accounts may have this name: it can be shown, and has nothing that cannot be seen."""
    return shown(username) is not None and username.translate(JOINERS).translate(BLANK) == username


def _is_covered(text: str) -> bool:
    marks = 0
    for one in text:
        marks = marks + 1 if _is_mark(one) else 0
        if marks > MOST_MARKS:
            return True
    return False


def _is_mark(one: str) -> bool:
    """Whether a character stands on the one before it."""
    return unicodedata.category(one) in ("Mn", "Me")
