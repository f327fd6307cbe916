"""Unicode tricks in the names of users, sessions and groups: what hides, covers, or only looks like another name."""

import sys
import unicodedata

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from classwaves.auth.accounts import StoreAuthenticator
from classwaves.errors import ClassWavesError
from classwaves.names import LOOKED_AT, MOST_MARKS, canonical, is_username, shown
from tests.support.apps import API, PASSWORD, AppFactory, add_user, headers_for, login, new_session, state_of
from tests.support.tabs import Classroom
from tests.support.tabs import room as room

HIDING = [
    "",
    " \t\n",
    "a\0b",
    "a\x1b[31mb",
    "a\x7f",
    "a\x85b\x9c",
    "\u202eadA",  # right to left override
    "a\u2066b\u2069",  # isolates
    "a\u200eb",  # left to right mark
    "a\u061cb",
    "a\u200bb",  # zero width space
    "a\u2060b",  # word joiner
    "a\ufeffb",
    "a\u00adb",  # soft hyphen
    "a\U000e0061b",  # a tag
    "a\ue000",  # private use
    "a\U0010ffff",
    "a\ud800",
    "\u200d\u200c",
    "\u034f",  # what shows nothing, though Unicode counts it as a letter, a mark or a symbol
    "\u115f\u1160",
    "\u2800",
    "\u3164",
    "\uffa0",
    "\ufe0f",
    "\U000e0100",
    "\u0301",  # an accent on nothing
    "a" + "\u0301" * 30,  # over the lines around it
    "\u0e01" + "\u0e49" * 20,
    "a" + "\u20dd" * 20,  # circles around it
]


@pytest.mark.parametrize("name", HIDING, ids=ascii)
def test_a_name_that_hides_or_covers_something_is_none(name: str) -> None:
    assert shown(name) is None
    assert not is_username(name)


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("  Gus \r\n Fring ", "Gus Fring"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("\u212bngstr\u00f6m", "\u00c5ngstr\u00f6m"),
        ("Nguye\u0302\u0303n", "Nguy\u1ec5n"),
        ("\u05d1\u05bc\u05b0\u05e8\u05b5\u05d0\u05e9\u05c1\u05b4\u0596\u05d9\u05ea", None),  # with vowels and accents
        ("\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", None),  # Persian needs its joiner
        ("\u0915\u094d\u200d\u0937", None),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", None),
        ("\u2764\ufe0f", None),
        ("1\ufe0f\u20e3", None),
        ("<b>Gus</b>", None),
        ("__proto__", None),
    ],
    ids=ascii,
)
def test_a_name_in_any_script_is_shown(given_name: str, name: str | None) -> None:
    found = shown(given_name)
    assert found is not None
    assert found == (name or unicodedata.normalize("NFC", given_name))
    assert shown(found) == found


@given(st.text(max_size=80))
def test_what_is_shown_is_one_line_and_is_shown_again(text: str) -> None:
    name = shown(text)
    if name is not None:
        assert name == shown(name)
        assert name.strip()
        assert len(name.splitlines()) == 1


def test_accents_are_counted_on_each_letter() -> None:
    assert shown("a\u0334\u0335\u0336\u0337\u0338\u0327" * 9) is not None
    assert shown("b" + "\u0334" * MOST_MARKS) is not None
    assert shown("b" + "\u0334" * (MOST_MARKS + 1)) is None


def test_a_flood_of_accents_is_not_even_normalized() -> None:
    """Bringing them into order takes a time that grows with the square of their number."""
    assert shown("a" + "\u0301\u0327" * 500_000) is None
    assert shown("a" * LOOKED_AT) == "a" * LOOKED_AT


def test_the_form_of_a_user_name_is_final() -> None:
    for number in range(sys.maxunicode + 1):
        once = canonical(chr(number))
        assert canonical(once) == once, hex(number)


@given(st.text(max_size=20))
def test_user_names_that_differ_by_case_or_form_are_one(name: str) -> None:
    for form in ("NFC", "NFD"):
        assert canonical(unicodedata.normalize(form, name)) == canonical(name)
    assert canonical(f" {name}\n") == canonical(name)


ONE_NAME = ["Ada", "ada", " ADA ", "\uff21\uff44\uff41", "\U0001d400da", "a\u1d48a", "\u24b6da"]
"""Full width, mathematical, raised and circled letters are the letters."""


@pytest.mark.parametrize("again", ONE_NAME[1:], ids=ascii)
def test_two_accounts_never_have_names_that_are_read_the_same(make_app: AppFactory, again: str) -> None:
    app = make_app()
    add_user(app, ONE_NAME[0])
    with pytest.raises(ClassWavesError, match="taken"):
        add_user(app, again)
    login(app.test_client(), again)


@pytest.mark.parametrize("name", ["a\u200bda", "ada\u200d", "\u202eada", "a\u034fda", "ad\ufe0fa", "\u3164"], ids=ascii)
def test_no_account_has_what_nobody_sees_in_its_name(make_app: AppFactory, name: str) -> None:
    accounts = StoreAuthenticator(state_of(make_app()).store)
    with pytest.raises(ClassWavesError) as refused:
        accounts.create(name, PASSWORD, "Ada", "student")
    assert refused.value.code == "INVALID_PAYLOAD"


@pytest.mark.parametrize("name", ["\u202eada", "a\x1b[2J", "a" + "\u0301" * 30], ids=ascii)
def test_no_account_is_shown_by_a_name_that_hides_something(make_app: AppFactory, name: str) -> None:
    accounts = StoreAuthenticator(state_of(make_app()).store)
    with pytest.raises(ClassWavesError) as refused:
        accounts.create("ada", PASSWORD, name, "student")
    assert refused.value.code == "INVALID_PAYLOAD"
    assert accounts.create("ada", PASSWORD, "Zoe\u0308", "student").display_name == "Zo\u00eb"


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    return make_app()


TRICKS = [name for name in HIDING if name != "\ud800"]


def test_names_of_guests_and_titles_are_held_to_it(app: Flask, client: FlaskClient) -> None:
    teacher = headers_for(app, "Grace", "teacher")
    code = new_session(client, teacher)
    for name in TRICKS:
        answers = [
            client.post(f"{API}/sessions/{code}/join", json={"displayName": name}),
            client.post(f"{API}/sessions", json={"title": name}, headers=teacher),
            client.patch(f"{API}/sessions/{code}", json={"title": name}, headers=teacher),
        ]
        for answer in answers:
            assert (answer.status_code, answer.get_json()["error"]["code"]) == (422, "INVALID_PAYLOAD"), ascii(name)
    answer = client.patch(f"{API}/sessions/{code}", json={"title": " Cafe\u0301\r\nnoir "}, headers=teacher)
    assert answer.get_json()["title"] == "Caf\u00e9 noir"


def test_names_of_groups_are_held_to_it(room: Classroom) -> None:
    teacher = room.teacher()
    for name in TRICKS:
        error = teacher.refused("createGroup", {"sessionCode": room.code, "name": name})
        assert (error["code"], list(error["details"])) == ("INVALID_PAYLOAD", ["name"]), ascii(name)
    assert teacher.ask("createGroup", {"sessionCode": room.code, "name": " Cafe\u0301\r\nnoir "})["ok"]
    assert teacher.take_only("groupUpdate")["groupName"] == "Caf\u00e9 noir"
