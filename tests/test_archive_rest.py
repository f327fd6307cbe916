"""REST and sockets over the archive: what the store has trimmed or let go of reads as it did before."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_socketio import SocketIOTestClient

from classwaves.archive import archiver as module
from classwaves.store.base import Store
from tests.support.apps import API, AppFactory, bearer, guest, headers_for, new_session, sign_in, state_of, step
from tests.support.archives import DatabaseOfTest
from tests.support.archives import archive as archive
from tests.support.archives import database as database
from tests.support.archives import postgres_process as postgres_process
from tests.support.uploads import Sent
from tests.support.waiting import eventually

TRANSCRIPTS = ("/transcript", "/transcript?format=vtt")
ROUTES = ("", "/messages", "/attendance", *TRANSCRIPTS, "/groups", "/participants", "/export")


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.05)


class Lesson:
    """A lesson that has ended, with a teacher, a student and somebody who was removed."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.headers = headers_for(app, "Ada", "teacher")
        client = app.test_client()
        self.code = new_session(client, self.headers)
        step(client, self.headers, self.code, "start")
        roles = {"Ada": "teacher", "Ben": "student", "Cem": "student"}
        sockets = {name: self.socket(name, role) for name, role in roles.items()}
        for socket in sockets.values():
            assert socket.emit("joinSession", self.code, callback=True)["ok"]
        said = [self.send(sockets["Ben"], "sendMessage", message=f"no. {number}") for number in range(6)]
        self.send(sockets["Ada"], "addReaction", messageId=said[1]["messageId"], emoji="👍")
        self.send(sockets["Ada"], "deleteMessage", messageId=said[2]["messageId"])
        group = self.send(sockets["Ada"], "createGroup", name="Rays", memberIds=["ben"])
        self.send(sockets["Ben"], "sendMessage", message="for the group", groupId=group["groupId"])
        caption = {"segmentId": "1", "revision": 0, "text": "What is a leaf?", "isFinal": True}
        times = {"startMs": 0, "endMs": 900}
        self.send(sockets["Ada"], "publishTranscription", **caption, **times)
        self.kept, self.removed = (self.share(sockets["Ben"], name) for name in ("kept", "removed"))
        self.send(sockets["Ada"], "removeFile", fileId=self.removed)
        self.send(sockets["Ada"], "removeParticipant", userId="cem")
        for socket in sockets.values():
            socket.emit("leaveSession", self.code, callback=True)
            socket.disconnect()
        step(client, self.headers, self.code, "end")

    def socket(self, name: str, role: str) -> SocketIOTestClient:
        return state_of(self.app).socketio.test_client(self.app, auth={"token": sign_in(self.app, name, role).access})

    def send(self, socket: SocketIOTestClient, event: str, **payload: Any) -> Any:
        ack = socket.emit(event, {"sessionCode": self.code, **payload}, callback=True)
        assert ack["ok"], ack
        return ack

    def share(self, socket: SocketIOTestClient, name: str) -> str:
        sent = Sent(
            lambda event, data: socket.emit(event, data, callback=True), self.code, name.encode(), client_id=name
        )
        sent.share()
        return sent.file_id

    def get(self, route: str, headers: dict[str, str] | None = None, app: Flask | None = None) -> Any:
        client = (app or self.app).test_client()
        return client.get(f"{API}/sessions/{self.code}{route}", headers=headers or self.headers)

    def is_archived(self) -> None:
        """Wait until the archive has all."""
        state = state_of(self.app)
        session_id = state.store.session_id(self.code)
        assert session_id
        archive = state.hub.archive
        assert archive
        seq = state.store.positions([session_id])
        eventually(lambda: archive.positions([session_id]) == seq, what="the archive has all")

    def let_go(self) -> None:
        """Let the store forget the session."""
        store = state_of(self.app).store
        record = store.record(store.session_id(self.code) or "")
        assert record
        store.expire(record, 0.001)
        eventually(lambda: store.session_id(self.code) is None, what="the session is gone")


@pytest.fixture
def lesson(make_app: AppFactory, database: DatabaseOfTest) -> Lesson:
    made = Lesson(make_app(CLASSWAVES_ARCHIVE_URL=database.url))
    made.is_archived()
    return made


def test_what_the_store_has_let_go_of_reads_as_before(lesson: Lesson) -> None:
    before = {route: lesson.get(route) for route in ROUTES}
    lesson.let_go()
    for route in ROUTES:
        after = lesson.get(route)
        assert (after.status_code, after.get_data()) == (200, before[route].get_data()), route
    messages = lesson.get("/messages").get_json()["messages"]
    assert [item["message"] for item in messages] == ["no. 0", "no. 1", "no. 3", "no. 4", "no. 5", "for the group"]
    assert messages[1]["reactions"] == {"👍": 1}


