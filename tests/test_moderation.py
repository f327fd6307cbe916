"""What staff may do about others, on all their tabs, on all workers, and whatever these are busy with."""

import threading
from typing import Any

import pytest

from classwaves.models import Draft, Entry
from classwaves.replica import FOLD_VERSION, FOLDS, Replica
from classwaves.store.base import Limits
from tests.support.apps import API, AppFactory, bearer, headers_for, new_session, step
from tests.support.hubs import GatedStore, Sockets, Worker, enter, open_live, principal
from tests.support.hubs import workers as workers
from tests.support.stores import StoreFactory, join, message, redis_store, seat
from tests.support.stores import make_store as make_store
from tests.support.stores import new_session as store_session
from tests.support.tabs import Classroom, Received, Tab, open_classroom
from tests.support.waiting import eventually

Tabs = dict[str, Tab]
Payload = dict[str, Any]


@pytest.fixture
def room(make_app: AppFactory) -> Classroom:
    return open_classroom(make_app(), coTeacherIds=["carol"], maxParticipants=3)


@pytest.fixture
def tabs(room: Classroom) -> Tabs:
    """Staff, who do not count for maxParticipants but take places, and two students, on two and on one tab."""
    made = {"Ada": room.joined("Ada"), "Ada too": room.joined("Ada"), "Bob": room.joined("Bob")}
    made |= {"Grace": room.teacher()}
    for tab in made.values():
        tab.take()
    return made


def do(tab: Tab, room: Classroom, event: str, **data: Any) -> Payload:
    """Send an event and return the ack of success."""
    ack = tab.ask(event, {"sessionCode": room.code, **data})
    assert ack["ok"], ack
    return ack


def refusal(tab: Tab, room: Classroom, event: str, **data: Any) -> Payload:
    """Send an event that fails and return the error."""
    tab.take()
    return tab.refused(event, {"sessionCode": room.code, **data})


def names(events: list[Received]) -> list[str]:
    return [name for name, _ in events]


def joining_refused(tab: Tab, code: str) -> str:
    tab.take()
    refused: str = tab.refused("joinSession", code)["code"]
    return refused


# who may, and about whom

EVENTS: dict[str, Payload] = {
    "deleteMessage": {"messageId": "x"},
    "removeParticipant": {"userId": "bob"},
    "muteParticipant": {"userId": "bob", "muted": True},
    "setSessionMode": {"mode": "focus"},
}


@pytest.mark.parametrize("event", EVENTS)
def test_students_moderate_nobody(room: Classroom, tabs: Tabs, event: str) -> None:
    assert refusal(tabs["Ada"], room, event, **EVENTS[event])["code"] == "FORBIDDEN"
    assert tabs["Bob"].take() == []


@pytest.mark.parametrize("event", ["removeParticipant", "muteParticipant"])
def test_staff_are_not_moderated_and_strangers_are_not_found(room: Classroom, tabs: Tabs, event: str) -> None:
    tabs["Bob"].ask("leaveSession", room.code)
    carol, root = room.joined("Carol", "teacher"), room.joined("Root", "admin")
    muted = {"muted": True} if event == "muteParticipant" else {}
    for tab, user_id in ((carol, "grace"), (tabs["Grace"], "carol"), (carol, "root"), (root, "root")):
        error = refusal(tab, room, event, userId=user_id, **muted)
        assert (error["code"], error["details"]["reason"]) == ("FORBIDDEN", "staff")
    for stranger in ("zoe", "", "x" * 129):
        error = refusal(tabs["Grace"], room, event, userId=stranger, **muted)
        assert error["code"] == ("NOT_FOUND" if stranger == "zoe" else "INVALID_PAYLOAD")
    do(root, room, event, userId="bob", **muted)  # who has left may come back: not so, or muted


