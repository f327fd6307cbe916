"""What was said, read back: pages over long logs, for whom it was, and the export of everything."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from classwaves.connections import Connection
from classwaves.history import LOOKED_AT
from classwaves.models import Draft, SessionRecord, new_id
from tests.support.apps import API, AppFactory, bearer, guest, headers_for, new_session, state_of, step
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.stores import message
from tests.support.tabs import Classroom, Tab, open_classroom

SECRET = "the key to the quiz"

#: Event and route of each kind of page, and the name of its items.
PAGES = {"messages": "fetchHistory", "segments": "fetchTranscript"}


@dataclass
class Lesson:
    """An active session: its sockets are those of a worker, REST is the application's, on one store."""

    app: Flask
    worker: Worker
    session: SessionRecord
    teacher: Connection

    def append(self, *drafts: Draft) -> int:
        """Put entries into the log, many at once, and return the seq of the last one."""
        store, last = self.worker.store, 0
        for start in range(0, len(drafts), 200):
            last = store.append(self.session.id, drafts[start : start + 200], dedupe=f"-{new_id()}").seq
        self.worker.hub.view(self.session.id).reach(last)
        return last

    def ask(self, kind: str, who: Connection | None = None, **page: Any) -> dict[str, Any]:
        """Ask for a page over a socket."""
        ack = self.worker.send(who or self.teacher, PAGES[kind], {"sessionCode": self.session.code, **page})
        assert ack.pop("ok"), ack
        return ack

    def get(self, kind: str, name: str = "Grace", role: str = "student", **page: Any) -> dict[str, Any]:
        """Ask for a page over REST."""
        address = f"{API}/sessions/{self.session.code}/{'transcript' if kind == 'segments' else kind}"
        answer = self.app.test_client().get(address, query_string=page, headers=headers_for(self.app, name, role))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        body: dict[str, Any] = answer.get_json()
        return body


@pytest.fixture(params=["memory", "redis"])
def lesson(make_app: AppFactory, workers: list[Worker], request: pytest.FixtureRequest) -> Lesson:
    """An active session, with each store, whose checkpoints do not trim."""
    app = make_app(REDIS_URL=request.getfixturevalue("redis_url"), CLASSWAVES_STORE=request.param)
    headers = headers_for(app, "Grace", "teacher")
    code = new_session(app.test_client(), headers)
    step(app.test_client(), headers, code, "start")
    store = state_of(app).store
    session = store.record(store.session_id(code) or "")
    assert session
    workers.append(Worker(store))
    return Lesson(app, workers[-1], session, workers[-1].joined(session, "grace", "teacher"))


NOISE = Draft("handStatusChanged", {"userId": "nobody", "raised": False}, "grace")


def said(text: str, **more: Any) -> Draft:
    return message(text, "grace", **more)


def captioned(text: str) -> Draft:
    data = {"segmentId": text, "revision": 0, "text": text, "isFinal": True, "startMs": 0, "endMs": 1}
    return Draft("transcriptionUpdate", {**data, "speakerId": "grace", "confidence": None}, "grace")


MADE: dict[str, Callable[[str], Draft]] = {"messages": said, "segments": captioned}
WORD = {"messages": "message", "segments": "text"}


def expected(items: list[dict[str, Any]], before: int | None, after: int, limit: int) -> list[dict[str, Any]]:
    """The newest of a window, said in another way."""
    window = [item for item in items if item["seq"] > after and (before is None or item["seq"] < before)]
    return window[-limit:]


def walk(ask: Callable[..., dict[str, Any]], name: str, limit: int, **query: Any) -> list[dict[str, Any]]:
    """All items, page by page backwards, newest last."""
    found: list[dict[str, Any]] = []
    position: dict[str, int] = {}
    while True:
        page = ask(name, limit=limit, **query, **position)
        assert set(page) == {name, "hasMore", "nextBeforeSeq"}
        assert len(page[name]) <= limit
        found = page[name] + found
        if not page["hasMore"]:
            assert page["nextBeforeSeq"] is None
            return found
        assert page["nextBeforeSeq"] < position.get("beforeSeq", 10**9), "it goes on"
        position = {"beforeSeq": page["nextBeforeSeq"]}


# pages over long logs


