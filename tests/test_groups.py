"""Groups on the wire: staff make and deal them out, students come and go, and each group's talk is its own."""

from typing import Any

import pytest

from tests.support.apps import API, AppFactory, headers_for
from tests.support.tabs import Classroom, Received, Tab, open_classroom
from tests.support.waiting import eventually

STUDENTS = ("Ada", "Bob", "Cyd", "Dan", "Eve")
SHOWN = ("groupId", "groupName", "members", "leaderId", "isReady", "maxSize", "version")

Tabs = dict[str, Tab]
Payload = dict[str, Any]


@pytest.fixture
def room(make_app: AppFactory) -> Classroom:
    return open_classroom(make_app(), coTeacherIds=["carol"])


@pytest.fixture
def tabs(room: Classroom) -> Tabs:
    """The teacher, the co-teacher and the students, who have heard of each other."""
    made = {"Grace": room.teacher(), "Carol": room.joined("Carol", "teacher")}
    made |= {name: room.joined(name) for name in STUDENTS}
    quiet(made)
    return made


def quiet(tabs: Tabs) -> None:
    for tab in tabs.values():
        tab.take()


def do(tab: Tab, room: Classroom, event: str, **data: Any) -> Payload:
    """Send an event and return the ack of success."""
    ack = tab.ask(event, {"sessionCode": room.code, **data})
    assert ack["ok"], ack
    return ack


def refusal(tab: Tab, room: Classroom, event: str, **data: Any) -> Payload:
    """Send an event that fails and return the error."""
    tab.take()
    return tab.refused(event, {"sessionCode": room.code, **data})


def made(tab: Tab, room: Classroom, name: str, *members: str, **more: Any) -> str:
    """Create a group and return its id."""
    group_id: str = do(tab, room, "createGroup", name=name, memberIds=list(members), **more)["groupId"]
    return group_id


def groups(room: Classroom, name: str = "Grace", role: str = "teacher") -> list[Payload]:
    """All groups, as a joiner is told."""
    joined = room.tab(name, role).join(room.code)
    found: list[Payload] = joined["groups"]
    return found


def members(room: Classroom) -> dict[str, list[str]]:
    return {group["groupName"]: group["members"] for group in groups(room)}


def updates(events: list[Received]) -> list[Payload]:
    return [data for name, data in events if name == "groupUpdate"]


def built(events: list[Received], start: list[Payload] | None = None) -> list[Payload]:
    """The groups as a front end keeps them: what it was told on joining, and every event after it."""
    kept = {group["groupId"]: group for group in start or []}
    for name, data in events:
        if name == "participantRemoved":
            gone = data["userId"]
            for group in kept.values():
                group["members"] = [user for user in group["members"] if user != gone]
                group["leaderId"] = None if group["leaderId"] == gone else group["leaderId"]
        elif name == "groupUpdate" and data["action"] == "deleted":
            del kept[data["groupId"]]
        elif name == "groupUpdate":
            kept[data["groupId"]] = {key: data[key] for key in SHOWN}
    return list(kept.values())


def test_a_group_is_made_with_members_a_leader_and_a_size(room: Classroom, tabs: Tabs) -> None:
    ack = do(
        tabs["Grace"], room, "createGroup", name="Frogs", memberIds=["ada", "bob", "ada"], leaderId="bob", maxSize=3
    )
    told = tabs["Eve"].take_only("groupUpdate")
    assert told == {
        "sessionCode": room.code,
        "groupId": ack["groupId"],
        "groupName": "Frogs",
        "members": ["ada", "bob"],
        "leaderId": "bob",
        "isReady": False,
        "maxSize": 3,
        "version": 1,
        "action": "created",
        "updatedBy": "grace",
        "seq": ack["seq"],
        "timestamp": ack["timestamp"],
    }
    for name in ("Grace", "Carol", "Ada"):
        assert tabs[name].take_only("groupUpdate") == told
    assert groups(room) == [{key: told[key] for key in SHOWN}]