def test_a_co_teacher_moderates_and_a_repeated_request_happens_once(room: Classroom, tabs: Tabs) -> None:
    carol = room.joined("Carol", "teacher")
    tabs["Ada"].take()
    muting = {"userId": "bob", "muted": True, "clientMessageId": "m1"}
    first = do(carol, room, "muteParticipant", **muting)
    do(carol, room, "muteParticipant", userId="bob", muted=False)
    assert do(carol, room, "muteParticipant", **muting) == first
    assert [data["muted"] for _, data in tabs["Ada"].take()] == [True, False]
    removing = {"userId": "bob", "clientMessageId": "m2"}
    assert do(carol, room, "removeParticipant", **removing) == do(carol, room, "removeParticipant", **removing)
    assert names(tabs["Ada"].take()) == ["participantRemoved", "presenceUpdated"]


# messages


def test_a_deleted_message_is_told_of_and_in_no_history(room: Classroom, tabs: Tabs) -> None:
    since = tabs["Bob"].join(room.code)
    ids = [tabs["Ada"].say(room.code, text)["messageId"] for text in ("fine", "rude")]
    for tab in tabs.values():
        tab.take()
    ack = do(tabs["Grace"], room, "deleteMessage", messageId=ids[1])
    told = tabs["Ada"].take_only("messageDeleted")
    assert told == tabs["Bob"].take_only("messageDeleted")
    assert told.items() >= {"messageId": ids[1], "deletedBy": "grace", "seq": ack["seq"]}.items()
    for name, role in (("Ada", "student"), ("Grace", "teacher")):
        shown = do(tabs[name], room, "fetchHistory")["messages"]
        headers = headers_for(room.app, name, role)
        page = room.app.test_client().get(f"{API}/sessions/{room.code}/messages", headers=headers).get_json()
        assert [m["message"] for m in shown] == [m["message"] for m in page["messages"]] == ["fine"]
    for message_id in (ids[1], "nothing", f"{since['epoch']}-1"):
        assert refusal(tabs["Grace"], room, "deleteMessage", messageId=message_id)["code"] == "MESSAGE_NOT_FOUND"
    assert refusal(tabs["Bob"], room, "sendMessage", message="to that", replyTo=ids[1])["code"] == "MESSAGE_NOT_FOUND"


def test_a_deleted_message_of_a_group_is_told_to_the_group(room: Classroom, tabs: Tabs) -> None:
    group_id = do(tabs["Grace"], room, "createGroup", name="Frogs", memberIds=["ada"])["groupId"]
    message_id = tabs["Ada"].say(room.code, "rude", groupId=group_id)["messageId"]
    for tab in tabs.values():
        tab.take()
    do(tabs["Grace"], room, "deleteMessage", messageId=message_id)
    assert tabs["Ada"].take_only("messageDeleted") == tabs["Grace"].take_only("messageDeleted")
    assert tabs["Bob"].take() == []


# removal


def test_who_is_removed_is_out_on_all_tabs_and_stays_connected(room: Classroom, tabs: Tabs) -> None:
    other = new_session(room.app.test_client(), headers_for(room.app, "Grace", "teacher"))
    for name in ("Ada", "Bob"):
        tabs[name].join(other)
    tabs["Ada"].take()
    ack = do(tabs["Grace"], room, "removeParticipant", userId="ada")
    for name in ("Ada", "Ada too"):
        removed, left = tabs[name].take()
        assert removed[0] == "participantRemoved"
        assert removed[1].items() >= {"userId": "ada", "removedBy": "grace", "seq": ack["seq"]}.items()
        assert left == ("sessionLeft", {"sessionCode": room.code})
        assert tabs[name].connected
    told = tabs["Bob"].take()
    assert names(told) == ["participantRemoved", "presenceUpdated"]
    assert told[1][1].items() >= {"userId": "ada", "status": "left"}.items()
    tabs["Bob"].say(room.code, "gone?")
    for name in ("Ada", "Ada too"):
        assert tabs[name].take() == []
        assert refusal(tabs[name], room, "sendMessage", message="no")["code"] == "NOT_IN_SESSION"
        assert refusal(tabs[name], room, "fetchHistory")["code"] == "NOT_IN_SESSION"
        tabs[name].take()
    tabs["Ada too"].vanish()
    tabs["Ada"].say(other, "but here I am")
    assert names(tabs["Bob"].take())[-1] == "messageReceived", "other sessions go on"


