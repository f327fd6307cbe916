"""The waiting room: guests wait until staff let them in, and read nothing before."""

import time
from typing import Any

import pytest
from flask import Flask

from tests.support.apps import API, AppFactory, bearer, guest, headers_for, state_of
from tests.support.tabs import Classroom, Tab, open_classroom
from tests.support.waiting import eventually


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    return make_app(CLASSWAVES_DISCONNECT_GRACE=0.05)


@pytest.fixture
def room(app: Flask) -> Classroom:
    return open_classroom(app, waitingRoom=True)


class Guest:
    """A guest of a session, with a token and any number of tabs."""

    def __init__(self, room: Classroom, name: str = "Gus") -> None:
        self.room = room
        self.token, user = guest(room.app.test_client(), room.code, name)
        self.user_id: str = user["userId"]

    def tab(self) -> Tab:
        return Tab(self.room.app, self.token)

    def waiting(self) -> Tab:
        """Open a tab that waits to be let in."""
        tab = self.tab()
        assert tab.ask("joinSession", self.room.code) == {"ok": True, "waiting": True}
        assert tab.take() == []
        return tab

    def get(self, path: str) -> int:
        """Read over REST, and return the status of the answer."""
        client = self.room.app.test_client()
        return client.get(f"{API}/sessions/{self.room.code}{path}", headers=bearer(self.token)).status_code


def wait_for(tab: Tab, name: str) -> Any:
    """Wait until an event comes, which must be the next one, and return its payload."""
    eventually(lambda: bool(tab._client.queue), what=name)
    taken = tab.take()
    assert taken[0][0] == name, taken
    return taken[0][1]


def admit(teacher: Tab, who: Guest, admitted: bool = True, **more: Any) -> dict[str, Any]:
    about = {"sessionCode": who.room.code, "userId": who.user_id, "admitted": admitted, **more}
    return teacher.ask("admitParticipant", about)


def change(room: Classroom, **settings: Any) -> None:
    path, grace = f"{API}/sessions/{room.code}", headers_for(room.app, "Grace", "teacher")
    answer = room.app.test_client().patch(path, json={"settings": settings}, headers=grace)
    assert answer.status_code == 200


def test_a_guest_waits_and_is_let_in(room: Classroom) -> None:
    teacher, gus = room.teacher(), Guest(room)
    tab = gus.waiting()
    request = teacher.take_only("joinRequested")
    assert request == {"sessionCode": room.code, "userId": gus.user_id, "displayName": "Gus"}
    ack = admit(teacher, gus)
    assert ack["ok"]
    decided = wait_for(teacher, "participantAdmitted")
    assert (decided["userId"], decided["admitted"], decided["admittedBy"]) == (gus.user_id, True, "grace")
    assert decided["seq"] == ack["seq"]
    joined = wait_for(tab, "sessionJoined")
    assert [one["userId"] for one in joined["participants"]] == ["grace", gus.user_id]
    assert "waiting" not in joined
    tab.say(room.code, "hello")


def test_a_guest_is_turned_away_for_good(room: Classroom) -> None:
    teacher, gus = room.teacher(), Guest(room)
    tab = gus.waiting()
    assert admit(teacher, gus, False)["ok"]
    error = wait_for(tab, "error")
    assert (error["code"], error["event"]) == ("SESSION_ACCESS_DENIED", "joinSession")
    for again in (tab, gus.tab()):
        assert again.refused("joinSession", room.code)["code"] == "SESSION_ACCESS_DENIED"
    change(room, waitingRoom=False)
    assert gus.tab().refused("joinSession", room.code)["code"] == "SESSION_ACCESS_DENIED"
    assert gus.get("/messages") == 403
    assert [name for name, _ in teacher.take()] == ["joinRequested", "participantAdmitted"]


def test_only_guests_wait(room: Classroom) -> None:
    room.joined("Ada")
    room.joined("Grace", "teacher")
    room.joined("Root", "admin")