def test_a_leader_alone_is_a_member_and_an_empty_group_has_none(room: Classroom, tabs: Tabs) -> None:
    do(tabs["Carol"], room, "createGroup", name="Led", leaderId="ada")
    do(tabs["Carol"], room, "createGroup", name="Empty")
    led, empty = groups(room)
    assert (led["members"], led["leaderId"]) == (["ada"], "ada")
    assert (empty["members"], empty["leaderId"], empty["maxSize"]) == ([], None, None)
    assert led["groupId"] != empty["groupId"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"memberIds": ["ada", "nobody"]}, "INVALID_PAYLOAD"),
        ({"memberIds": ["ada"], "leaderId": "bob"}, "INVALID_PAYLOAD"),
        ({"leaderId": "nobody"}, "INVALID_PAYLOAD"),
        ({"memberIds": ["ada", "bob"], "maxSize": 1}, "GROUP_FULL"),
        ({"maxSize": 0}, "INVALID_PAYLOAD"),
        ({"maxSize": True}, "INVALID_PAYLOAD"),
        ({"memberIds": "ada"}, "INVALID_PAYLOAD"),
        ({"name": ""}, "INVALID_PAYLOAD"),
        ({"color": "red"}, "INVALID_PAYLOAD"),
    ],
)
def test_what_makes_no_group(room: Classroom, tabs: Tabs, wrong: Payload, code: str) -> None:
    assert refusal(tabs["Grace"], room, "createGroup", **{"name": "Frogs", **wrong})["code"] == code
    assert tabs["Ada"].take() == []
    assert groups(room) == []


def test_only_staff_make_change_and_dissolve_groups(room: Classroom, tabs: Tabs) -> None:
    group_id = made(tabs["Grace"], room, "Frogs", "ada", leaderId="ada")
    of_staff: dict[str, Payload] = {
        "createGroup": {"name": "Mine"},
        "updateGroup": {"groupId": group_id, "name": "Mine"},
        "deleteGroup": {"groupId": group_id},
        "assignGroups": {"count": 2, "strategy": "random"},
    }
    for event, data in of_staff.items():
        assert refusal(tabs["Ada"], room, event, **data)["code"] == "FORBIDDEN"
    for event in ("joinGroup", "leaveGroup"):
        assert refusal(tabs["Carol"], room, event, groupId=group_id)["code"] == "FORBIDDEN", "staff see all groups"


def test_who_enters_a_group_leaves_the_one_before_in_the_same_step(room: Classroom, tabs: Tabs) -> None:
    made(tabs["Grace"], room, "Frogs", "ada", "bob", leaderId="ada")
    quiet(tabs)
    ack = do(tabs["Grace"], room, "createGroup", name="Newts", memberIds=["ada", "cyd"])
    left, entered = updates(tabs["Eve"].take())
    assert (left["groupName"], left["members"], left["leaderId"], left["version"]) == ("Frogs", ["bob"], None, 2)
    assert (entered["groupName"], entered["members"]) == ("Newts", ["ada", "cyd"])
    assert (left["seq"], entered["seq"]) == (ack["seq"] - 1, ack["seq"])


def test_an_update_changes_what_it_names(room: Classroom, tabs: Tabs) -> None:
    group_id = made(tabs["Grace"], room, "Frogs", "ada", "bob", leaderId="ada", maxSize=4)
    do(tabs["Grace"], room, "updateGroup", groupId=group_id, name="Toads")
    do(tabs["Grace"], room, "updateGroup", groupId=group_id, memberIds=["bob", "cyd"])
    do(tabs["Carol"], room, "updateGroup", groupId=group_id, leaderId="cyd", maxSize=None)
    changes = updates(tabs["Eve"].take())[1:]
    assert [(u["groupName"], u["members"], u["leaderId"], u["maxSize"], u["version"]) for u in changes] == [
        ("Toads", ["ada", "bob"], "ada", 4, 2),
        ("Toads", ["bob", "cyd"], None, 4, 3),
        ("Toads", ["bob", "cyd"], "cyd", None, 4),
    ]
    assert [u["updatedBy"] for u in changes] == ["grace", "grace", "carol"]
    do(tabs["Grace"], room, "updateGroup", groupId=group_id, leaderId=None)
    assert groups(room)[0]["leaderId"] is None


