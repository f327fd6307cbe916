"""Attendance: who was there, when and for how long, over all their devices, whatever is left of the log."""

import csv
import io
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classwaves import lifecycle
from classwaves.features.attendance import sheet
from classwaves.live import folded
from classwaves.models import Draft, Entry, SessionRecord, iso
from classwaves.replica import FOLD_VERSION, Replica
from classwaves.store import MemoryStore
from classwaves.store.base import Limits, participant_fact
from tests.support.apps import API, AppFactory, bearer
from tests.support.hubs import Sockets, Worker, open_live
from tests.support.hubs import workers as workers
from tests.support.stores import LIMITS, ManualClock, StoreFactory, join, new_record, new_session, say, seat
from tests.support.stores import make_store as make_store
from tests.support.tabs import Classroom, open_classroom
from tests.support.waiting import eventually

LATE_AFTER = 300.0
MINUTE = 60


class Lesson:
    """An active session of ``grace`` on one worker, whose clock goes on when it is told to."""

    def __init__(self, workers: list[Worker], **record: Any) -> None:
        self.clock = ManualClock()
        self.worker = Worker(MemoryStore(LIMITS, self.clock))
        workers.append(self.worker)
        self.session = new_session(self.worker.store, owner="grace", **record)

    def step(self, name: str) -> None:
        lifecycle.step(self.worker.hub, self.session.id, name, lifecycle.system("grace"))

    def joined(self, user: str, device: str = "", role: str = "student") -> Any:
        return self.worker.joined(self.session, user, role, f"{user}{device}")

    def leave(self, connection: Any) -> None:
        assert self.worker.send(connection, "leaveSession", self.session.code)["ok"]

    def vanish(self, connection: Any) -> None:
        """A socket has ended by itself, and its grace is over."""
        self.worker.store.vanish(self.session.id, self.worker.hub.seat(connection))

    def remove(self, by: Any, user: str) -> None:
        payload = {"sessionCode": self.session.code, "userId": user}
        assert self.worker.send(by, "removeParticipant", payload)["ok"]

    def minutes(self, minutes: float) -> None:
        self.clock.forward(minutes * MINUTE)

    @property
    def now(self) -> int:
        return int(self.clock() * 1000)

    def rows(self, late_after: float = LATE_AFTER) -> dict[str, dict[str, Any]]:
        live = self.worker.hub.view(self.session.id)
        return {row["userId"]: row for row in sheet(live.replica, self.now, late_after)}

    def of(self, user: str) -> tuple[str, float]:
        """How somebody is, and their minutes."""
        row = self.rows()[user]
        return row["status"], row["minutesPresent"]


@pytest.fixture
def lesson(workers: list[Worker]) -> Lesson:
    lesson = Lesson(workers)
    lesson.step("start")
    return lesson


def test_a_row_says_who_it_is_and_since_when(lesson: Lesson) -> None:
    lesson.joined("grace", role="teacher")
    lesson.minutes(2)
    began = lesson.now
    lesson.joined("ada")
    lesson.minutes(1.25)
    assert list(lesson.rows()) == ["grace", "ada"], "in the order of joining"
    assert lesson.rows()["ada"] == {
        "userId": "ada",
        "displayName": "Ada",
        "role": "student",
        "status": "present",
        "joinedAt": iso(began),
        "leftAt": None,
        "minutesPresent": 1.2,
        "late": False,
        "minutesLate": 0,
    }
    assert lesson.rows()["grace"]["minutesPresent"] == 3.2


def test_who_leaves_is_counted_up_to_then_and_goes_on_when_they_come_back(lesson: Lesson) -> None:
    first = lesson.now
    ada = lesson.joined("ada")
    lesson.minutes(10)
    gone = lesson.now
    lesson.leave(ada)
    lesson.minutes(30)
    assert lesson.of("ada") == ("left", 10)
    assert lesson.rows()["ada"]["leftAt"] == iso(gone)
    lesson.joined("ada", " again")
    lesson.minutes(5)
    assert lesson.of("ada") == ("present", 15)
    assert (lesson.rows()["ada"]["joinedAt"], lesson.rows()["ada"]["leftAt"]) == (iso(first), None)


