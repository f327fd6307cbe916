"""Signs of life that are in no log: typing ends by itself, and read receipts go forward only."""

from typing import Any

import pytest

from classwaves.models import SessionRecord
from classwaves.store import MemoryStore
from classwaves.store.base import cursor_news
from classwaves.store.redis import RedisStore
from tests.support.apps import AppFactory, state_of
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.proxy import FaultyProxy
from tests.support.stores import LIMITS, LONG, StoreFactory, new_session, redis_store
from tests.support.stores import direct as direct
from tests.support.stores import make_store as make_store
from tests.support.stores import proxy as proxy
from tests.support.stores import shaky as shaky
from tests.support.tabs import Classroom, Tab, Tabs, open_classroom
from tests.support.tabs import room as room
from tests.support.tabs import tabs as tabs
from tests.support.waiting import eventually

Payload = dict[str, Any]


def do(tab: Tab, room: Classroom, event: str, **data: Any) -> Payload:
    """Send an event and return the ack of success."""
    ack = tab.ask(event, {"sessionCode": room.code, **data})
    assert ack["ok"], ack
    return ack


def refusal(tab: Tab, room: Classroom, event: str, **data: Any) -> str:
    """Send an event that fails and return the code."""
    tab.take()
    code: str = tab.refused(event, {"sessionCode": room.code, **data})["code"]
    return code


# typing


def test_everybody_hears_who_types(room: Classroom, tabs: Tabs) -> None:
    assert do(tabs["Ada"], room, "typing", isTyping=True) == {"ok": True}
    do(tabs["Ada"], room, "typing", isTyping=False)
    for tab in tabs.values():
        on, off = tab.take()
        assert on == ("typingUpdated", {"sessionCode": room.code, "userId": "ada", "isTyping": True})
        assert off == ("typingUpdated", {"sessionCode": room.code, "userId": "ada", "isTyping": False})


def test_who_types_to_a_group_is_seen_by_it_and_by_staff(room: Classroom, tabs: Tabs) -> None:
    group_id = do(tabs["Grace"], room, "createGroup", name="Frogs", memberIds=["ada", "bob"])["groupId"]
    for tab in tabs.values():
        tab.take()
    do(tabs["Ada"], room, "typing", isTyping=True, groupId=group_id)
    expected = {"sessionCode": room.code, "userId": "ada", "isTyping": True, "groupId": group_id}
    for name in ("Grace", "Ada", "Bob"):
        assert tabs[name].take_only("typingUpdated") == expected
    assert tabs["Cyd"].take() == []
    assert refusal(tabs["Cyd"], room, "typing", isTyping=True, groupId=group_id) == "FORBIDDEN"
    assert refusal(tabs["Ada"], room, "typing", isTyping=True, groupId="nothing") == "GROUP_NOT_FOUND"


@pytest.mark.parametrize("wrong", [{}, {"isTyping": 1}, {"isTyping": "true"}, {"isTyping": None}])
def test_whether_somebody_types_is_a_boolean(room: Classroom, tabs: Tabs, wrong: Payload) -> None:
    assert refusal(tabs["Ada"], room, "typing", **wrong) == "INVALID_PAYLOAD"


def test_typing_leaves_nothing_behind(room: Classroom, tabs: Tabs) -> None:
    since = tabs["Bob"].join(room.code)
    do(tabs["Ada"], room, "typing", isTyping=True)
    resume = {"sinceSeq": since["seq"], "epoch": since["epoch"]}
    again = room.tab("Bob").join(room.code, resume)
    assert (again["seq"], again["missed"]) == (since["seq"], [])


def typing_of(worker: Worker, sid: str, user: str = "ann") -> list[bool]:
    """What a socket was told of somebody's typing."""
    return [data["isTyping"] for data in worker.sockets.of(sid, "typingUpdated") if data["userId"] == user]


def types(worker: Worker, session: SessionRecord, connection: Any, is_typing: bool = True, **more: Any) -> None:
    ack = worker.send(connection, "typing", {"sessionCode": session.code, "isTyping": is_typing, **more})
    assert ack["ok"], ack


