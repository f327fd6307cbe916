"""An erase takes its time: what is said and archived meanwhile, clocks that differ, and errors in the middle of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from classwaves.archive import archiver as module
from classwaves.archive.sql import SqlArchive
from classwaves.errors import ArchiveUnavailable
from classwaves.models import Draft
from classwaves.personal import PersonalData
from classwaves.store import MemoryStore
from classwaves.store.base import Edit
from tests.support.apps import API, AppFactory, bearer, guest, headers_for, new_session, state_of
from tests.support.stores import message

SECRET = "a-very-private-sentence"


@pytest.fixture
def app(make_app: AppFactory, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """An application with an archive, of which the test is the archiver."""
    monkeypatch.setattr(module.Archiver, "note", lambda self, session_id: None)
    yield make_app(CLASSWAVES_ARCHIVE_URL=f"sqlite:///{tmp_path / 'archive.sqlite3'}")


class Erasing:
    """A session in which Ann has spoken, and what an erase of hers has to do with."""

    def __init__(self, app: Flask) -> None:
        self.app, self.state = app, state_of(app)
        self.hub, self.store = self.state.hub, self.state.store
        assert self.hub.archiver
        self.archiver, self.archive = self.hub.archiver, self.hub.archiver.archive
        self.code = new_session(app.test_client(), headers_for(app, "Ada", "teacher"))
        self.id = self.store.session_id(self.code) or ""

    def say(self, text: str, author: str = "ann") -> None:
        self.store.append(self.id, [message(text, author)], dedupe=f"-{author}{text}")

    def data(self, user_id: str = "ann") -> PersonalData:
        return PersonalData(self.hub, user_id)

    @property
    def record(self) -> Any:
        return self.store.record(self.id)

    def archived(self) -> str:
        return str(list(self.archive.entries(self.id)))


@pytest.fixture
def erasing(app: Flask) -> Erasing:
    return Erasing(app)


def test_the_archive_is_rid_of_what_is_said_while_the_store_is_gone_through(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody captions Ann, and an archiver is quick; of a large server this is a matter of minutes."""
    erasing.say("before")
    rewrite = erasing.store.rewrite

    def slow(session_id: str, edit: Edit) -> int:
        if SECRET not in str(erasing.store.read(session_id, 0, 100)):
            caption = {"segmentId": "1", "revision": 0, "speakerId": "ann", "text": SECRET, "isFinal": True}
            erasing.store.append(session_id, [Draft("transcriptionUpdate", caption, "robot")], dedupe="-robot")
            erasing.archiver.bring(session_id)
        monkeypatch.setattr(erasing.store, "rewrite", rewrite)
        return rewrite(session_id, edit)

    monkeypatch.setattr(erasing.store, "rewrite", slow)
    erasing.data().erase()
    assert SECRET not in str(erasing.store.read(erasing.id, 0, 100))
    assert SECRET not in erasing.archived()


@pytest.mark.parametrize("ahead", [-60, 60])
def test_the_store_has_a_clock_of_its_own(erasing: Erasing, ahead: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries are dated by Redis: what was read before is erased, and what is said afterwards is not."""
    assert isinstance(erasing.store, MemoryStore)
    clock = erasing.store._clock
    monkeypatch.setattr(erasing.store, "_clock", lambda: clock() + ahead)
    erasing.say(SECRET)
    read = erasing.store.read(erasing.id, 0, 100)
    erasing.data().erase()
    erasing.archive.write(erasing.id, erasing.record, read)
    assert SECRET not in erasing.archived()
    monkeypatch.setattr(erasing.store, "_clock", lambda: clock() + ahead + 10)
    erasing.say("hello again")
    erasing.archiver.bring(erasing.id)
    assert "hello again" in erasing.archived()


def test_whoever_has_erased_themselves_half_may_ask_again(erasing: Erasing, monkeypatch: pytest.MonkeyPatch) -> None:
    client, headers = erasing.app.test_client(), headers_for(erasing.app, "Ann", "student")
    erasing.say(SECRET)

    def away(*_: Any, **__: Any) -> int:
        raise ArchiveUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(SqlArchive, "erase", away)
        assert client.delete(f"{API}/users/ann/data", headers=headers).status_code == 503
    assert client.delete(f"{API}/users/ann/data", headers=headers).status_code == 200
    assert SECRET not in str(erasing.store.read(erasing.id, 0, 100))
    assert client.get(f"{API}/auth/me", headers=headers).status_code == 401


def test_what_is_archived_while_it_is_handed_out_is_handed_out_once(app: Flask) -> None:
    sessions = [Erasing(app), Erasing(app)]
    for one in sessions:
        one.say("archived")
        one.archiver.bring(one.id)
        one.say("not yet")
    found = sessions[0].data().entries()
    said = [next(found)]
    for one in sessions:
        one.archiver.bring(one.id)
    said += found
    expected = [(one.id, text) for one in sessions for text in ("archived", "not yet")]
    assert sorted((one.session_id, one.entry.draft.data["message"]) for one in said) == sorted(expected)


@pytest.mark.parametrize("archived", [True, False])
def test_whoever_writes_captions_is_not_handed_out_what_others_said(erasing: Erasing, archived: bool) -> None:
    caption = {"segmentId": "1", "revision": 0, "speakerId": "ann", "text": SECRET, "isFinal": True}
    erasing.store.append(erasing.id, [Draft("transcriptionUpdate", caption, "robot")], dedupe="-robot")
    if archived:
        erasing.archiver.bring(erasing.id)
    assert SECRET not in str(list(erasing.data("robot").entries()))
    assert SECRET in str(list(erasing.data("ann").entries()))


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_nobody_has_all_logs_read_again_and_again(make_app: AppFactory, method: str) -> None:
    """Each is all that the store has, and each erase begins a class anew; a guest is a new user whenever they like."""
    app = make_app(CLASSWAVES_RATELIMIT_ENABLED=True, CLASSWAVES_PERSONAL_RATE="2/minute")
    client, ada = app.test_client(), headers_for(app, "Ada", "teacher")
    code = new_session(client, ada)

    def ask() -> int:
        token, user = guest(client, code, "Gus")
        return client.open(f"{API}/users/{user['userId']}/data", method=method, headers=bearer(token)).status_code

    assert [ask() for _ in range(3)] == [200, 200, 429]
    admin = headers_for(app, "Eve", "admin")
    asked = [client.open(f"{API}/users/gus{n}/data", method=method, headers=admin).status_code for n in range(4)]
    assert asked == [200] * 4, "who erases a class does so by a program"