def test_who_was_removed_does_not_come_back(room: Classroom, tabs: Tabs) -> None:
    tabs["Ada"].say(room.code, "rude")
    since = tabs["Bob"].ask("joinSession", room.code)
    do(tabs["Grace"], room, "removeParticipant", userId="ada")
    for tab in (tabs["Ada"], tabs["Ada"], room.tab("Ada")):
        assert joining_refused(tab, room.code) == "SESSION_ACCESS_DENIED"
    resume = {"sinceSeq": since["seq"], "epoch": since["epoch"]}
    tabs["Ada too"].take()
    assert tabs["Ada too"].refused("joinSession", room.code, resume)["code"] == "SESSION_ACCESS_DENIED"
    for page in ("", "/messages", "/participants", "/groups"):
        answer = room.app.test_client().get(f"{API}/sessions/{room.code}{page}", headers=headers_for(room.app, "Ada"))
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "SESSION_ACCESS_DENIED"), page
    shown = [user["userId"] for user in room.joined("Grace", "teacher").join(room.code)["participants"]]
    assert shown == ["bob", "grace"]


def test_a_removed_guest_reads_nothing_with_the_same_token(room: Classroom, tabs: Tabs) -> None:
    tabs["Bob"].ask("leaveSession", room.code)
    client = room.app.test_client()
    answer = client.post(f"{API}/sessions/{room.code}/join", json={"displayName": "Gus"}).get_json()
    gus, url = Tab(room.app, answer["accessToken"]), f"{API}/sessions/{room.code}/messages"
    gus.join(room.code)
    assert client.get(url, headers=bearer(answer["accessToken"])).status_code == 200
    do(tabs["Grace"], room, "removeParticipant", userId=answer["user"]["userId"])
    assert client.get(url, headers=bearer(answer["accessToken"])).status_code == 403
    assert joining_refused(gus, room.code) == "SESSION_ACCESS_DENIED"


def test_the_place_of_who_was_removed_is_free(room: Classroom, tabs: Tabs) -> None:
    cyd = room.tab("Cyd")
    assert joining_refused(cyd, room.code) == "SESSION_FULL"
    do(tabs["Grace"], room, "removeParticipant", userId="ada")
    cyd.join(room.code)
    assert joining_refused(room.tab("Dan"), room.code) == "SESSION_FULL"


def test_the_end_of_a_removed_socket_is_no_news(make_app: AppFactory) -> None:
    room = open_classroom(make_app(CLASSWAVES_DISCONNECT_GRACE=0.01))
    teacher, ada, bob = room.teacher(), room.joined("Ada"), room.joined("Bob")
    do(teacher, room, "removeParticipant", userId="ada")
    assert ada.ask("leaveSession", room.code) == {"ok": True}
    teacher.take()
    ada.vanish()
    bob.vanish()
    gone = eventually(lambda: [data for name, data in teacher.take() if name == "presenceUpdated"], what="Bob's end")
    assert [data["userId"] for data in gone] == ["bob"]


def test_who_was_removed_hears_so_when_resuming_others(room: Classroom, tabs: Tabs) -> None:
    since = tabs["Bob"].ask("joinSession", room.code)
    do(tabs["Grace"], room, "removeParticipant", userId="ada")
    resume = {"sinceSeq": since["seq"], "epoch": since["epoch"]}
    assert [item["event"] for item in room.tab("Bob").join(room.code, resume)["missed"]] == ["participantRemoved"]


# muted, and modes


def spoken(tab: Tab, room: Classroom, message_id: str) -> dict[str, Any]:
    """What comes of all that speakers do: ``None``, or the reason of the refusal."""
    tries: dict[str, Payload] = {
        "sendMessage": {"message": "hello"},
        "addReaction": {"messageId": message_id, "emoji": "\N{SEEDLING}"},
        "removeReaction": {"messageId": message_id, "emoji": "\N{SEEDLING}"},
        "typing": {"isTyping": True},
    }
    answers = {event: tab.ask(event, {"sessionCode": room.code, **data}) for event, data in tries.items()}
    return {event: None if ack["ok"] else ack["error"]["details"]["reason"] for event, ack in answers.items()}