def test_an_update_refuses_what_a_group_cannot_be(room: Classroom, tabs: Tabs) -> None:
    group_id = made(tabs["Grace"], room, "Frogs", "ada", "bob")
    refused: list[tuple[Payload, str]] = [
        ({"memberIds": ["ada", "nobody"]}, "INVALID_PAYLOAD"),
        ({"leaderId": "cyd"}, "INVALID_PAYLOAD"),
        ({"maxSize": 1}, "GROUP_FULL"),
        ({"name": None}, "INVALID_PAYLOAD"),
    ]
    for wrong, code in refused:
        assert refusal(tabs["Grace"], room, "updateGroup", groupId=group_id, **wrong)["code"] == code
    for event in ("updateGroup", "deleteGroup"):
        assert refusal(tabs["Grace"], room, event, groupId="nothing")["code"] == "GROUP_NOT_FOUND"
    assert groups(room)[0]["version"] == 1


def test_two_staff_do_not_overwrite_each_other(room: Classroom, tabs: Tabs) -> None:
    group_id = made(tabs["Grace"], room, "Frogs", "ada")
    do(tabs["Grace"], room, "updateGroup", groupId=group_id, name="Toads", expectedVersion=1)
    for event, data in {"updateGroup": {"name": "Newts"}, "deleteGroup": {}}.items():
        error = refusal(tabs["Carol"], room, event, groupId=group_id, expectedVersion=1, **data)
        assert error["code"] == "CONFLICT"
        assert error["details"]["current"] == groups(room)[0]
        assert error["details"]["current"]["groupName"] == "Toads"
    do(tabs["Carol"], room, "updateGroup", groupId=group_id, name="Newts", expectedVersion=2)
    do(tabs["Carol"], room, "deleteGroup", groupId=group_id, expectedVersion=3)
    assert groups(room) == []


def test_a_deleted_group_is_gone(room: Classroom, tabs: Tabs) -> None:
    group_id = made(tabs["Grace"], room, "Frogs", "ada")
    quiet(tabs)
    do(tabs["Grace"], room, "deleteGroup", groupId=group_id)
    told = tabs["Ada"].take_only("groupUpdate")
    assert (told["groupId"], told["action"], told["version"]) == (group_id, "deleted", 2)
    for event, data in {"joinGroup": {}, "leaveGroup": {}, "setGroupReady": {"ready": True}}.items():
        assert refusal(tabs["Ada"], room, event, groupId=group_id, **data)["code"] == "GROUP_NOT_FOUND"
    assert refusal(tabs["Ada"], room, "sendMessage", message="Hi", groupId=group_id)["code"] == "GROUP_NOT_FOUND"


@pytest.mark.parametrize("strategy", ["random", "roundRobin"])
@pytest.mark.parametrize(
    ("how", "sizes"),
    [
        ({"count": 2}, [2, 3]),
        ({"count": 1}, [5]),
        ({"count": 7}, [0, 0, 1, 1, 1, 1, 1]),
        ({"size": 2}, [1, 2, 2]),
        ({"size": 3}, [2, 3]),
        ({"size": 5}, [5]),
        ({"size": 100}, [5]),
    ],
)
def test_everybody_but_staff_is_dealt_a_place_in_one_step(
    room: Classroom, tabs: Tabs, strategy: str, how: dict[str, int], sizes: list[int]
) -> None:
    old = [made(tabs["Grace"], room, "Old", "ada", "bob"), made(tabs["Grace"], room, "Older")]
    quiet(tabs)
    ack = do(tabs["Grace"], room, "assignGroups", strategy=strategy, **how)
    changes = updates(tabs["Eve"].take())
    assert [u["groupId"] for u in changes if u["action"] == "deleted"] == old
    fresh = [u for u in changes if u["action"] == "created"]
    assert sorted(len(u["members"]) for u in fresh) == sizes
    assert sorted(user for u in fresh for user in u["members"]) == sorted(name.lower() for name in STUDENTS)
    assert all(u["leaderId"] == (u["members"] or [None])[0] for u in fresh)
    assert [u["seq"] for u in changes] == list(range(ack["seq"] - len(changes) + 1, ack["seq"] + 1)), "one append"
    assert groups(room) == built([("groupUpdate", u) for u in fresh])