def test_who_is_disconnected_is_not_counted_until_they_return(lesson: Lesson) -> None:
    ada = lesson.joined("ada")
    lesson.minutes(4)
    gone = lesson.now
    lesson.vanish(ada)
    lesson.minutes(3)
    assert lesson.of("ada") == ("disconnected", 4)
    assert lesson.rows()["ada"]["leftAt"] == iso(gone)
    lesson.joined("ada", " again")
    lesson.minutes(2)
    assert lesson.of("ada") == ("present", 6)
    assert lesson.rows()["ada"]["leftAt"] is None


def test_who_stays_disconnected_has_left_when_they_were_disconnected(lesson: Lesson) -> None:
    ada = lesson.joined("ada")
    lesson.minutes(4)
    gone = lesson.now
    lesson.vanish(ada)
    lesson.minutes(11)
    lesson.worker.store.expire_absent(lesson.session.id, 600)
    assert lesson.of("ada") == ("left", 4)
    assert lesson.rows()["ada"]["leftAt"] == iso(gone)


def test_who_is_removed_is_counted_up_to_then(lesson: Lesson) -> None:
    grace = lesson.joined("grace", role="teacher")
    lesson.joined("ada")
    lesson.minutes(7)
    gone = lesson.now
    lesson.remove(grace, "ada")
    lesson.minutes(20)
    assert lesson.of("ada") == ("removed", 7)
    assert lesson.rows()["ada"]["leftAt"] == iso(gone)


def test_several_devices_are_counted_once(lesson: Lesson) -> None:
    phone = lesson.joined("ada", " phone")
    lesson.minutes(2)
    laptop = lesson.joined("ada", " laptop")
    lesson.minutes(3)
    lesson.leave(phone)
    lesson.minutes(5)
    assert lesson.of("ada") == ("present", 10)
    lesson.vanish(laptop)
    lesson.minutes(1)
    assert lesson.of("ada") == ("disconnected", 10)


def test_the_end_of_a_session_ends_the_count(lesson: Lesson) -> None:
    ada = lesson.joined("ada")
    bob = lesson.joined("bob")
    lesson.minutes(6)
    lesson.vanish(bob)
    lesson.minutes(4)
    ended = lesson.now
    lesson.step("end")
    lesson.minutes(90)
    assert lesson.of("ada")[1] == 10
    assert lesson.rows()["ada"]["leftAt"] == iso(ended)
    lesson.vanish(ada)
    lesson.minutes(5)
    assert (lesson.of("ada")[1], lesson.of("bob")[1]) == (10, 6)
    assert lesson.rows()["ada"]["leftAt"] == iso(ended)


def test_a_socket_that_takes_its_seat_again_after_the_end_counts_for_nothing(lesson: Lesson) -> None:
    """As it does when the store was away: the worker sits it down again, whatever became of the session."""
    ada = lesson.joined("ada")
    lesson.minutes(10)
    lesson.step("end")
    lesson.vanish(ada)
    before = lesson.rows()["ada"]
    lesson.minutes(30)
    store, place = lesson.worker.store, lesson.worker.hub.seat(ada)
    store.join(lesson.session.id, place, display_name="Ada", role="student", fences={}, capacity=None)
    lesson.minutes(30)
    assert lesson.of("ada") == ("present", 10)
    assert lesson.rows()["ada"]["leftAt"] == before["leftAt"]
    store.vanish(lesson.session.id, place)
    lesson.minutes(30)
    assert lesson.rows()["ada"] == before


def test_a_pause_is_a_part_of_the_lesson(lesson: Lesson) -> None:
    lesson.joined("ada")
    lesson.minutes(5)
    lesson.step("pause")
    lesson.minutes(5)
    lesson.step("resume")
    lesson.minutes(5)
    assert lesson.of("ada") == ("present", 15)


@pytest.mark.parametrize(("after", "late", "by"), [(0, False, 0), (5, False, 0), (5.1, True, 5.1), (12, True, 12)])
def test_who_comes_long_after_the_start_is_late(lesson: Lesson, after: float, late: bool, by: float) -> None:
    lesson.minutes(after)
    lesson.joined("ada")
    row = lesson.rows()["ada"]
    assert (row["late"], row["minutesLate"]) == (late, by)