def test_who_is_muted_says_nothing_on_any_tab_but_may_raise_a_hand(room: Classroom, tabs: Tabs) -> None:
    message_id = tabs["Bob"].say(room.code, "hello")["messageId"]
    tabs["Bob"].take()
    do(tabs["Grace"], room, "muteParticipant", userId="ada", muted=True)
    told = tabs["Bob"].take_only("participantMuted")
    assert told.items() >= {"userId": "ada", "muted": True, "mutedBy": "grace"}.items()
    for name in ("Ada", "Ada too"):
        assert set(spoken(tabs[name], room, message_id).values()) == {"muted"}
    assert tabs["Bob"].take() == []
    do(tabs["Ada"], room, "raiseHand")
    assert do(tabs["Ada"], room, "fetchHistory")["messages"]
    assert set(spoken(tabs["Bob"], room, message_id).values()) == {None}
    tabs["Ada"].ask("leaveSession", room.code)
    tabs["Ada too"].ask("leaveSession", room.code)
    tabs["Ada"].take()
    assert tabs["Ada"].join(room.code)["self"]["muted"] is True, "coming back does not help"
    assert set(spoken(tabs["Ada"], room, message_id).values()) == {"muted"}
    do(tabs["Grace"], room, "muteParticipant", userId="ada", muted=False)
    assert set(spoken(tabs["Ada"], room, message_id).values()) == {None}


@pytest.mark.parametrize("mode", ["focus", "quiz"])
def test_a_mode_closes_the_chat_for_all_but_staff(room: Classroom, tabs: Tabs, mode: str) -> None:
    message_id = tabs["Bob"].say(room.code, "hello")["messageId"]
    tabs["Bob"].take()
    do(tabs["Grace"], room, "setSessionMode", mode=mode)
    told = tabs["Bob"].take_only("sessionModeChanged")
    assert told.items() >= {"mode": mode, "previousMode": "open", "updatedBy": "grace"}.items()
    assert room.joined("Grace", "teacher").join(room.code)["mode"] == mode
    assert set(spoken(tabs["Ada"], room, message_id).values()) == {mode}
    assert set(spoken(tabs["Grace"], room, message_id).values()) == {None}
    do(tabs["Ada"], room, "raiseHand")
    do(tabs["Grace"], room, "setSessionMode", mode="open")
    assert set(spoken(tabs["Ada"], room, message_id).values()) == {None}
    assert refusal(tabs["Grace"], room, "setSessionMode", mode="closed")["code"] == "INVALID_PAYLOAD"


@pytest.mark.parametrize("mode", ["focus", "quiz"])
def test_responses_stay_open_whatever_the_mode_and_for_who_is_muted(room: Classroom, tabs: Tabs, mode: str) -> None:
    room.step("start")
    do(tabs["Grace"], room, "setSessionMode", mode=mode)
    do(tabs["Grace"], room, "muteParticipant", userId="ada", muted=True)
    do(tabs["Grace"], room, "updateActivity", activityId="q", activityType="quiz", status="started")
    do(tabs["Ada"], room, "submitActivityResponse", activityId="q", data=4, clientId="r1")


def test_nothing_is_moderated_after_the_end(room: Classroom, tabs: Tabs) -> None:
    step(room.app.test_client(), headers_for(room.app, "Grace", "teacher"), room.code, "end")
    for event, data in EVENTS.items():
        assert refusal(tabs["Grace"], room, event, **data)["code"] == "SESSION_ENDED"


# several workers


@pytest.fixture
def two(redis_url: str, workers: list[Worker]) -> list[Worker]:
    workers.extend(Worker(redis_store(redis_url)) for _ in range(2))
    return workers