def test_round_robin_deals_in_the_order_of_joining(room: Classroom, tabs: Tabs) -> None:
    do(tabs["Grace"], room, "assignGroups", strategy="roundRobin", count=2)
    assert members(room) == {"Group 1": ["ada", "cyd", "eve"], "Group 2": ["bob", "dan"]}


def test_random_is_not_always_the_same(room: Classroom, tabs: Tabs) -> None:
    dealt = set()
    for _ in range(30):
        do(tabs["Grace"], room, "assignGroups", strategy="random", size=5)
        dealt.add(tuple(members(room)["Group 1"]))
    assert len(dealt) > 1, "one of 120 orders thirty times"


def test_who_has_left_is_dealt_no_place_and_who_is_disconnected_keeps_one(make_app: AppFactory) -> None:
    room = open_classroom(make_app(CLASSWAVES_DISCONNECT_GRACE=0.01))
    teacher, ada, bob = room.teacher(), room.joined("Ada"), room.joined("Bob")
    room.joined("Cyd")
    ada.ask("leaveSession", room.code)
    bob.vanish()
    gone = {"userId": "bob", "status": "disconnected"}.items()
    eventually(lambda: any(data.items() >= gone for _, data in teacher.take()), what="the end of Bob's socket")
    do(teacher, room, "assignGroups", strategy="roundRobin", count=1)
    assert members(room) == {"Group 1": ["bob", "cyd"]}


def test_nobody_to_deal_out(room: Classroom) -> None:
    teacher = room.teacher()
    do(teacher, room, "assignGroups", strategy="random", size=4)
    assert groups(room) == []
    do(teacher, room, "assignGroups", strategy="random", count=2)
    assert members(room) == {"Group 1": [], "Group 2": []}


@pytest.mark.parametrize(
    "wrong", [{}, {"count": 2, "size": 2}, {"count": 0}, {"size": 0}, {"count": 501}, {"count": 2, "strategy": "best"}]
)
def test_a_wrong_way_to_deal_is_refused(room: Classroom, tabs: Tabs, wrong: Payload) -> None:
    error = refusal(tabs["Grace"], room, "assignGroups", **{"strategy": "random", **wrong})
    assert error["code"] == "INVALID_PAYLOAD"


def test_joining_moves_between_groups_in_one_step(room: Classroom, tabs: Tabs) -> None:
    frogs, newts = made(tabs["Grace"], room, "Frogs", "ada", "bob", leaderId="ada"), made(tabs["Grace"], room, "Newts")
    quiet(tabs)
    ack = do(tabs["Ada"], room, "joinGroup", groupId=newts)
    left, entered = updates(tabs["Bob"].take())
    assert (left["groupId"], left["members"], left["leaderId"]) == (frogs, ["bob"], None)
    assert (entered["groupId"], entered["members"], entered["updatedBy"]) == (newts, ["ada"], "ada")
    assert (left["seq"], entered["seq"]) == (ack["seq"] - 1, ack["seq"])
    do(tabs["Ada"], room, "leaveGroup", groupId=newts)
    assert members(room) == {"Frogs": ["bob"], "Newts": []}


