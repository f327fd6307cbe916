"""Raised hands are one fair queue, and reactions count each user and emoji once, whatever the order of events."""

import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classwaves.connections import Connection
from classwaves.features.chat import KEPT, SPARE
from classwaves.features.reactions import EMOJI, MOST, reacted
from classwaves.live import folded
from classwaves.models import Draft, Entry, SessionRecord, new_id
from classwaves.replica import FOLD_VERSION, Replica
from classwaves.store import MemoryStore
from tests.support.hubs import Worker
from tests.support.stores import LIMITS, message, new_session
from tests.support.tabs import Classroom, Received, Tab, Tabs
from tests.support.tabs import room as room
from tests.support.tabs import tabs as tabs

THUMB, HEART = "\N{THUMBS UP SIGN}", "\N{HEAVY BLACK HEART}\ufe0f"
STEPS = st.tuples(
    st.integers(0, 2), st.sampled_from([THUMB, HEART, "\N{SEEDLING}"]), st.booleans(), st.sampled_from([0, 0, 1])
)
"""Which of three users adds, or removes, which emoji, and whether the request has an id, so that it is always kept."""

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


def of(events: list[Received], name: str) -> list[Payload]:
    return [data for event, data in events if event == name]


# hands


def queue(room: Classroom) -> list[str]:
    """Who has a hand up, as a joiner is told."""
    hands = room.tab("Grace", "teacher").join(room.code)["hands"]
    assert [hand["position"] for hand in hands] == list(range(1, len(hands) + 1))
    return [hand["userId"] for hand in hands]


def test_hands_queue_in_the_order_of_raising(room: Classroom, tabs: Tabs) -> None:
    for name in ("Cyd", "Ada", "Bob"):
        ack = do(tabs[name], room, "raiseHand")
    changes = of(tabs["Grace"].take(), "handStatusChanged")
    assert [(c["userId"], c["raised"], c["position"]) for c in changes] == [
        ("cyd", True, 1),
        ("ada", True, 2),
        ("bob", True, 3),
    ]
    assert changes[-1]["seq"] == ack["seq"]
    assert of(tabs["Ada"].take(), "handStatusChanged") == changes, "everybody hears of it, who raised it too"
    assert queue(room) == ["cyd", "ada", "bob"]
    do(tabs["Ada"], room, "lowerHand")
    lowered = tabs["Grace"].take_only("handStatusChanged")
    assert (lowered["userId"], lowered["raised"], lowered["position"]) == ("ada", False, None)
    do(tabs["Ada"], room, "raiseHand")
    assert tabs["Grace"].take_only("handStatusChanged")["position"] == 3, "behind all others"
    assert queue(room) == ["cyd", "bob", "ada"]


def test_who_raises_twice_keeps_the_place(room: Classroom, tabs: Tabs) -> None:
    do(tabs["Ada"], room, "raiseHand")
    do(tabs["Bob"], room, "raiseHand")
    since = room.tab("Grace", "teacher").join(room.code)["hands"]
    tabs["Cyd"].take()
    assert do(tabs["Ada"], room, "raiseHand") == {"ok": True}
    assert tabs["Cyd"].take() == []
    do(tabs["Ada"], room, "raiseHand", clientMessageId="h1")
    assert tabs["Cyd"].take_only("handStatusChanged")["position"] == 1
    assert room.tab("Grace", "teacher").join(room.code)["hands"] == since, "also since when"
    assert do(tabs["Cyd"], room, "lowerHand") == {"ok": True}, "there was none"
    assert tabs["Ada"].take()[-1][1]["userId"] == "ada"


def test_the_position_is_that_of_now_in_what_was_missed(room: Classroom, tabs: Tabs) -> None:
    since = tabs["Grace"].join(room.code)
    for name in ("Ada", "Bob", "Cyd"):
        do(tabs[name], room, "raiseHand")
    do(tabs["Ada"], room, "lowerHand")
    resume = {"sinceSeq": since["seq"], "epoch": since["epoch"]}
    missed = room.tab("Grace", "teacher").join(room.code, resume)["missed"]
    assert [(i["data"]["userId"], i["data"]["raised"], i["data"]["position"]) for i in missed] == [
        ("ada", True, None),
        ("bob", True, 1),
        ("cyd", True, 2),
        ("ada", False, None),
    ]