def test_what_staff_do_on_one_worker_counts_on_the_other(two: list[Worker]) -> None:
    here, there = two
    session = store_session(here.store)
    teacher, ann = here.joined(session, "teacher", "teacher"), there.joined(session, "ann")
    bob = there.joined(session, "bob")
    about = {"sessionCode": session.code}

    def moderate(event: str, **data: Any) -> None:
        assert here.send(teacher, event, {**about, **data})["ok"]

    moderate("muteParticipant", userId="ann", muted=True)
    # whether the word of it has come there or not, the fence has moved
    assert there.say(ann, session, "no")["error"]["details"] == {"reason": "muted"}
    moderate("muteParticipant", userId="ann", muted=False)
    there.sockets.gets("ann", "participantMuted", 2)
    assert there.say(ann, session, "yes")["ok"]
    moderate("setSessionMode", mode="focus")
    assert there.say(ann, session, "no")["error"]["details"] == {"reason": "focus"}
    moderate("setSessionMode", mode="open")
    there.sockets.gets("ann", "sessionModeChanged", 2)
    moderate("removeParticipant", userId="ann")
    assert there.say(ann, session, "no")["error"]["code"] in ("NOT_IN_SESSION", "FORBIDDEN")
    there.sockets.gets("ann", "sessionLeft", 1)
    assert there.send(ann, "joinSession", session.code)["error"]["code"] == "SESSION_ACCESS_DENIED"
    assert there.say(bob, session, "we go on")["ok"]
    here.sockets.hears("teacher", "yes", "we go on")
    assert there.sockets.said("ann") == ["yes"]


LAST_WORDS: dict[str, Payload] = {
    "sendMessage": {"message": "still here"},
    "addReaction": {"emoji": "\N{SEEDLING}"},
    "raiseHand": {},
    "joinGroup": {},
    "submitActivityResponse": {"activityId": "q", "data": 4, "clientId": "r"},
}


@pytest.mark.parametrize("event", LAST_WORDS)
def test_who_was_removed_on_another_worker_does_nothing_after(two: list[Worker], event: str) -> None:
    """The worker hears of the removal only by the refusal of what it tries to store."""
    here, there = two
    session = store_session(here.store, status="active")
    teacher, ann = here.joined(session, "teacher", "teacher"), there.joined(session, "ann")
    about = {"sessionCode": session.code}
    quiz = {"activityId": "q", "activityType": "quiz", "status": "started"}
    message_id = here.say(teacher, session, "hello")["messageId"]
    group_id = here.send(teacher, "createGroup", {**about, "name": "Frogs"})["groupId"]
    assert here.send(teacher, "updateActivity", {**about, **quiz})["ok"]
    there.sockets.gets("ann", "activityUpdate", 1)
    more = {"addReaction": {"messageId": message_id}, "joinGroup": {"groupId": group_id}}.get(event, {})
    # whatever the feed brings waits; the locks are taken in the order of the code, whose scheduler may want both
    with ann.lock, ann.seats[session.id].lock:
        removed = here.send(teacher, "removeParticipant", {**about, "userId": "ann"})
        answer = there.send(ann, event, {**about, **LAST_WORDS[event], **more})
    assert removed["ok"]
    assert answer["error"]["code"] == "NOT_IN_SESSION"
    assert here.store.read(session.id, removed["seq"], 10) == []


def test_who_was_removed_on_another_worker_does_not_sit_down_again(two: list[Worker]) -> None:
    """A worker that lost its lease, or is new, takes the seats of its sockets again."""
    here, there = two
    session = store_session(here.store)
    teacher, ann = here.joined(session, "teacher", "teacher"), there.joined(session, "ann")
    here.sockets.gets("teacher", "presenceUpdated", 1)
    # whatever the feed brings waits; the locks are taken in the order of the code, whose scheduler may want both
    with ann.lock, ann.seats[session.id].lock:
        removed = here.send(teacher, "removeParticipant", {"sessionCode": session.code, "userId": "ann"})
        assert removed["ok"], removed
        there.hub._reclaim()
    assert here.store.read(session.id, removed["seq"], 10) == []
    loaded = here.store.load(session.id, FOLD_VERSION)
    assert loaded and loaded.statuses.keys() == {"teacher"}