def test_joining_and_leaving_twice_changes_nothing(room: Classroom, tabs: Tabs) -> None:
    group_id = made(tabs["Grace"], room, "Frogs", "ada")
    quiet(tabs)
    assert do(tabs["Ada"], room, "joinGroup", groupId=group_id) == {"ok": True}
    assert do(tabs["Bob"], room, "leaveGroup", groupId=group_id) == {"ok": True}
    assert tabs["Eve"].take() == []


def test_a_full_group_takes_nobody(room: Classroom, tabs: Tabs) -> None:
    full, other = made(tabs["Grace"], room, "Frogs", "ada", maxSize=2), made(tabs["Grace"], room, "Newts", "cyd")
    do(tabs["Bob"], room, "joinGroup", groupId=full)
    assert refusal(tabs["Cyd"], room, "joinGroup", groupId=full)["code"] == "GROUP_FULL"
    assert members(room) == {"Frogs": ["ada", "bob"], "Newts": ["cyd"]}, "who did not get in stays where they were"
    do(tabs["Bob"], room, "joinGroup", groupId=other)
    do(tabs["Dan"], room, "joinGroup", groupId=full)
    assert members(room)["Frogs"] == ["ada", "dan"]


def test_the_leader_and_staff_say_whether_a_group_is_ready(room: Classroom, tabs: Tabs) -> None:
    group_id = made(tabs["Grace"], room, "Frogs", "ada", "bob", leaderId="ada")
    quiet(tabs)
    do(tabs["Ada"], room, "setGroupReady", groupId=group_id, ready=True)
    do(tabs["Carol"], room, "setGroupReady", groupId=group_id, ready=False)
    changes = updates(tabs["Eve"].take())
    assert [(u["isReady"], u["version"], u["updatedBy"]) for u in changes] == [(True, 2, "ada"), (False, 3, "carol")]
    for name in ("Bob", "Eve"):
        error = refusal(tabs[name], room, "setGroupReady", groupId=group_id, ready=True)
        assert (error["code"], error["details"]["reason"]) == ("FORBIDDEN", "notLeader")
    do(tabs["Grace"], room, "updateGroup", groupId=group_id, leaderId="bob")
    assert refusal(tabs["Ada"], room, "setGroupReady", groupId=group_id, ready=True)["code"] == "FORBIDDEN"
    do(tabs["Bob"], room, "setGroupReady", groupId=group_id, ready=True)


def test_a_group_message_reaches_the_group_and_staff_alone(room: Classroom, tabs: Tabs) -> None:
    """At once, in ``missed``, in ``fetchHistory`` and over REST."""
    group_id = made(tabs["Grace"], room, "Frogs", "ada", "bob")
    quiet(tabs)
    since = tabs["Ada"].join(room.code)
    tabs["Ada"].say(room.code, "to the frogs", groupId=group_id)
    tabs["Grace"].say(room.code, "from the teacher", groupId=group_id)
    tabs["Cyd"].say(room.code, "to all")
    error = refusal(tabs["Cyd"], room, "sendMessage", message="let me in", groupId=group_id)
    assert (error["code"], error["details"]["reason"]) == ("FORBIDDEN", "otherGroup")
    tabs["Cyd"].take()
    resume = {"sinceSeq": since["seq"], "epoch": since["epoch"]}
    for name, role in {"Grace": "teacher", "Carol": "teacher", "Ada": "", "Bob": "", "Cyd": "", "Dan": ""}.items():
        inside = name not in ("Cyd", "Dan")
        expected = ["to the frogs", "from the teacher", "to all"] if inside else ["to all"]
        again = room.tab(name, role or "student")
        joined = again.join(room.code, resume)
        assert joined["recovered"]
        history = do(again, room, "fetchHistory")["messages"]
        headers = headers_for(room.app, name, role or "student")
        page = room.app.test_client().get(f"{API}/sessions/{room.code}/messages", headers=headers).get_json()
        own = do(again, room, "fetchHistory", groupId=group_id)["messages"]
        assert [item["data"]["message"] for item in joined["missed"]] == expected, name
        assert [message["message"] for message in history] == expected, name
        assert [message["message"] for message in page["messages"]] == expected, name
        assert [message["message"] for message in own] == (expected[:2] if inside else []), name
        if name != "Cyd":
            heard = [data for event, data in tabs[name].take() if event == "messageReceived"]
            assert heard == history, name
            assert all(message.get("groupId") == group_id for message in heard[:-1])