def test_the_same_who_may_read_it_may_read_it_in_the_archive(lesson: Lesson, make_app: AppFactory) -> None:
    people = [("Ben", "student"), ("Cem", "student"), ("Zoe", "student"), ("Tom", "teacher"), ("Eve", "admin")]
    asked = [(headers_for(lesson.app, *who), route) for who in people for route in ROUTES]
    before = [(answer.status_code, answer.get_data()) for answer in (lesson.get(r, headers) for headers, r in asked)]
    lesson.let_go()
    after = [(answer.status_code, answer.get_data()) for answer in (lesson.get(r, headers) for headers, r in asked)]
    assert after == before
    codes = [code for code, _ in after]
    assert codes[: len(ROUTES)].count(200) == 6, "two are for staff"
    assert set(codes[len(ROUTES) : 4 * len(ROUTES)]) == {403}
    assert set(codes[4 * len(ROUTES) :]) == {200}


def test_files_of_an_archived_session_are_for_the_same_people(lesson: Lesson) -> None:
    lesson.let_go()
    state_of(lesson.app).hub.files.sweep()
    client = lesson.app.test_client()

    def download(file_id: str, name: str, role: str = "student") -> tuple[int, bytes]:
        answer = client.get(f"{API}/files/{file_id}", headers=headers_for(lesson.app, name, role))
        return answer.status_code, answer.data if answer.status_code == 200 else b""

    for name, role in (("Ada", "teacher"), ("Ben", "student"), ("Eve", "admin")):
        assert download(lesson.kept, name, role) == (200, b"kept")
        assert download(lesson.removed, name, role) == (404, b"")
    for name, role in (("Cem", "student"), ("Zoe", "student"), ("Tom", "teacher")):
        assert download(lesson.kept, name, role) == (403, b"")
    assert lesson.get("/ice").status_code == 409


def test_an_archived_session_cannot_be_changed_or_entered(lesson: Lesson) -> None:
    lesson.let_go()
    client, path = lesson.app.test_client(), f"{API}/sessions/{lesson.code}"
    assert client.post(f"{path}/start", headers=lesson.headers).status_code == 404
    assert client.patch(path, json={"title": "x"}, headers=lesson.headers).status_code == 404
    assert client.post(f"{path}/join", json={"displayName": "Gus"}).status_code == 404
    assert lesson.get("x").status_code == 404
    socket = lesson.socket("Ben", "student")
    assert socket.emit("joinSession", lesson.code, callback=True)["error"]["code"] == "SESSION_NOT_FOUND"
    socket.disconnect()


def test_a_session_in_memory_is_there_after_a_restart(make_app: AppFactory, database: DatabaseOfTest) -> None:
    lesson = Lesson(make_app(CLASSWAVES_ARCHIVE_URL=database.url))
    before = {route: lesson.get(route).get_data() for route in ROUTES}
    state_of(lesson.app).close()  # which waits for the archive
    again = make_app(CLASSWAVES_ARCHIVE_URL=database.url)
    for route in ROUTES:
        assert lesson.get(route, headers_for(again, "Ada", "teacher"), again).get_data() == before[route], route


def test_a_live_code_comes_before_an_archived_one(make_app: AppFactory, lesson: Lesson) -> None:
    lesson.let_go()
    store = state_of(lesson.app).store
    from classwaves import lifecycle

    lifecycle.create(state_of(lesson.app).hub, "ada", "The next lesson", {}, code=lesson.code)
    assert lesson.get("").get_json()["title"] == "The next lesson"
    assert store.session_id(lesson.code)


def test_without_an_archive_there_is_none(make_app: AppFactory) -> None:
    lesson = Lesson(make_app())
    assert state_of(lesson.app).hub.archive is None
    lesson.let_go()
    assert lesson.get("").status_code == 404


def test_guesses_are_counted_also_with_an_archive(make_app: AppFactory, database: DatabaseOfTest) -> None:
    app = make_app(
        CLASSWAVES_ARCHIVE_URL=database.url, CLASSWAVES_RATELIMIT_ENABLED=True, CLASSWAVES_GUESS_RATE="2/minute"
    )
    client, headers = app.test_client(), headers_for(app, "Zoe")
    answers = [client.get(f"{API}/sessions/ABCDE{last}", headers=headers).status_code for last in "FGHJ"]
    assert answers == [404, 404, 429, 429]


def test_guesses_are_counted_also_while_the_database_is_away(make_app: AppFactory, tmp_path: Path) -> None:
    """Or codes of live sessions could be told from others at leisure."""
    path = tmp_path / "a.sqlite3"
    path.write_text("This is a diary, and no database. " * 100)
    app = make_app(
        CLASSWAVES_ARCHIVE_URL=f"sqlite:///{path}", CLASSWAVES_RATELIMIT_ENABLED=True, CLASSWAVES_GUESS_RATE="2/minute"
    )
    client, headers = app.test_client(), headers_for(app, "Zoe")
    answers = [client.get(f"{API}/sessions/ABCDE{last}", headers=headers).status_code for last in "FGHJ"]
    assert answers == [503, 503, 429, 429]