def test_typing_ends_by_itself_on_every_worker(make_store: StoreFactory, workers: list[Worker]) -> None:
    """In memory there is one worker."""
    count = 2 if make_store.kind == "redis" else 1
    workers.extend(Worker(make_store(), TYPING_TIMEOUT=0.15) for _ in range(count))
    session = new_session(workers[0].store)
    ann = workers[0].joined(session, "ann")
    workers[-1].joined(session, "bob")
    types(workers[0], session, ann)
    both = ((workers[0], "ann"), (workers[-1], "bob"))
    eventually(lambda: all(typing_of(*one) == [True, False] for one in both), what="the end of typing")
    types(workers[0], session, ann)
    eventually(lambda: typing_of(workers[-1], "bob") == [True, False, True, False], what="the end of typing again")


def later(worker: Worker, seconds: float) -> None:
    """Put the clock of a worker forward, and wait until all that is due then has been done."""
    worker.hub.clock.ahead += seconds
    assert worker.hub.scheduler.settle(10)


def test_typing_goes_on_while_it_is_renewed(workers: list[Worker]) -> None:
    workers.append(worker := Worker(MemoryStore(LIMITS), TYPING_TIMEOUT=LONG))
    session = new_session(worker.store)
    ann = worker.joined(session, "ann")
    for _ in range(4):
        types(worker, session, ann)
        later(worker, LONG * 0.7)
    assert False not in typing_of(worker, "ann")
    later(worker, LONG * 0.3)
    assert typing_of(worker, "ann") == [True] * 4 + [False]


def test_who_says_that_it_is_over_is_not_ended_again(workers: list[Worker], make_store: StoreFactory) -> None:
    workers.append(worker := Worker(make_store(), TYPING_TIMEOUT=LONG))
    session = new_session(worker.store)
    ann, bob = worker.joined(session, "ann"), worker.joined(session, "bob")
    types(worker, session, ann)
    types(worker, session, ann, False)
    types(worker, session, bob)
    eventually(lambda: typing_of(worker, "ann", "bob") == [True], what="Bob's typing")
    later(worker, LONG)
    assert typing_of(worker, "ann", "bob") == typing_of(worker, "bob") == [True, False]


def test_typing_to_all_and_to_a_group_are_two(workers: list[Worker], make_store: StoreFactory) -> None:
    workers.append(worker := Worker(make_store(), TYPING_TIMEOUT=0.1))
    session = new_session(worker.store)
    teacher = worker.joined(session, "teacher", "teacher")
    ann = worker.joined(session, "ann")
    making = {"sessionCode": session.code, "name": "Frogs", "memberIds": ["ann"]}
    group_id = worker.send(teacher, "createGroup", making)["groupId"]
    types(worker, session, ann)
    types(worker, session, ann, groupId=group_id)

    def told(group: str | None) -> list[bool]:
        heard = worker.sockets.of("teacher", "typingUpdated")
        return [data["isTyping"] for data in heard if data.get("groupId") == group]

    eventually(lambda: told(None) == told(group_id) == [True, False], what="the end of both")


def test_the_end_of_typing_is_told_to_whom_the_group_has_now(workers: list[Worker]) -> None:
    """To those who were last told that somebody types, not to who has left the group before that."""
    workers.append(worker := Worker(MemoryStore(LIMITS), TYPING_TIMEOUT=LONG))
    session = new_session(worker.store)
    teacher = worker.joined(session, "teacher", "teacher")
    ann, bob, cid = (worker.joined(session, user) for user in ("ann", "bob", "cid"))
    about = {"sessionCode": session.code}
    making = {**about, "name": "Frogs", "memberIds": ["ann", "bob"]}
    group_id = worker.send(teacher, "createGroup", making)["groupId"]
    types(worker, session, ann, groupId=group_id)
    worker.sockets.gets("bob", "typingUpdated", 1)
    assert worker.send(bob, "leaveGroup", {**about, "groupId": group_id})["ok"]
    assert worker.send(cid, "joinGroup", {**about, "groupId": group_id})["ok"]
    types(worker, session, ann, groupId=group_id)
    later(worker, LONG)
    assert typing_of(worker, "teacher") == [True, True, False]
    assert typing_of(worker, "cid") == [True, False]
    assert typing_of(worker, "bob") == [True]