@pytest.mark.parametrize("kind", list(PAGES))
def test_pages_over_a_long_log_in_which_little_is_wanted(lesson: Lesson, kind: str) -> None:
    """3,000 entries, of which 25 are."""
    wanted = {number * number * 4 for number in range(25)} | {2999}
    other = MADE["segments" if kind == "messages" else "messages"]
    drafts = [
        MADE[kind](f"number {n}") if n in wanted else (other(f"other {n}") if n % 500 == 1 else NOISE)
        for n in range(3000)
    ]
    lesson.append(*drafts)
    everything = walk(lesson.ask, kind, 100)
    assert [item[WORD[kind]] for item in everything] == [f"number {n}" for n in sorted(wanted)]
    assert [item["seq"] for item in everything] == sorted({item["seq"] for item in everything})
    for limit in (1, 7, 25, 26, 27):
        assert walk(lesson.ask, kind, limit) == everything
    assert walk(lesson.get, kind, 7) == everything

    seqs = [item["seq"] for item in everything]
    marks = [1, seqs[0], seqs[0] + 1, seqs[12] - 1, seqs[12], seqs[12] + 1, seqs[-1], seqs[-1] + 1, 2**53]
    for before in [None, *marks]:
        for after in [0, *marks]:
            window = {"beforeSeq": before} if before else {}
            page = lesson.ask(kind, **window, afterSeq=after, limit=4)
            items = expected(everything, before, after, 4)
            if items or not page["hasMore"]:
                assert page[kind] == items, (before, after)
            assert page["hasMore"] == (len(expected(everything, before, after, 5)) == 5), (before, after)
    assert lesson.get(kind, afterSeq=seqs[2], beforeSeq=seqs[9], limit=3)[kind] == everything[6:9]


def test_a_page_looks_at_no_more_than_so_much_and_says_where_to_go_on(lesson: Lesson) -> None:
    first = lesson.append(said("long ago"))
    lesson.append(*[NOISE] * (LOOKED_AT + 300))
    page = lesson.ask("messages")
    assert (page["messages"], page["hasMore"]) == ([], True)
    again = lesson.ask("messages", beforeSeq=page["nextBeforeSeq"])
    assert [item["seq"] for item in again["messages"]] == [first]
    assert (again["hasMore"], again["nextBeforeSeq"]) == (False, None)


@pytest.mark.parametrize("kind", list(PAGES))
def test_a_page_of_nothing(lesson: Lesson, kind: str) -> None:
    empty = {kind: [], "hasMore": False, "nextBeforeSeq": None}
    assert lesson.ask(kind) == lesson.get(kind) == lesson.ask(kind, groupId="nowhere") == empty


def test_a_page_has_fifty_unless_told(lesson: Lesson) -> None:
    lesson.append(*[said(str(number)) for number in range(60)])
    for page in (lesson.ask("messages"), lesson.get("messages")):
        assert [item["message"] for item in page["messages"]] == [str(number) for number in range(10, 60)]
        assert page["hasMore"]


@pytest.mark.parametrize("event", list(PAGES.values()))
@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "5"},
        {"beforeSeq": 0},
        {"beforeSeq": -1},
        {"beforeSeq": 2**53 + 1},
        {"afterSeq": -1},
        {"afterSeq": 1.5},
        {"groupId": ""},
        {"cursor": 1},
    ],
)
def test_a_page_that_cannot_be_is_refused(make_app: AppFactory, event: str, wrong: dict[str, Any]) -> None:
    classroom = open_classroom(make_app())
    error = classroom.teacher().refused(event, {"sessionCode": classroom.code, **wrong})
    assert (error["code"], list(error["details"])) == ("INVALID_PAYLOAD", list(wrong))


# in one application


@pytest.fixture
def classroom(make_app: AppFactory) -> Classroom:
    classroom = open_classroom(make_app())
    classroom.step("start")
    return classroom


@pytest.fixture
def teacher(classroom: Classroom) -> Tab:
    return classroom.teacher()


def history(tab: Tab, code: str, **page: Any) -> list[dict[str, Any]]:
    ack = tab.ask("fetchHistory", {"sessionCode": code, **page})
    assert ack["ok"], ack
    messages: list[dict[str, Any]] = ack["messages"]
    return messages


def words(messages: list[dict[str, Any]]) -> list[str]:
    return [one["message"] for one in messages]


def rest_history(classroom: Classroom, token: str, **page: Any) -> Any:
    address = f"{API}/sessions/{classroom.code}/messages"
    return classroom.app.test_client().get(address, query_string=page, headers=bearer(token))


def test_messages_are_in_the_history_as_they_were_received(classroom: Classroom, teacher: Tab) -> None:
    ada = classroom.joined("Ada")
    teacher.take()
    first = ada.say(classroom.code, "One", clientMessageId="c1")
    teacher.say(classroom.code, "Two", replyTo=first["messageId"])
    received = [payload for name, payload in teacher.take() if name == "messageReceived"]
    assert words(received) == ["One", "Two"]
    assert history(ada, classroom.code) == received
    assert rest_history(classroom, classroom.token("Ada")).get_json()["messages"] == received