def test_nobody_speaks_over_a_removal(two: list[Worker]) -> None:
    """Of a burst on one worker and a removal on another, nothing comes after the removal in the log."""
    here, there = two
    session = store_session(here.store)
    teacher, ann = here.joined(session, "teacher", "teacher"), there.joined(session, "ann")
    begun = threading.Event()
    answers: list[Payload] = []

    def burst() -> None:
        while not answers or answers[-1]["ok"]:
            answers.append(there.say(ann, session, f"{len(answers)}"))
            begun.set()

    thread = threading.Thread(target=burst)
    thread.start()
    assert begun.wait(10)
    removal = here.send(teacher, "removeParticipant", {"sessionCode": session.code, "userId": "ann"})
    thread.join(20)
    assert removal["ok"]
    assert not thread.is_alive()
    log = here.store.read(session.id, 0, 100_000)
    assert [e.seq for e in log if e.draft.author == "ann" and e.seq > removal["seq"]] == []
    assert sum(ack["ok"] for ack in answers) == sum(e.draft.event == "messageReceived" for e in log)


def test_a_fence_moves_after_what_it_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread that notes the new value must not then see what was before."""
    seen: list[int] = []
    monkeypatch.setitem(FOLDS, "probe", [lambda replica, entry: seen.append(replica.fence("guard"))])
    replica = Replica("e")
    for seq in (1, 2):
        replica.apply(Entry(seq, "e", 0, Draft("probe", {}, bumps=("guard",))))
    assert (seen, replica.fence("guard")) == ([0, 1], 2)


# while the worker is busy with the log


def removal(user_id: str) -> Draft:
    return Draft(
        "participantRemoved", {"userId": user_id, "removedBy": "teacher"}, "teacher", bumps=(f"user:{user_id}",)
    )


def test_a_removal_that_a_worker_finds_when_it_takes_the_session_anew(make_store: StoreFactory) -> None:
    """The log was trimmed beyond where it was: it has never seen the removal itself."""
    store = make_store(Limits(log_entries=3, log_bytes=10_000_000, dedupe_keys=100))
    session, sockets = store_session(store), Sockets()
    for user in ("ann", "bob"):
        join(store, session, seat(user))
    live = open_live(store, session, sockets)
    for sid, user in (("1", "ann"), ("2", "ann"), ("3", "bob")):
        enter(live, sid, principal(user))
    store.append(session.id, [removal("ann"), *(message(str(n)) for n in range(9))], dedupe="x", unseat="ann")
    open_live(store, session, Sockets()).write_checkpoint()
    sockets.inbox.clear()
    live.catch_up()
    for sid in "12":
        assert sockets.inbox[sid] == [("sessionLeft", {"sessionCode": session.code})]
    assert [event for event, _ in sockets.inbox["3"]] == ["sessionJoined"]
    assert [user["userId"] for user in sockets.of("3", "sessionJoined")[0]["participants"]] == ["bob"]
    assert set(live.members) == {"3"}
    store.append(session.id, [message("after")], dedupe="y")
    live.catch_up()
    assert [len(sockets.inbox[sid]) for sid in "123"] == [1, 1, 2]


def test_a_removal_that_comes_while_a_worker_reloads_the_session(workers: list[Worker]) -> None:
    store = GatedStore()
    session = store_session(store)
    workers.append(worker := Worker(store))
    teacher, ann = worker.joined(session, "teacher", "teacher"), worker.joined(session, "ann")
    worker.joined(session, "ann", sid="ann2")
    epoch = ann.seats[session.id].replica.epoch
    store.open.clear()
    store.new_epoch(session.id, epoch)
    assert store.asked.wait(10), "it reloads"
    ack = worker.send(teacher, "removeParticipant", {"sessionCode": session.code, "userId": "ann"})
    assert ack["ok"], ack
    assert worker.sockets.of("ann", "sessionLeft") == []
    store.open.set()
    for sid in ("ann", "ann2"):
        worker.sockets.gets(sid, "sessionLeft", 1)
        assert len(worker.sockets.of(sid, "participantRemoved")) == 1
    assert set(ann.seats[session.id].members) == {"teacher"}
    assert worker.send(ann, "joinSession", session.code)["error"]["code"] == "SESSION_ACCESS_DENIED"