def test_who_leaves_a_group_hears_nothing_of_it_after(room: Classroom, tabs: Tabs) -> None:
    group_id = made(tabs["Grace"], room, "Frogs", "ada", "bob", "cyd")
    tabs["Bob"].say(room.code, "before", groupId=group_id)
    do(tabs["Ada"], room, "leaveGroup", groupId=group_id)
    do(tabs["Grace"], room, "updateGroup", groupId=group_id, memberIds=["bob"])
    quiet(tabs)
    tabs["Bob"].say(room.code, "after", groupId=group_id)
    do(tabs["Bob"], room, "typing", isTyping=True, groupId=group_id)
    assert [name for name, _ in tabs["Bob"].take()] == ["messageReceived", "typingUpdated"]
    for name in ("Ada", "Cyd"):
        assert tabs[name].take() == []
        assert [m["message"] for m in do(tabs[name], room, "fetchHistory")["messages"]] == ["before"], name
        assert refusal(tabs[name], room, "sendMessage", message="still me", groupId=group_id)["code"] == "FORBIDDEN"
    do(tabs["Cyd"], room, "joinGroup", groupId=group_id)
    assert [m["message"] for m in do(tabs["Cyd"], room, "fetchHistory")["messages"]] == ["before"], "of before, no more"


def test_late_joiners_are_told_what_the_others_have_seen_happen(room: Classroom, tabs: Tabs) -> None:
    """After each step the snapshot is what somebody has who has heard every event."""
    heard: list[Received] = []
    early, frogs = tabs["Eve"], made(tabs["Grace"], room, "Frogs", "ada", "bob", leaderId="ada", maxSize=3)
    newts = made(tabs["Carol"], room, "Newts", "cyd", leaderId="cyd")
    steps: list[tuple[str, str, Payload]] = [
        ("Ada", "setGroupReady", {"groupId": frogs, "ready": True}),
        ("Dan", "joinGroup", {"groupId": frogs}),
        ("Ada", "joinGroup", {"groupId": newts}),
        ("Grace", "updateGroup", {"groupId": newts, "memberIds": ["bob", "cyd"], "leaderId": "bob"}),
        ("Grace", "removeParticipant", {"userId": "bob"}),
        ("Cyd", "leaveGroup", {"groupId": newts}),
        ("Grace", "deleteGroup", {"groupId": frogs}),
        ("Grace", "assignGroups", {"strategy": "random", "size": 2}),
        ("Grace", "removeParticipant", {"userId": "ada"}),
        ("Grace", "createGroup", {"name": "Last", "memberIds": ["cyd"]}),
    ]
    for who, event, data in steps:
        do(tabs[who], room, event, **data)
        heard += early.take()
        for name, role in (("Grace", "teacher"), ("Dan", "student")):
            assert groups(room, name, role) == built(heard), (event, name)


def test_a_snapshot_and_the_events_after_it_fit_together(room: Classroom, tabs: Tabs) -> None:
    made(tabs["Grace"], room, "Frogs", "ada")
    late = room.tab("Ada")
    start = late.join(room.code)["groups"]
    newts = made(tabs["Grace"], room, "Newts", "bob")
    do(tabs["Ada"], room, "joinGroup", groupId=newts)
    assert built(late.take(), start) == groups(room)