def test_deleted_messages_are_in_no_page(classroom: Classroom, teacher: Tab) -> None:
    sent = [teacher.say(classroom.code, str(number)) for number in range(6)]
    for number in (0, 3, 5):
        payload = {"sessionCode": classroom.code, "messageId": sent[number]["messageId"]}
        assert teacher.ask("deleteMessage", payload)["ok"]
    for name, role in [("Grace", "teacher"), ("Ada", "student")]:
        tab = classroom.joined(name, role)
        assert words(history(tab, classroom.code)) == ["1", "2", "4"]
        newest = tab.ask("fetchHistory", {"sessionCode": classroom.code, "limit": 2})
        assert (words(newest["messages"]), newest["hasMore"]) == (["2", "4"], True)
        last = {"sessionCode": classroom.code, "limit": 2, "beforeSeq": newest["nextBeforeSeq"]}
        assert words(tab.ask("fetchHistory", last)["messages"]) == ["1"]
        assert words(rest_history(classroom, classroom.token(name, role)).get_json()["messages"]) == ["1", "2", "4"]


def test_group_messages_are_for_those_who_were_there_and_staff(classroom: Classroom, teacher: Tab) -> None:
    ada, bob = classroom.joined("Ada"), classroom.joined("Bob")
    create = {"sessionCode": classroom.code, "name": "Owls", "memberIds": ["ada"]}
    owls = teacher.ask("createGroup", create)["groupId"]
    teacher.say(classroom.code, "to all")
    ada.say(classroom.code, "before Bob", groupId=owls)
    assert bob.ask("joinGroup", {"sessionCode": classroom.code, "groupId": owls})["ok"]
    teacher.say(classroom.code, "with Bob", groupId=owls)
    assert ada.ask("leaveGroup", {"sessionCode": classroom.code, "groupId": owls})["ok"]
    bob.say(classroom.code, "after Ada", groupId=owls)
    classroom.joined("Cid")
    seen = {
        ("Ada", "student"): ["to all", "before Bob", "with Bob"],
        ("Bob", "student"): ["to all", "with Bob", "after Ada"],
        ("Cid", "student"): ["to all"],
        ("Grace", "teacher"): ["to all", "before Bob", "with Bob", "after Ada"],
        ("Root", "admin"): ["to all", "before Bob", "with Bob", "after Ada"],
    }
    for (name, role), own in seen.items():
        tab = classroom.joined(name, role)
        assert words(history(tab, classroom.code)) == own, name
        assert words(history(tab, classroom.code, groupId=owls)) == own[1:], name
        assert words(history(tab, classroom.code, limit=1)) == own[-1:], name
        token = classroom.token(name, role)
        assert words(rest_history(classroom, token).get_json()["messages"]) == own, name
        assert words(rest_history(classroom, token, groupId=owls).get_json()["messages"]) == own[1:], name


def test_a_page_tells_nothing_of_messages_for_others(classroom: Classroom, teacher: Tab) -> None:
    """Not even that there are more."""
    classroom.joined("Ada")
    create = {"sessionCode": classroom.code, "name": "Owls", "memberIds": ["ada"]}
    owls = teacher.ask("createGroup", create)["groupId"]
    for number in range(5):
        teacher.say(classroom.code, str(number), groupId=owls)
    teacher.say(classroom.code, "to all")
    page = classroom.joined("Bob").ask("fetchHistory", {"sessionCode": classroom.code, "limit": 1})
    assert words(page["messages"]) == ["to all"]
    assert (page["hasMore"], page["nextBeforeSeq"]) == (False, None)


def test_reactions_are_counted_in_the_history(classroom: Classroom, teacher: Tab) -> None:
    ada, bob = classroom.joined("Ada"), classroom.joined("Bob")
    first, second = (teacher.say(classroom.code, text)["messageId"] for text in ("One", "Two"))
    thumb, heart = "\N{THUMBS UP SIGN}", "\u2764\ufe0f"

    def react(tab: Tab, emoji: str, message_id: str, event: str = "addReaction") -> None:
        assert tab.ask(event, {"sessionCode": classroom.code, "messageId": message_id, "emoji": emoji})["ok"]

    react(ada, thumb, first)
    react(ada, thumb, first)
    react(bob, thumb, first)
    react(bob, heart, first)
    react(teacher, heart, second)
    react(teacher, heart, second, "removeReaction")
    shown = history(ada, classroom.code)
    assert shown[0]["reactions"] == {thumb: 2, heart: 1}
    assert "reactions" not in shown[1]
    assert rest_history(classroom, classroom.token("Bob")).get_json()["messages"] == shown