def test_staff_lower_anybodys_hand_and_students_their_own(room: Classroom, tabs: Tabs) -> None:
    do(tabs["Ada"], room, "raiseHand")
    assert refusal(tabs["Bob"], room, "lowerHand", userId="ada") == "FORBIDDEN"
    assert refusal(tabs["Grace"], room, "lowerHand", userId="nobody") == "NOT_FOUND"
    do(tabs["Ada"], room, "lowerHand", userId="ada")
    do(tabs["Ada"], room, "raiseHand")
    tabs["Bob"].take()
    do(tabs["Grace"], room, "lowerHand", userId="ada")
    assert tabs["Bob"].take_only("handStatusChanged").items() >= {"userId": "ada", "raised": False}.items()
    assert queue(room) == []


def test_who_leaves_or_is_removed_has_no_hand_up(room: Classroom, tabs: Tabs) -> None:
    second = room.joined("Ada")
    for name in ("Ada", "Bob", "Cyd"):
        do(tabs[name], room, "raiseHand")
    second.ask("leaveSession", room.code)
    assert queue(room) == ["ada", "bob", "cyd"], "another tab is still there"
    tabs["Ada"].ask("leaveSession", room.code)
    assert queue(room) == ["bob", "cyd"]
    do(tabs["Grace"], room, "removeParticipant", userId="bob")
    assert queue(room) == ["cyd"]
    tabs["Ada"].ask("joinSession", room.code)
    assert queue(room) == ["cyd"], "whoever comes back begins without"
    do(tabs["Ada"], room, "raiseHand")
    assert queue(room) == ["cyd", "ada"]


def test_a_hand_raised_again_by_repetition_counts_once(room: Classroom, tabs: Tabs) -> None:
    first = do(tabs["Ada"], room, "raiseHand", clientMessageId="h1")
    do(tabs["Ada"], room, "lowerHand")
    assert do(tabs["Ada"], room, "raiseHand", clientMessageId="h1") == first
    assert queue(room) == []


# reactions


def reactions(tab: Tab, room: Classroom) -> list[dict[str, int]]:
    """The reactions to each message, from the history."""
    return [message.get("reactions", {}) for message in do(tab, room, "fetchHistory")["messages"]]


def test_a_reaction_is_told_with_the_count(room: Classroom, tabs: Tabs) -> None:
    message_id = tabs["Ada"].say(room.code, "hello")["messageId"]
    for tab in tabs.values():
        tab.take()
    ack = do(tabs["Bob"], room, "addReaction", messageId=message_id, emoji=THUMB)
    told = tabs["Cyd"].take_only("reactionUpdated")
    assert told == {
        "sessionCode": room.code,
        "messageId": message_id,
        "userId": "bob",
        "emoji": THUMB,
        "action": "added",
        "count": 1,
        "seq": ack["seq"],
        "timestamp": ack["timestamp"],
    }
    assert tabs["Bob"].take_only("reactionUpdated") == tabs["Ada"].take_only("reactionUpdated") == told
    do(tabs["Cyd"], room, "addReaction", messageId=message_id, emoji=THUMB)
    do(tabs["Cyd"], room, "addReaction", messageId=message_id, emoji=HEART)
    do(tabs["Bob"], room, "removeReaction", messageId=message_id, emoji=THUMB)
    changes = of(tabs["Ada"].take(), "reactionUpdated")
    assert [(c["userId"], c["action"], c["count"]) for c in changes] == [
        ("cyd", "added", 2),
        ("cyd", "added", 1),
        ("bob", "removed", 1),
    ]
    assert reactions(tabs["Ada"], room) == [{THUMB: 1, HEART: 1}]


def test_twice_is_once(room: Classroom, tabs: Tabs) -> None:
    reaction = {"messageId": tabs["Ada"].say(room.code, "hello")["messageId"], "emoji": THUMB}
    assert do(tabs["Bob"], room, "removeReaction", **reaction) == {"ok": True}, "there was none"
    do(tabs["Bob"], room, "addReaction", **reaction)
    tabs["Cyd"].take()
    assert do(tabs["Bob"], room, "addReaction", **reaction) == {"ok": True}
    assert tabs["Cyd"].take() == []
    repeated = {**reaction, "clientMessageId": "r1"}
    first = do(tabs["Bob"], room, "removeReaction", **repeated)
    do(tabs["Bob"], room, "addReaction", **reaction)
    assert do(tabs["Bob"], room, "removeReaction", **repeated) == first
    assert reactions(tabs["Ada"], room) == [{THUMB: 1}]