def test_of_quick_changes_only_the_newest_is_told(make_app: AppFactory) -> None:
    room = open_classroom(make_app(CLASSWAVES_EPHEMERAL_WINDOW=60))
    hub = state_of(room.app).hub
    ada, bob = room.joined("Ada"), room.joined("Bob")
    for is_typing in (True, False, True, False):
        do(ada, room, "typing", isTyping=is_typing)
    hub.clock.ahead += 60
    assert hub.scheduler.settle(10)
    assert [data["isTyping"] for name, data in bob.take() if name == "typingUpdated"] == [True, False]


# read receipts


def test_everybody_hears_up_to_where_somebody_has_read(room: Classroom, tabs: Tabs) -> None:
    ids = [tabs["Bob"].say(room.code, text)["messageId"] for text in "abc"]
    for tab in tabs.values():
        tab.take()
    assert do(tabs["Ada"], room, "markRead", messageId=ids[1]) == {"ok": True, "messageId": ids[1]}
    expected = {"sessionCode": room.code, "userId": "ada", "messageId": ids[1]}
    for tab in tabs.values():
        assert tab.take_only("readReceiptUpdated") == expected
    for back in (ids[1], ids[0]):
        do(tabs["Ada"], room, "markRead", messageId=back)
    assert tabs["Bob"].take() == [], "only forward"
    do(tabs["Cyd"], room, "markRead", messageId=ids[0])
    do(tabs["Ada"], room, "markRead", messageId=ids[2])
    assert [data["userId"] for _, data in tabs["Bob"].take()] == ["cyd", "ada"]
    assert tabs["Bob"].join(room.code)["readReceipts"] == {"ada": ids[2], "cyd": ids[0]}


def test_only_what_one_can_see_can_be_read(room: Classroom, tabs: Tabs) -> None:
    group_id = do(tabs["Grace"], room, "createGroup", name="Frogs", memberIds=["ada"])["groupId"]
    hidden = tabs["Ada"].say(room.code, "frogs only", groupId=group_id)["messageId"]
    gone = tabs["Ada"].say(room.code, "rude")["messageId"]
    do(tabs["Grace"], room, "deleteMessage", messageId=gone)
    hand = do(tabs["Ada"], room, "raiseHand")
    epoch = gone.rpartition("-")[0]
    for message_id in (hidden, gone, f"{epoch}-{hand['seq']}", f"{epoch}-999", "nothing", "999"):
        assert refusal(tabs["Bob"], room, "markRead", messageId=message_id) == "MESSAGE_NOT_FOUND", message_id
    assert tabs["Bob"].join(room.code)["readReceipts"] == {}
    do(tabs["Grace"], room, "markRead", messageId=hidden)


def test_who_is_muted_still_reads(room: Classroom, tabs: Tabs) -> None:
    message_id = tabs["Bob"].say(room.code, "hello")["messageId"]
    do(tabs["Grace"], room, "muteParticipant", userId="ada", muted=True)
    do(tabs["Grace"], room, "setSessionMode", mode="focus")
    do(tabs["Ada"], room, "markRead", messageId=message_id)


def read(worker: Worker, session: SessionRecord, connection: Any, message_id: str) -> None:
    ack = worker.send(connection, "markRead", {"sessionCode": session.code, "messageId": message_id})
    assert ack["ok"], ack


def receipts(worker: Worker, session: SessionRecord, connection: Any) -> dict[str, str]:
    """What a snapshot says of who has read what."""
    position = {"sessionCode": session.code, "sinceSeq": 0, "epoch": "?"}
    found: dict[str, str] = worker.send(connection, "syncSession", position)["readReceipts"]
    return found