def test_who_was_there_before_the_start_is_in_time(workers: list[Worker]) -> None:
    lesson = Lesson(workers)
    lesson.joined("ada")
    lesson.minutes(60)
    assert not lesson.rows()["ada"]["late"], "it has not begun"
    lesson.step("start")
    lesson.minutes(60)
    assert not lesson.rows()["ada"]["late"]


def test_late_is_reckoned_from_the_start_and_the_first_arrival(lesson: Lesson) -> None:
    """Neither a resumed session nor a second arrival makes anybody late."""
    ada = lesson.joined("ada")
    lesson.minutes(6)
    lesson.step("pause")
    lesson.step("resume")
    lesson.leave(ada)
    lesson.minutes(1)
    lesson.joined("ada", " again")
    lesson.joined("bob")
    assert (lesson.rows()["ada"]["late"], lesson.rows()["bob"]["late"]) == (False, True)
    assert lesson.rows()["bob"]["minutesLate"] == 7
    assert not lesson.rows(late_after=420)["bob"]["late"]
    assert lesson.rows(late_after=0)["bob"]["late"]


def test_who_was_expected_and_did_not_come_is_absent(workers: list[Worker]) -> None:
    usual = new_record().settings
    lesson = Lesson(workers, settings={**usual, "access": "roster", "rosterUserIds": ["cid", "ada", "bob"]})
    lesson.step("start")
    lesson.joined("ada")
    assert [(row["userId"], row["status"]) for row in lesson.rows().values()] == [
        ("ada", "present"),
        ("cid", "absent"),
        ("bob", "absent"),
    ]
    absent = lesson.rows()["bob"]
    assert set(absent) == set(lesson.rows()["ada"])
    assert (absent["joinedAt"], absent["leftAt"], absent["minutesPresent"], absent["late"]) == (None, None, 0, False)


def test_a_roster_that_is_not_in_use_expects_nobody(workers: list[Worker]) -> None:
    usual = new_record().settings
    lesson = Lesson(workers, settings={**usual, "rosterUserIds": ["ada"]})
    lesson.step("start")
    assert lesson.rows() == {}


def test_a_log_made_by_hand_gives_the_same_sheet() -> None:
    record = new_record("grace")
    log = [
        (0, Draft("sessionCreated", {"record": record.to_dict()})),
        (1, participant_fact("ada", "joined", displayName="Ada", role="student")),
        (2, Draft("sessionStatusChanged", {"status": "active", "previousStatus": "created"})),
        (4, participant_fact("ada", "disconnected")),
        (7, participant_fact("ada", "returned")),
        (8, participant_fact("ada", "returned")),  # which she had already
        (8, participant_fact("bob", "joined", displayName="Bob", role="student")),
        (9, participant_fact("bob", "left")),
        (9, Draft("messageReceived", {"message": "hi"}, "ada")),
        (12, Draft("participantRemoved", {"userId": "ada"}, "grace")),
        (20, Draft("sessionStatusChanged", {"status": "ended", "previousStatus": "active"})),
    ]
    replica = Replica("epoch")
    for seq, (minute, draft) in enumerate(log, 1):
        replica.apply(Entry(seq, "epoch", minute * 60_000, draft))
    found = [
        (row["userId"], row["status"], row["minutesPresent"], row["minutesLate"])
        for row in sheet(replica, 10**9, LATE_AFTER)
    ]
    assert found == [("ada", "removed", 8, 0), ("bob", "left", 1, 6)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["join", "leave", "vanish", "expire"]),
        st.sampled_from(["ada", "bob"]),
        st.sampled_from(["phone", "laptop"]),
        st.integers(0, 9),
    ),
    max_size=30,
)