def test_who_waits_may_do_nothing_and_read_nothing(app: Flask, room: Classroom) -> None:
    teacher, gus = room.teacher(), Guest(room)
    teacher.say(room.code, "not for guests yet")
    tab = gus.waiting()
    code = room.code
    asked: dict[str, dict[str, Any]] = {
        "sendMessage": {"message": "let me in"},
        "fetchHistory": {},
        "syncSession": {"sinceSeq": 0, "epoch": "e"},
        "raiseHand": {},
        "admitParticipant": {"userId": gus.user_id, "admitted": True},
    }
    for event, body in asked.items():
        assert tab.refused(event, {"sessionCode": code, **body})["code"] == "NOT_IN_SESSION"
    paths = ("", "/messages", "/participants", "/groups", "/transcript", "/export", "/attendance", "/ice")
    assert {path: gus.get(path) for path in paths} == dict.fromkeys(paths, 403)
    teacher.say(code, "still not")
    assert tab.take() == [], "nor hear anything"
    assert admit(teacher, gus)["ok"]
    wait_for(tab, "sessionJoined")
    assert gus.get("/messages") == 200


def test_a_guest_who_never_asked_reads_nothing_either(room: Classroom) -> None:
    gus = Guest(room)
    assert gus.get("/messages") == 403
    room.step("end")
    assert gus.get("/messages") == 403


def test_who_was_let_in_need_not_ask_again(room: Classroom) -> None:
    teacher, gus = room.teacher(), Guest(room)
    tab = gus.waiting()
    assert admit(teacher, gus)["ok"]
    wait_for(tab, "sessionJoined")
    tab.vanish()
    gus.tab().join(room.code)
    assert gus.tab().ask("leaveSession", room.code)["ok"]
    gus.tab().join(room.code)


def test_all_tabs_of_a_guest_wait_as_one(room: Classroom) -> None:
    teacher, gus = room.teacher(), Guest(room)
    one, other = gus.waiting(), gus.waiting()
    teacher.take_only("joinRequested")
    assert one.ask("joinSession", room.code)["waiting"], "again is once"
    assert one.ask("leaveSession", room.code)["ok"]
    one.take_only("sessionLeft")
    third = gus.waiting()
    assert teacher.take() == []
    assert admit(teacher, gus)["ok"]
    for tab in (other, third):
        wait_for(tab, "sessionJoined")
    assert one.take() == []


def test_who_asks_again_keeps_their_place(room: Classroom) -> None:
    first = Guest(room, "Ann").waiting()
    Guest(room, "Ben").waiting()
    eventually(lambda: int(time.time() * 1000) > waiting_since(room)[-1], what="a later moment")
    assert first.ask("joinSession", room.code)["waiting"]
    assert [one["displayName"] for one in room.teacher().join(room.code)["waiting"]] == ["Ann", "Ben"]


def test_who_is_back_within_the_grace_keeps_their_place(make_app: AppFactory) -> None:
    room = open_classroom(make_app(), waitingRoom=True)  # the grace is 5 s
    ann, ben = Guest(room, "Ann"), Guest(room, "Ben")
    lost = ann.waiting()
    ben.waiting()
    lost.vanish()
    (live,) = state_of(room.app).hub.live_sessions()
    eventually(lambda: live.lobby._missed, what="the loss")
    ann.waiting()
    teacher = room.teacher()
    assert [one["displayName"] for one in teacher.join(room.code)["waiting"]] == ["Ann", "Ben"]
    assert admit(teacher, ann)["ok"]
    assert [one["displayName"] for one in teacher_list(room)] == ["Ben"]


def teacher_list(room: Classroom) -> Any:
    return room.teacher().join(room.code)["waiting"]


def waiting_since(room: Classroom) -> list[int]:
    (live,) = state_of(room.app).hub.live_sessions()
    return [since for _, since in live.lobby.names().values()]


def test_staff_who_come_later_are_told_who_waits(room: Classroom) -> None:
    gus, ada = Guest(room, "Gus"), Guest(room, "Ada")
    gus.waiting()
    ada.waiting()
    waiting = room.tab("Grace", "teacher").join(room.code)["waiting"]
    assert [(one["userId"], one["displayName"]) for one in waiting] == [(gus.user_id, "Gus"), (ada.user_id, "Ada")]
    assert waiting[0]["requestedAt"] <= waiting[1]["requestedAt"]
    assert "waiting" not in room.tab("Pat").join(room.code)


def test_who_leaves_while_waiting_is_off_the_list(room: Classroom) -> None:
    teacher, gus = room.teacher(), Guest(room)
    for leaves in (True, False):
        tab = gus.waiting()
        teacher.take_only("joinRequested")
        if leaves:
            tab.ask("leaveSession", room.code)
        else:
            tab.vanish()
        assert wait_for(teacher, "joinWithdrawn") == {"sessionCode": room.code, "userId": gus.user_id}
        assert admit(teacher, gus)["error"]["code"] == "NOT_FOUND"
        teacher.take()
    assert room.tab("Grace", "teacher").join(room.code)["waiting"] == []