@pytest.fixture(scope="module")
def school() -> Iterator[tuple[Worker, SessionRecord, list[Connection]]]:
    """A worker, a session, and three users in it."""
    worker = Worker(MemoryStore(LIMITS))
    session = new_session(worker.store)
    yield worker, session, [worker.joined(session, name) for name in ("ann", "bob", "cid")]
    worker.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_counts_are_right_after_any_steps(
    school: tuple[Worker, SessionRecord, list[Connection]], steps: list[tuple[int, str, bool, int]]
) -> None:
    worker, session, people = school
    said = worker.say(people[0], session, "react to this")
    about, expected = {"sessionCode": session.code, "messageId": said["messageId"]}, dict[str, set[int]]()
    worker.sockets.inbox.clear()
    for who, emoji, add, named in steps:
        users = expected.setdefault(emoji, set())
        changes = (who in users) != add
        (users.add if add else users.discard)(who)
        reaction = {**about, "emoji": emoji, **({"clientMessageId": new_id()} if named else {})}
        ack = worker.send(people[who], "addReaction" if add else "removeReaction", reaction)
        assert ack["ok"], ack
        assert ("seq" in ack) == (changes or bool(named))
        told = worker.sockets.of("cid", "reactionUpdated")
        if "seq" in ack:
            assert (told[-1]["emoji"], told[-1]["count"], told[-1]["seq"]) == (emoji, len(users), ack["seq"])
    counts = {emoji: len(users) for emoji, users in expected.items() if users}
    page = worker.send(people[1], "fetchHistory", {"sessionCode": session.code, "limit": 1})
    assert page["messages"][0].get("reactions", {}) == counts
    loaded = worker.store.load(session.id, FOLD_VERSION)
    assert loaded is not None
    fresh = Replica.load(folded(loaded).dump())
    assert {emoji: len(users) for emoji, users in reacted(fresh, said["messageId"]).items()} == counts
    position = {"sessionCode": session.code, "sinceSeq": said["seq"], "epoch": loaded.epoch}
    missed = worker.send(people[2], "syncSession", position)["missed"]
    assert all(item["data"]["count"] == counts.get(item["data"]["emoji"], 0) for item in missed), "the counts of now"


PICTURES = {
    "a picture": "\N{SEEDLING}",
    "a picture with its selector": HEART,
    "without it": "\N{HEAVY BLACK HEART}",
    "in text style": "\N{HEAVY BLACK HEART}\ufe0e",
    "copyright": "\N{COPYRIGHT SIGN}\ufe0f",
    "a skin tone": "\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-6}",
    "a family": "\u200d".join("\N{MAN}\N{WOMAN}\N{GIRL}\N{BOY}"),
    "a couple of skin tones": "\U0001f9d1\U0001f3fd\u200d\u2764\ufe0f\u200d\U0001f48b\u200d\U0001f9d1\U0001f3fb",
    "hands of two tones": "\U0001faf1\U0001f3fb\u200d\U0001faf2\U0001f3ff",
    "a job": "\U0001f469\U0001f3fe\u200d\U0001f680",
    "a role with a sex": "\U0001f575\U0001f3fd\u200d\u2642\ufe0f",
    "red hair": "\U0001f469\u200d\U0001f9b0",
    "an eye in a bubble": "\U0001f441\ufe0f\u200d\U0001f5e8\ufe0f",
    "the rainbow flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "the pirate flag": "\U0001f3f4\u200d\u2620\ufe0f",
    "a flag": "\N{REGIONAL INDICATOR SYMBOL LETTER D}\N{REGIONAL INDICATOR SYMBOL LETTER E}",
    "the flag of a region": "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
    "a keycap": "1\ufe0f\u20e3",
    "a keycap of a sign": "#\ufe0f\u20e3",
    "an old keycap": "*\u20e3",
}


@pytest.mark.parametrize("emoji", PICTURES.values(), ids=PICTURES)
def test_any_emoji_will_do(room: Classroom, tabs: Tabs, emoji: str) -> None:
    message_id = tabs["Ada"].say(room.code, "hello")["messageId"]
    do(tabs["Ada"], room, "addReaction", messageId=message_id, emoji=emoji)
    assert reactions(tabs["Bob"], room) == [{emoji: 1}]