@settings(max_examples=60)
@given(STEPS)
def test_minutes_are_those_in_which_any_device_was_there(steps: list[tuple[str, str, str, int]]) -> None:
    """Whatever they do, against a count of each minute."""
    clock = ManualClock()
    store = MemoryStore(LIMITS, clock)
    session = new_session(store)
    devices: dict[str, set[str]] = {"ada": set(), "bob": set()}
    minutes = {"ada": 0, "bob": 0}
    came = set()
    for step, user, device, wait in steps:
        place = seat(user, device)
        if step == "join":
            join(store, session, place)
            devices[user].add(device)
            came.add(user)
        elif step == "expire":
            store.expire_absent(session.id, 0)
        else:
            (store.leave if step == "leave" else store.vanish)(session.id, place)
            devices[user].discard(device)
        clock.forward(wait * MINUTE)
        for one, there in devices.items():
            minutes[one] += wait if there else 0
    loaded = store.load(session.id, FOLD_VERSION)
    assert loaded
    rows = {row["userId"]: row for row in sheet(folded(loaded), int(clock() * 1000), LATE_AFTER)}
    assert {user: row["minutesPresent"] for user, row in rows.items()} == {user: minutes[user] for user in came}
    assert {user for user, row in rows.items() if row["status"] == "present"} == {u for u in came if devices[u]}
    store.close()


# a log that is trimmed behind a checkpoint


def trimmed(worker: Worker, session: SessionRecord) -> bool:
    return worker.store.read(session.id, 0, 1)[0].seq > 20


def test_the_sheet_outlives_the_log_it_was_made_of(make_store: StoreFactory, workers: list[Worker]) -> None:
    worker = Worker(make_store(Limits(log_entries=5, log_bytes=10_000_000, dedupe_keys=100)), CHECKPOINT_ENTRIES=10)
    workers.append(worker)
    session = new_session(worker.store, owner="grace")
    grace = worker.joined(session, "grace", "teacher")
    lifecycle.step(worker.hub, session.id, "start", lifecycle.system("grace"))
    people = {name: worker.joined(session, name) for name in ("ada", "bob", "cid", "dan")}
    worker.send(people["ada"], "leaveSession", session.code)
    worker.store.vanish(session.id, worker.hub.seat(people["bob"]))
    worker.send(grace, "removeParticipant", {"sessionCode": session.code, "userId": "cid"})
    for _ in range(6):
        say(worker.store, session, *map(str, range(10)))
    seq = say(worker.store, session, "the last")[-1]
    live = worker.hub.view(session.id)
    live.reach(seq)
    eventually(lambda: trimmed(worker, session), what="a trimmed log")
    now = live.replica.record.created_at + 3_600_000 if live.replica.record else 0
    expected = sheet(live.replica, now, LATE_AFTER)
    assert [(row["userId"], row["status"]) for row in expected] == [
        ("grace", "present"),
        ("ada", "left"),
        ("bob", "disconnected"),
        ("cid", "removed"),
        ("dan", "present"),
    ]
    again = open_live(worker.store, session, Sockets())
    assert sheet(again.replica, now, LATE_AFTER) == expected


# over REST


@pytest.fixture
def classroom(make_app: AppFactory) -> Classroom:
    classroom = open_classroom(make_app(CLASSWAVES_LATE_AFTER=0))
    classroom.step("start")
    return classroom


def asked(classroom: Classroom, name: str = "Grace", role: str = "teacher", **query: Any) -> Any:
    headers = bearer(classroom.token(name, role))
    address = f"{API}/sessions/{classroom.code}/attendance"
    return classroom.app.test_client().get(address, query_string=query, headers=headers)


def test_pages_of_json(classroom: Classroom) -> None:
    names = [f"S{number}" for number in range(6)]
    for name in names:
        classroom.joined(name)
    pages: list[list[str]] = []
    cursor: str | None = "0"
    while cursor is not None:
        body = asked(classroom, limit=4, cursor=cursor).get_json()
        pages.append([row["userId"] for row in body["attendance"]])
        cursor = body["nextCursor"]
    assert pages == [["s0", "s1", "s2", "s3"], ["s4", "s5"]]
    assert asked(classroom, limit=6).get_json()["nextCursor"] is None
    assert all(row["late"] for row in asked(classroom).get_json()["attendance"]), "by the setting"


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"cursor": -1}, {"format": "xls"}, {"more": 1}])
def test_a_page_that_cannot_be_is_refused(classroom: Classroom, query: dict[str, Any]) -> None:
    answer = asked(classroom, **query)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (422, "INVALID_PAYLOAD")