def test_a_removed_participant_is_in_no_group_and_can_be_put_into_none(room: Classroom, tabs: Tabs) -> None:
    group_id = made(tabs["Grace"], room, "Frogs", "ada", "bob", leaderId="ada")
    do(tabs["Grace"], room, "removeParticipant", userId="ada")
    assert [(group["members"], group["leaderId"]) for group in groups(room)] == [(["bob"], None)]
    quiet(tabs)
    tabs["Bob"].say(room.code, "alone now", groupId=group_id)
    assert tabs["Ada"].take() == []
    for event, data in {"updateGroup": {"groupId": group_id}, "createGroup": {"name": "Newts"}}.items():
        error = refusal(tabs["Grace"], room, event, memberIds=["ada", "bob"], **data)
        assert error["code"] == "INVALID_PAYLOAD"
    do(tabs["Grace"], room, "assignGroups", strategy="random", count=1)
    assert sorted(members(room)["Group 1"]) == ["bob", "cyd", "dan", "eve"]


def test_a_repeated_request_gets_the_first_answer_and_happens_once(room: Classroom, tabs: Tabs) -> None:
    creating = {"name": "Frogs", "memberIds": ["ada"], "clientMessageId": "c1"}
    first = do(tabs["Grace"], room, "createGroup", **creating)
    assert do(tabs["Grace"], room, "createGroup", **creating) == first
    assert [group["groupId"] for group in groups(room)] == [first["groupId"]]
    renaming = {"groupId": first["groupId"], "name": "Toads", "expectedVersion": 1, "clientMessageId": "u1"}
    answer = do(tabs["Grace"], room, "updateGroup", **renaming)
    assert do(tabs["Grace"], room, "updateGroup", **renaming) == answer, "not the conflict with itself"
    joining = {"groupId": first["groupId"], "clientMessageId": "j1"}
    answer = do(tabs["Bob"], room, "joinGroup", **joining)
    do(tabs["Bob"], room, "leaveGroup", groupId=first["groupId"])
    assert do(tabs["Bob"], room, "joinGroup", **joining) == answer
    assert members(room) == {"Toads": ["ada"]}
    dealing = {"strategy": "random", "count": 2, "clientMessageId": "a1"}
    answer = do(tabs["Grace"], room, "assignGroups", **dealing)
    before = groups(room)
    assert do(tabs["Grace"], room, "assignGroups", **dealing) == answer
    assert groups(room) == before
    deleting = {"groupId": before[0]["groupId"], "clientMessageId": "d1"}
    answer = do(tabs["Grace"], room, "deleteGroup", **deleting)
    assert do(tabs["Grace"], room, "deleteGroup", **deleting) == answer, "not GROUP_NOT_FOUND"


def test_what_changed_nothing_is_also_answered_alike_when_it_may_be_repeated(room: Classroom, tabs: Tabs) -> None:
    group_id = made(tabs["Grace"], room, "Frogs", "ada")
    joining = {"groupId": group_id, "clientMessageId": "j1"}
    first = do(tabs["Ada"], room, "joinGroup", **joining)
    assert first["seq"]
    do(tabs["Ada"], room, "leaveGroup", groupId=group_id)
    assert do(tabs["Ada"], room, "joinGroup", **joining) == first
    assert members(room) == {"Frogs": []}


def test_rest_pages_the_groups(room: Classroom, tabs: Tabs) -> None:
    for number in range(5):
        made(tabs["Grace"], room, f"Group {number}")
    client, url = room.app.test_client(), f"{API}/sessions/{room.code}/groups"
    headers, seen, cursor = headers_for(room.app, "Ada"), [], None
    while True:
        page = client.get(url, query_string={"limit": 2, **({"cursor": cursor} if cursor else {})}, headers=headers)
        assert page.status_code == 200, page.get_json()
        assert len(page.get_json()["groups"]) <= 2
        seen += page.get_json()["groups"]
        if (cursor := page.get_json()["nextCursor"]) is None:
            break
    assert seen == groups(room) == client.get(url, headers=headers).get_json()["groups"]
    stranger = client.get(url, headers=headers_for(room.app, "Zoe"))
    assert (stranger.status_code, stranger.get_json()["error"]["code"]) == (403, "SESSION_ACCESS_DENIED")