NO_PICTURES = {
    "nothing": "",
    "a letter": "a",
    "a word": "yes",
    "a digit": "1",
    "a digit with a selector": "1\ufe0f",
    "a sign": "#",
    "a space": " ",
    "two": THUMB * 2,
    "two flags": PICTURES["a flag"] * 2,
    "a flag and a half": PICTURES["a flag"] + "\N{REGIONAL INDICATOR SYMBOL LETTER F}",
    "half a flag": "\N{REGIONAL INDICATOR SYMBOL LETTER D}",
    "with text before": f"a{THUMB}",
    "with text after": f"{THUMB}a",
    "with a space": f"{THUMB} ",
    "with a newline": f"{THUMB}\n",
    "a letter joined to it": f"a\u200d{THUMB}",
    "a letter that joins what follows": f"\N{MALAYALAM LETTER DOT REPH}{THUMB}",
    "a number sign that joins what follows": f"\N{ARABIC NUMBER SIGN}{THUMB}",
    "a vowel sign on it": f"{THUMB}\N{DEVANAGARI VOWEL SIGN AA}",
    "an accent on it": f"{THUMB}\N{COMBINING ACUTE ACCENT}",
    "a heap of accents on it": THUMB + "\N{COMBINING ACUTE ACCENT}" * 20,
    "a flag with an accent": PICTURES["a flag"] + "\N{COMBINING ACUTE ACCENT}",
    "a keycap with an accent": "1\ufe0f\u20e3\N{COMBINING ACUTE ACCENT}",
    "a keycap of a letter": "a\u20e3",
    "joined to nothing": f"{THUMB}\u200d",
    "tags without an end": f"{THUMB}\U000e0067",
    "a selector": "\ufe0f",
    "a joiner": "\u200d",
    "a keycap of nothing": "\u20e3",
    "a control character": "\x07",
    "with a control character": f"\x07{THUMB}",
    "with a mark of direction": f"\N{RIGHT-TO-LEFT MARK}{THUMB}",
    "NUL": f"{THUMB}\0",
    "half a surrogate pair": "\ud83d",
    "too much": "\u200d".join([THUMB] * 20),
}


@pytest.mark.parametrize("text", NO_PICTURES.values(), ids=NO_PICTURES)
def test_what_is_not_one_emoji_is_refused(room: Classroom, tabs: Tabs, text: str) -> None:
    message_id = tabs["Ada"].say(room.code, "hello")["messageId"]
    assert refusal(tabs["Ada"], room, "addReaction", messageId=message_id, emoji=text) == "INVALID_PAYLOAD"
    assert refusal(tabs["Ada"], room, "removeReaction", messageId=message_id, emoji=text) == "INVALID_PAYLOAD"


def test_no_letter_of_any_script_passes_with_an_emoji() -> None:
    """Some join what follows or precedes them to one grapheme."""
    texts = [chr(code) for code in range(0x20, 0x30000) if unicodedata.category(chr(code))[0] in "LMN"]
    assert len(texts) > 50_000
    passing = [text for text in texts if EMOJI.fullmatch(text + THUMB) or EMOJI.fullmatch(THUMB + text)]
    # U+FE0E and U+FE0F are how an emoji looks
    assert passing == ["\ufe0e", "\ufe0f"]


def test_a_reaction_to_a_groups_message_is_the_groups(room: Classroom, tabs: Tabs) -> None:
    group_id = do(tabs["Grace"], room, "createGroup", name="Frogs", memberIds=["ada", "bob"])["groupId"]
    message_id = tabs["Ada"].say(room.code, "frogs only", groupId=group_id)["messageId"]
    since = room.tab("Cyd").join(room.code)
    for tab in tabs.values():
        tab.take()
    do(tabs["Bob"], room, "addReaction", messageId=message_id, emoji=THUMB)
    assert tabs["Cyd"].take() == []
    assert tabs["Grace"].take_only("reactionUpdated") == tabs["Ada"].take_only("reactionUpdated")
    for event in ("addReaction", "removeReaction"):
        assert refusal(tabs["Cyd"], room, event, messageId=message_id, emoji=THUMB) == "MESSAGE_NOT_FOUND"
    resume = {"sinceSeq": since["seq"], "epoch": since["epoch"]}
    assert room.tab("Cyd").join(room.code, resume)["missed"] == []
    assert [i["event"] for i in room.tab("Ada").join(room.code, resume)["missed"]] == ["reactionUpdated"]
    do(tabs["Cyd"], room, "joinGroup", groupId=group_id)
    assert refusal(tabs["Cyd"], room, "addReaction", messageId=message_id, emoji=THUMB) == "MESSAGE_NOT_FOUND"