def test_the_history_is_read_in_an_ended_session(classroom: Classroom, teacher: Tab) -> None:
    ada = classroom.joined("Ada")
    token = guest(classroom.app.test_client(), classroom.code, "Gus")[0]
    teacher.say(classroom.code, "before the end")
    classroom.step("end")
    assert words(history(ada, classroom.code)) == ["before the end"]
    assert words(history(teacher, classroom.code)) == ["before the end"]
    for reader in (classroom.token("Ada"), token):
        assert words(rest_history(classroom, reader).get_json()["messages"]) == ["before the end"]
    late = classroom.tab("Late")
    assert late.refused("fetchHistory", {"sessionCode": classroom.code})["code"] == "SESSION_ENDED"
    assert rest_history(classroom, classroom.token("Late")).get_json()["error"]["code"] == "SESSION_ACCESS_DENIED"


@pytest.mark.parametrize("event", list(PAGES.values()))
def test_who_has_not_joined_or_has_left_reads_nothing_over_the_socket(
    classroom: Classroom, teacher: Tab, event: str
) -> None:
    payload = {"sessionCode": classroom.code}
    joined, other = classroom.joined("Ada"), classroom.tab("Ada")
    assert joined.ask(event, payload)["ok"]
    assert other.refused(event, payload)["code"] == "NOT_IN_SESSION", "whatever other tabs did"
    assert joined.ask("leaveSession", classroom.code)["ok"]
    joined.take()
    assert joined.refused(event, payload)["code"] == "NOT_IN_SESSION"
    assert other.refused(event, {"sessionCode": "ZZZZZZ"})["code"] == "SESSION_NOT_FOUND"


READ = ["", "/participants", "/groups", "/messages", "/transcript", "/transcript?format=vtt"]


def test_who_was_removed_reads_nothing_any_more(classroom: Classroom, teacher: Tab) -> None:
    token, user = guest(classroom.app.test_client(), classroom.code, "Gus")
    gus, ada = Tab(classroom.app, token), classroom.joined("Ada")
    gus.join(classroom.code)
    teacher.say(classroom.code, "Hello")
    client = classroom.app.test_client()
    readers = {user["userId"]: token, "ada": classroom.token("Ada")}
    for user_id, own in readers.items():
        for path in READ:
            assert client.get(f"{API}/sessions/{classroom.code}{path}", headers=bearer(own)).status_code == 200
        payload = {"sessionCode": classroom.code, "userId": user_id}
        assert teacher.ask("removeParticipant", payload)["ok"]
    for own in readers.values():
        for path in READ:
            answer = client.get(f"{API}/sessions/{classroom.code}{path}", headers=bearer(own))
            assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "SESSION_ACCESS_DENIED"), path
    for tab in (gus, ada):
        tab.take()
        for event in PAGES.values():
            assert tab.refused(event, {"sessionCode": classroom.code})["code"] == "NOT_IN_SESSION"
        assert tab.refused("joinSession", classroom.code)["code"] == "SESSION_ACCESS_DENIED"
    classroom.step("end")
    for own in readers.values():
        answer = rest_history(classroom, own)
        assert answer.get_json()["error"]["code"] == "SESSION_ACCESS_DENIED", "not after the end either"


# the export


def exported(app: Flask, code: str, name: str = "Grace", role: str = "teacher") -> Any:
    return app.test_client().get(f"{API}/sessions/{code}/export", headers=headers_for(app, name, role))


def test_the_export_has_every_entry_once_and_in_order(lesson: Lesson) -> None:
    lesson.append(*[said(f"line\n{number} \u2028") if number % 7 == 0 else NOISE for number in range(1300)])
    lesson.append(said("to some", audience="group", members=("ada", "bob")))
    answer = exported(lesson.app, lesson.session.code)
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="session-{lesson.session.code}.jsonl"'
    body = answer.get_data(as_text=True)
    assert body.endswith("\n")
    lines = [json.loads(line) for line in body.removesuffix("\n").split("\n")]
    log = lesson.worker.store.read(lesson.session.id, 0, 10_000)
    assert len(log) > 1300
    assert [line["seq"] for line in lines] == list(range(1, len(log) + 1))
    assert [line["event"] for line in lines] == [entry.draft.event for entry in log]
    assert [line["data"] for line in lines] == [entry.draft.data for entry in log]
    assert {line["epoch"] for line in lines} == {log[0].epoch}
    assert lines[0]["event"] == "sessionCreated"
    last = lines[-1]
    assert (last["userId"], last["audience"], last["members"]) == ("grace", "group", ["ada", "bob"])
    assert (last["messageId"], last["timestamp"]) == (log[-1].id, log[-1].payload("")["timestamp"])