NAMES = [
    '=HYPERLINK("http://evil")',
    "+1+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff20SUM(A1)",
    'Ann "the, comma" Lee',
    "Two\nlines",
    "\u05e9\u05dc\u05d5\u05dd",
    "'quoted",
    "Plain = name",
]


def test_a_csv_file_has_a_row_for_everybody_and_no_formulas(classroom: Classroom) -> None:
    """RFC 4180; the cells are those of the JSON."""
    for name in NAMES:
        classroom.joined(name)
    answer = asked(classroom, format="csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="attendance-{classroom.code}.csv"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    body = answer.get_data(as_text=True)
    header, *rows = csv.reader(io.StringIO(body, newline=""), strict=True)
    listed = asked(classroom).get_json()["attendance"]
    assert set(header) == set(listed[0])
    assert [row[header.index("displayName")].removeprefix("'") for row in rows] == [
        name.removeprefix("'") for name in NAMES
    ]
    for cells, row in zip(rows, listed, strict=True):
        for name, cell in zip(header, cells, strict=True):
            assert unicodedata.normalize("NFKC", cell)[:1] not in set("=+-@\t\r\n"), "a spreadsheet would calculate it"
            whole = "" if row[name] is None else str(row[name])
            if name != "minutesPresent":  # time goes on
                assert cell in (whole, f"'{whole}")
    kept = {row[header.index("displayName")] for row in rows}
    assert {"Plain = name", 'Ann "the, comma" Lee', "Two\nlines", "'quoted"} <= kept, "the harmless as they are"


def test_a_csv_file_is_whole(classroom: Classroom) -> None:
    for number in range(120):
        classroom.joined(f"S{number}")
    rows = list(csv.reader(io.StringIO(asked(classroom, format="csv").get_data(as_text=True), newline="")))
    assert len(rows) == 121


def test_the_sheet_is_for_staff(make_app: AppFactory) -> None:
    classroom = open_classroom(make_app(), coTeacherIds=["kay"])
    classroom.joined("Ada")
    for name, role, status, code in [
        ("Ada", "student", 403, "FORBIDDEN"),
        ("Eve", "student", 403, "SESSION_ACCESS_DENIED"),
        ("Another", "teacher", 403, "SESSION_ACCESS_DENIED"),
    ]:
        for form in ("json", "csv"):
            answer = asked(classroom, name, role, format=form)
            assert (answer.status_code, answer.get_json()["error"]["code"]) == (status, code)
            assert "joinedAt" not in json.dumps(answer.get_json())
    for name, role in [("Grace", "teacher"), ("Kay", "teacher"), ("Root", "admin")]:
        assert [row["userId"] for row in asked(classroom, name, role).get_json()["attendance"]] == ["ada"]
    address = f"{API}/sessions/{classroom.code}/attendance"
    assert classroom.app.test_client().get(address).status_code == 401


def test_the_sheet_is_read_after_the_end(classroom: Classroom) -> None:
    ada = classroom.joined("Ada")
    classroom.step("end")
    first = asked(classroom).get_json()
    assert first["attendance"][0]["leftAt"]
    ada.vanish()
    again = asked(classroom).get_json()["attendance"][0]
    assert again["minutesPresent"] == first["attendance"][0]["minutesPresent"]
    assert again["leftAt"] == first["attendance"][0]["leftAt"]


@pytest.mark.parametrize("store", ["memory", "redis"])
def test_the_sheet_is_served_from_each_store(make_app: AppFactory, redis_url: str, store: str) -> None:
    app = make_app(REDIS_URL=redis_url, CLASSWAVES_STORE=store)
    classroom = open_classroom(app)
    kept = app.extensions["classwaves"].store
    record = kept.record(kept.session_id(classroom.code))
    join(kept, record, seat("ada"))
    join(kept, record, seat("ada", "2"))
    join(kept, record, seat("bob"))
    kept.leave(record.id, seat("bob"))
    rows = asked(classroom).get_json()["attendance"]
    assert [(row["userId"], row["displayName"], row["status"]) for row in rows] == [
        ("ada", "Ada", "present"),
        ("bob", "Bob", "left"),
    ]