def test_a_deleted_message_has_no_reactions_and_gets_none(room: Classroom, tabs: Tabs) -> None:
    message_id = tabs["Ada"].say(room.code, "hello")["messageId"]
    do(tabs["Bob"], room, "addReaction", messageId=message_id, emoji=THUMB)
    do(tabs["Grace"], room, "deleteMessage", messageId=message_id)
    for event in ("addReaction", "removeReaction"):
        assert refusal(tabs["Bob"], room, event, messageId=message_id, emoji=THUMB) == "MESSAGE_NOT_FOUND"
    assert do(tabs["Bob"], room, "fetchHistory")["messages"] == []


def test_what_is_no_message_gets_no_reaction(room: Classroom, tabs: Tabs) -> None:
    ack = do(tabs["Ada"], room, "raiseHand")
    epoch = tabs["Bob"].ask("joinSession", room.code)["epoch"]
    for message_id in ("nothing", "-", f"{epoch}-{ack['seq']}", f"{epoch}-99", "x" * 64):
        assert refusal(tabs["Bob"], room, "addReaction", messageId=message_id, emoji=THUMB) == "MESSAGE_NOT_FOUND"


def test_a_message_has_so_many_different_emoji_and_no_more(room: Classroom, tabs: Tabs) -> None:
    message_id = tabs["Ada"].say(room.code, "hello")["messageId"]
    faces = [chr(0x1F600 + number) for number in range(MOST + 1)]
    for emoji in faces[:MOST]:
        do(tabs["Ada"], room, "addReaction", messageId=message_id, emoji=emoji)
    assert refusal(tabs["Bob"], room, "addReaction", messageId=message_id, emoji=faces[MOST]) == "CONFLICT"
    do(tabs["Bob"], room, "addReaction", messageId=message_id, emoji=faces[0])
    do(tabs["Ada"], room, "removeReaction", messageId=message_id, emoji=faces[1])
    do(tabs["Bob"], room, "addReaction", messageId=message_id, emoji=faces[MOST])
    (counts,) = reactions(tabs["Cyd"], room)
    assert (len(counts), counts[faces[0]], faces[1] in counts) == (MOST, 2, False)


# the newest messages


def entry(seq: int, event: str, data: Payload, author: str = "ann") -> Entry:
    return Entry(seq, "e", 0, Draft(event, data, author))


def test_the_fold_keeps_the_newest_messages_with_their_reactions() -> None:
    replica = Replica("e")
    for number in range(KEPT + SPARE):
        replica.apply(entry(2 * number + 1, "messageReceived", {}))
        reaction = {"messageId": f"e-{2 * number + 1}", "userId": "ann", "emoji": THUMB, "action": "added"}
        replica.apply(entry(2 * number + 2, "reactionUpdated", reaction))
        assert len(replica.state["messages"]) >= KEPT or number < KEPT
    seq = replica.seq
    kept = list(replica.state["messages"])
    assert kept == [f"e-{2 * number + 1}" for number in range(SPARE, KEPT + SPARE)]
    assert list(replica.state["reactions"]) == kept
    before = replica.dump()
    for number, action in enumerate(("added", "removed"), seq + 1):
        replica.apply(entry(number, "reactionUpdated", {**reaction, "messageId": "e-1", "action": action}))
    replica.seq = seq
    assert replica.dump() == before, "what is about a message of before changes nothing"


def test_who_reacts_to_a_message_of_before_the_newest_is_told_so() -> None:
    worker = Worker(MemoryStore(LIMITS))
    session = new_session(worker.store)
    ann = worker.joined(session, "ann")
    texts = [message(str(number)) for number in range(KEPT + SPARE)]
    last = worker.store.append(session.id, texts, dedupe="many")
    first_seq = last.seq - KEPT - SPARE + 1

    def react(seq: int) -> Payload:
        return worker.send(
            ann, "addReaction", {"sessionCode": session.code, "messageId": f"{last.epoch}-{seq}", "emoji": THUMB}
        )

    assert react(first_seq)["error"]["code"] == react(first_seq + SPARE - 1)["error"]["code"] == "MESSAGE_NOT_FOUND"
    assert react(first_seq + SPARE)["ok"]
    assert react(last.seq)["ok"]
    old = {"sessionCode": session.code, "message": "about that", "replyTo": f"{last.epoch}-{first_seq}"}
    assert worker.send(ann, "sendMessage", old)["ok"], "a reply may be to an older one"
    worker.close()