def test_the_export_is_for_staff(make_app: AppFactory) -> None:
    app = make_app()
    classroom = open_classroom(app, coTeacherIds=["kay"])
    classroom.joined("Ada")
    token, _ = guest(app.test_client(), classroom.code, "Gus")
    for name, role, code in [
        ("Ada", "student", "FORBIDDEN"),
        ("Eve", "student", "SESSION_ACCESS_DENIED"),
        ("Another", "teacher", "SESSION_ACCESS_DENIED"),
    ]:
        answer = exported(app, classroom.code, name, role)
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, code)
    address = f"{API}/sessions/{classroom.code}/export"
    assert app.test_client().get(address, headers=bearer(token)).get_json()["error"]["code"] == "FORBIDDEN"
    assert app.test_client().get(address).status_code == 401
    for name, role in [("Grace", "teacher"), ("Kay", "teacher"), ("Root", "admin")]:
        assert exported(app, classroom.code, name, role).status_code == 200
    assert exported(app, "ZZZZZZ").get_json()["error"]["code"] == "SESSION_NOT_FOUND"


def get_routes(app: Flask) -> list[str]:
    """Every route of the API that reads and is about a session."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(f"{API}/sessions/<code>")]
    return sorted(rule.rule for rule in rules if "GET" in (rule.methods or ()) and rule.rule.count("<") == 1)


def test_what_is_for_staff_only_reaches_no_student_by_any_way(classroom: Classroom, teacher: Tab) -> None:
    """Live, to who joins, to who resumes or reads back, and over REST; to staff it does."""
    ada, place = classroom.tab("Ada"), classroom.tab("Ada").join(classroom.code)
    ada.join(classroom.code)
    where = {"sinceSeq": place["seq"], "epoch": place["epoch"]}
    activity = {"sessionCode": classroom.code, "activityId": "quiz", "activityType": "poll"}
    data = {"question": "6 * 7?", "staffOnly": {"answer": SECRET}}
    taken: list[Any] = []
    for status, more in [("started", {"data": data}), ("paused", {}), ("started", {"data": data}), ("completed", {})]:
        assert teacher.ask("updateActivity", {**activity, "status": status, **more})["ok"]
        response = {"sessionCode": classroom.code, "activityId": "quiz", "data": 42, "clientId": status}
        taken.append(ada.ask("submitActivityResponse", response))
        taken.append(classroom.tab("Bob").ask("joinSession", classroom.code))
        late = classroom.tab("Bob")
        taken += [late.ask("joinSession", classroom.code), late.take()]
    for args in ([classroom.code], [classroom.code, where]):
        taken += [ada.ask("joinSession", *args), ada.take()]
    taken += [ada.ask(event, {"sessionCode": classroom.code}) for event in PAGES.values()]
    taken.append(ada.ask("syncSession", {"sessionCode": classroom.code, **where}))
    text = json.dumps(taken)
    assert "6 * 7?" in text, "the rest of it does"
    assert SECRET not in text
    assert "staffOnly" not in text

    client, paths = classroom.app.test_client(), get_routes(classroom.app)
    assert len(paths) > 5
    for form in ("", "?format=csv", "?format=txt"):
        for path in paths:
            answer = client.get(path.replace("<code>", classroom.code) + form, headers=bearer(classroom.token("Ada")))
            assert SECRET not in answer.get_data(as_text=True), path

    assert SECRET in json.dumps(teacher.take())
    assert SECRET in json.dumps(teacher.join(classroom.code))
    assert SECRET in exported(classroom.app, classroom.code).get_data(as_text=True)


def test_responses_are_in_no_page_of_other_students(classroom: Classroom, teacher: Tab) -> None:
    ada, bob = classroom.tab("Ada"), classroom.tab("Bob")
    place = bob.join(classroom.code)
    ada.join(classroom.code)
    activity = {"sessionCode": classroom.code, "activityId": "quiz", "activityType": "poll", "status": "started"}
    assert teacher.ask("updateActivity", activity)["ok"]
    response = {"sessionCode": classroom.code, "activityId": "quiz", "data": SECRET, "clientId": "1"}
    assert ada.ask("submitActivityResponse", response)["ok"]
    bob.ask("joinSession", classroom.code, {"sinceSeq": place["seq"], "epoch": place["epoch"]})
    bob.ask("joinSession", classroom.code)
    assert SECRET not in json.dumps(bob.take())
    assert SECRET in json.dumps(teacher.take())