def test_read_receipts_outlive_the_worker_and_reach_the_others(make_store: StoreFactory, workers: list[Worker]) -> None:
    """In memory the session is dropped with the last socket, and opened again."""
    workers.append(first := Worker(make_store()))
    session = new_session(first.store)
    ann = first.joined(session, "ann")
    ids = [first.say(ann, session, text)["messageId"] for text in "abc"]
    read(first, session, ann, ids[1])
    if make_store.kind == "redis":
        workers.append(second := Worker(make_store()))
    else:
        second = first
        assert first.send(ann, "leaveSession", session.code)["ok"]
        assert first.hub.live_sessions() == []
    bob = second.joined(session, "bob")
    assert receipts(second, session, bob) == {"ann": ids[1]}
    read(second, session, bob, ids[2])
    read(second, session, bob, ids[0])
    if second is not first:
        first.sockets.gets("ann", "readReceiptUpdated", 2)
        read(first, session, ann, ids[2])
        first.sockets.gets("ann", "readReceiptUpdated", 3)
        second.sockets.gets("bob", "readReceiptUpdated", 2)
        assert receipts(first, session, ann) == receipts(second, session, bob) == {"ann": ids[2], "bob": ids[2]}
    assert [d["messageId"] for d in second.sockets.of("bob", "readReceiptUpdated") if d["userId"] == "bob"] == [ids[2]]


def test_two_tabs_on_two_workers_read_forward_only(redis_url: str, workers: list[Worker]) -> None:
    workers.extend(Worker(redis_store(redis_url)) for _ in range(2))
    here, there = workers
    session = new_session(here.store)
    ann, ann2 = here.joined(session, "ann"), there.joined(session, "ann", sid="ann2")
    ids = [here.say(ann, session, text)["messageId"] for text in "abcd"]
    there.sockets.gets("ann2", "messageReceived", 4)
    read(here, session, ann, ids[2])
    read(there, session, ann2, ids[1])  # whether it has heard of the other or not
    read(there, session, ann2, ids[3])
    for worker, sid in ((here, "ann"), (there, "ann2")):
        told = [data["messageId"] for data in worker.sockets.gets(sid, "readReceiptUpdated", 2)]
        assert told == [ids[2], ids[3]]


def test_receipts_that_were_missed_are_told_when_the_feed_is_back(
    shaky: RedisStore, direct: RedisStore, proxy: FaultyProxy, workers: list[Worker]
) -> None:
    workers.extend([Worker(shaky), Worker(direct)])
    cut_off, other = workers
    session = new_session(direct)
    ann, bob = cut_off.joined(session, "ann"), other.joined(session, "bob")
    ids = [other.say(bob, session, text)["messageId"] for text in "abc"]
    read(other, session, bob, ids[0])
    cut_off.sockets.gets("ann", "readReceiptUpdated", 1)
    proxy.refuse()
    proxy.cut()
    read(other, session, bob, ids[1])
    read(other, session, bob, ids[2])
    proxy.accept()
    told = cut_off.sockets.gets("ann", "readReceiptUpdated", 2)
    assert [data["messageId"] for data in told] == [ids[0], ids[2]]
    assert receipts(cut_off, session, ann) == {"bob": ids[2]}


def test_a_receipt_that_a_snapshot_was_ahead_of_is_not_told(make_store: StoreFactory, workers: list[Worker]) -> None:
    """The session was loaded after somebody read on, and before the feed brought the word of it."""
    workers.append(worker := Worker(make_store()))
    session = new_session(worker.store)
    ann = worker.joined(session, "ann")
    ids = [worker.say(ann, session, text)["messageId"] for text in "ab"]
    read(worker, session, ann, ids[1])
    worker.sockets.gets("ann", "readReceiptUpdated", 1)
    for message_id in ids:
        worker.hub.on_ephemeral(session.id, cursor_news("ann", message_id))
    assert len(worker.sockets.of("ann", "readReceiptUpdated")) == 1
    assert receipts(worker, session, ann) == {"ann": ids[1]}