def test_a_database_that_is_away_is_no_missing_session(lesson: Lesson, database: DatabaseOfTest) -> None:
    lesson.let_go()
    with database.away():
        answer = lesson.get("")
        if database.kind == "sqlite":  # whose readers wait for nobody who writes
            assert answer.status_code == 200
        else:
            assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert lesson.get("").status_code == 200


def test_pages_go_on_in_the_archive_where_the_log_was_trimmed(make_app: AppFactory, database: DatabaseOfTest) -> None:
    """Over sockets and REST; a message that was deleted later is deleted in the archive as well."""
    few = {"CLASSWAVES_LOG_ENTRIES": 20, "CLASSWAVES_CHECKPOINT_ENTRIES": 10}
    lesson = Trimmed(make_app(CLASSWAVES_ARCHIVE_URL=database.url, **few))
    texts = [item["message"] for item in lesson.pages("messages")]
    assert texts == [f"no. {number}" for number in range(90) if number != 1]
    assert [item["message"] for item in lesson.pages("messages", afterSeq=10)] == texts[7:]
    assert lesson.over_socket() == texts
    export = lesson.get("/export").get_data(as_text=True).splitlines()
    assert [json.loads(line)["seq"] for line in export] == list(range(1, len(export) + 1))
    lesson.teacher.disconnect()


def test_staff_delete_and_answer_what_only_the_archive_has(
    make_app: AppFactory, database: DatabaseOfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message so old that neither the replica nor the log in the store has it."""
    chat = importlib.import_module("classwaves.features.chat")
    monkeypatch.setattr(chat, "KEPT", 5)
    monkeypatch.setattr(chat, "SPARE", 1)
    few = {"CLASSWAVES_LOG_ENTRIES": 20, "CLASSWAVES_CHECKPOINT_ENTRIES": 10}
    lesson = Trimmed(make_app(CLASSWAVES_ARCHIVE_URL=database.url, **few))
    pages = lesson.pages("messages")
    assert [item["message"] for item in pages[:2]] == ["no. 0", "no. 2"]
    lesson.send(lesson.teacher, "sendMessage", message="an answer", replyTo=pages[0]["messageId"])
    lesson.send(lesson.teacher, "deleteMessage", messageId=pages[0]["messageId"])
    lesson.is_archived()
    assert lesson.pages("messages")[0]["message"] == "no. 2"
    refused = lesson.teacher.emit("deleteMessage", {"sessionCode": lesson.code, "messageId": "x-3"}, callback=True)
    assert refused["error"]["code"] == "MESSAGE_NOT_FOUND"
    lesson.teacher.disconnect()


class Trimmed(Lesson):
    """A lesson whose log has lost its beginning to the archive."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.headers = headers_for(app, "Ada", "teacher")
        self.code = new_session(app.test_client(), self.headers)
        self.teacher = self.socket("Ada", "teacher")
        assert self.teacher.emit("joinSession", self.code, callback=True)["ok"]
        said: list[Any] = []
        for _ in range(3):
            said += [self.send(self.teacher, "sendMessage", message=f"no. {len(said) + n}") for n in range(30)]
            self.is_archived()
        self.send(self.teacher, "setSessionMode", mode="open")
        store = state_of(app).store
        session_id = store.session_id(self.code) or ""
        eventually(lambda: self.first_seq(store, session_id) > 30, what="the log is trimmed")
        self.send(self.teacher, "deleteMessage", messageId=said[1]["messageId"])

    @staticmethod
    def first_seq(store: Store, session_id: str) -> int:
        return store.read(session_id, 0, 1)[0].seq

    def pages(self, kind: str, **query: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        before = ""
        while True:
            asked = "&".join(f"{name}={value}" for name, value in query.items())
            page = self.get(f"/{kind}?limit=7&{asked}{before}").get_json()
            found = page[kind] + found
            if not page["hasMore"]:
                return found
            before = f"&beforeSeq={page['nextBeforeSeq']}"

    def over_socket(self) -> list[str]:
        found: list[str] = []
        more: dict[str, int] = {}
        while True:
            ack = self.send(self.teacher, "fetchHistory", limit=40, **more)
            found = [item["message"] for item in ack["messages"]] + found
            if not ack["hasMore"]:
                return found
            more = {"beforeSeq": ack["nextBeforeSeq"]}


def test_a_guest_reads_their_session_in_the_archive(make_app: AppFactory, tmp_path: Path, redis_url: str) -> None:
    app = make_app(REDIS_URL=redis_url, CLASSWAVES_ARCHIVE_URL=f"sqlite:///{tmp_path / 'a.sqlite3'}")
    client, headers = app.test_client(), headers_for(app, "Ada", "teacher")
    code = new_session(client, headers)
    token, _ = guest(client, code, "Gus")
    lesson = object.__new__(Lesson)
    lesson.app, lesson.headers, lesson.code = app, headers, code
    step(client, headers, code, "end")
    lesson.is_archived()
    lesson.let_go()
    assert lesson.get("", bearer(token)).status_code == 200
