"""Names of files: whatever a client gives, what comes out can be saved under, and shows what it is."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classwaves.filenames import safe_name


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("notes.txt", "notes.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\notes.txt", "notes.txt"),
        ("a/b\\c.txt", "c.txt"),
        ("folder/", "folder"),
        (".htaccess", "htaccess"),
        ("...", "file"),
        ("", "file"),
        ("/", "file"),
        (" \t\n ", "file"),
        ("a\0b\x07\x85.txt", "ab.txt"),
        ("\ud800.txt", "_.txt"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("\u2066x\u2069\ufeff.pdf", "x.pdf"),
        ("Cafe\u0301.pdf", "Caf\u00e9.pdf"),
        ("\U0001f468\u200d\U0001f469.png", "\U0001f468\u200d\U0001f469.png"),
        ('what? <b>"x"|*:.txt', "what_ _b__x____.txt"),
        ("a. . .", "a"),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
        ("\u00e9" * 300 + ".pdf", "\u00e9" * 125 + ".pdf"),
        ("x" * 300, "x" * 255),
        ("x." + "y" * 300, "x." + "y" * 253),
    ],
)
def test_a_name(given_name: str, safe: str) -> None:
    assert safe_name(given_name) == safe


def test_only_the_ends_of_a_long_name_are_looked_at() -> None:
    """Putting accents in order takes the square of their number: seconds for as many as an event may have."""
    assert safe_name("a" + "\0" * 600 + "middle" + "\0" * 600 + "z.pdf") == "az.pdf"
    assert len(safe_name("a" + "\u0315\u0300" * 15_000 + ".pdf").encode()) <= 255


@given(st.text(st.characters(codec=None) | st.sampled_from("./\\\u202e\ud800\x00 "), max_size=400))
def test_every_name(name: str) -> None:
    safe = safe_name(name)
    assert 1 <= len(safe.encode()) <= 255
    assert not set(safe) & set('/\\\0\n\r<>:"|?*\u202e\u2066\ufeff')
    assert not safe.startswith((".", " "))
    assert unicodedata.is_normalized("NFC", safe)
    assert safe_name(safe) == safe