def test_staff_decide_once(room: Classroom) -> None:
    teacher, gus = room.teacher(), Guest(room)
    gus.waiting()
    first = admit(teacher, gus, clientMessageId="k1")
    assert admit(teacher, gus, clientMessageId="k1") == first
    assert admit(teacher, gus) == {"ok": True}, "said again, it changes nothing"
    error = admit(teacher, gus, False)["error"]
    assert (error["code"], error["details"]) == ("CONFLICT", {"current": {"admitted": True}})
    admit(teacher, gus)
    assert [name for name, _ in teacher.take()].count("participantAdmitted") == 1


def test_only_staff_decide(room: Classroom) -> None:
    gus, ada = Guest(room), room.joined("Ada")
    gus.waiting()
    assert admit(ada, gus)["error"]["code"] == "FORBIDDEN"
    assert admit(room.teacher(), Guest(room, "Other"))["error"]["code"] == "NOT_FOUND"


def test_a_seat_is_taken_at_admission(app: Flask) -> None:
    room = open_classroom(app, waitingRoom=True, maxParticipants=2)
    teacher, gus, ada = room.teacher(), Guest(room), Guest(room, "Ada")
    first, second = gus.waiting(), ada.waiting()
    assert admit(teacher, gus)["ok"]
    wait_for(first, "sessionJoined")
    assert admit(teacher, ada)["error"]["code"] == "SESSION_FULL"
    assert first.ask("leaveSession", room.code)["ok"]
    assert admit(teacher, ada)["ok"], "she waits still"
    wait_for(second, "sessionJoined")


def test_closing_the_waiting_room_lets_everybody_in(room: Classroom) -> None:
    teacher, gus = room.teacher(), Guest(room)
    tab = gus.waiting()
    change(room, waitingRoom=False)
    wait_for(tab, "sessionJoined")
    seen = eventually(lambda: [name for name, _ in teacher.take() if name == "joinWithdrawn"], what="joinWithdrawn")
    assert seen == ["joinWithdrawn"]
    Guest(room, "Ada").tab().join(room.code)


def test_who_is_in_when_it_is_opened_stays_in(app: Flask) -> None:
    room = open_classroom(app)
    early, gone = Guest(room, "Early"), Guest(room, "Gone")
    tab, other = early.tab(), gone.tab()
    tab.join(room.code)
    other.join(room.code)
    assert other.ask("leaveSession", room.code)["ok"]
    change(room, waitingRoom=True)
    early.tab().join(room.code)
    assert early.get("/messages") == 200
    assert gone.get("/messages") == 403
    gone.waiting()


def test_the_end_of_the_session_is_the_end_of_waiting(room: Classroom) -> None:
    gus = Guest(room)
    tab = gus.waiting()
    room.step("end")
    error = wait_for(tab, "error")
    assert (error["code"], error["event"]) == ("SESSION_ENDED", "joinSession")
    assert gus.get("/messages") == 403


def test_the_roster_counts_for_who_waits_too(room: Classroom) -> None:
    tab = Guest(room).waiting()
    change(room, access="roster")
    assert wait_for(tab, "error")["code"] == "SESSION_ACCESS_DENIED"


def test_no_name_of_who_waits_is_in_the_log(app: Flask, room: Classroom) -> None:
    teacher, gus = room.teacher(), Guest(room, "Secretive")
    gus.waiting()
    assert admit(teacher, gus, False)["ok"]
    store = state_of(app).store
    session_id = state_of(app).hub.find(room.code)
    assert "Secretive" not in repr(store.read(session_id, 0, 100))


def test_a_logout_ends_the_wait(app: Flask, room: Classroom) -> None:
    teacher, gus = room.teacher(), Guest(room)
    gus.waiting()
    teacher.take_only("joinRequested")
    assert app.test_client().post(f"{API}/auth/logout", headers=bearer(gus.token)).status_code == 204
    wait_for(teacher, "joinWithdrawn")


def test_nothing_is_left_of_who_waited(app: Flask, room: Classroom) -> None:
    """The worker lets go of a session in which nobody waits any more."""
    tab = Guest(room).waiting()
    assert len(state_of(app).hub.live_sessions()) == 1
    tab.vanish()
    eventually(lambda: not state_of(app).hub.live_sessions(), what="the end of the session here")
