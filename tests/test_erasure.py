"""What is left of an entry whose user is erased."""

import pytest

from classwaves.erasure import NOBODY, erased
from classwaves.models import Draft, Entry


def entry(event: str, author: str, **data: object) -> Entry:
    return Entry(7, "e", 1_000, Draft(event, data, author, "group", ("ann", "bob"), ("activity",), "messageId"), 99)


@pytest.mark.parametrize(
    ("event", "data", "left"),
    [
        (
            "messageReceived",
            {"userId": "ann", "displayName": "Ann", "message": "it is I", "type": "text", "clientMessageId": "ann 1"},
            {"userId": "ann", "displayName": NOBODY, "message": "", "type": "text"},
        ),
        (
            "activityResponse",
            {"activityId": "q", "userId": "ann", "displayName": "Ann", "data": {"answer": 42}},
            {"activityId": "q", "userId": "ann", "displayName": NOBODY, "data": {}},
        ),
        ("activityResponse", {"userId": "ann", "data": 42}, {"userId": "ann", "data": None}),
        (
            "participantChanged",
            {"change": "joined", "displayName": "Ann", "role": "student"},
            {"change": "joined", "displayName": NOBODY, "role": "student"},
        ),
        (
            "theShopsOwn",
            {"note": "mine", "tags": ["a"], "more": {"Ann": 1}, "count": 3, "done": True, "roomId": "r"},
            {"note": "", "tags": [], "more": {}, "count": 3, "done": True, "roomId": "r"},
        ),
    ],
)
def test_names_and_texts_go_and_the_rest_stays(event: str, data: dict[str, object], left: dict[str, object]) -> None:
    before = entry(event, "ann", **data)
    after = erased(before, "ann")
    assert after.draft.data == left
    assert (after.seq, after.epoch, after.time) == (before.seq, before.epoch, before.time)
    one, other = before.draft, after.draft
    assert (one.author, one.audience, one.members, one.bumps) == (
        other.author,
        other.audience,
        other.members,
        other.bumps,
    )
    assert erased(after, "ann") is after


def test_a_caption_is_its_speakers() -> None:
    """Not the program's that published it."""
    said = {"segmentId": "s", "speakerId": "ann", "text": "I said", "isFinal": True, "startMs": 0}
    assert erased(entry("transcriptionUpdate", "program", **said), "ann").draft.data == {**said, "text": ""}
    other = entry("transcriptionUpdate", "ann", **{**said, "speakerId": "bob"})
    assert erased(other, "ann") is other


def test_what_is_somebody_elses_is_the_same_object() -> None:
    other = entry("messageReceived", "bob", userId="bob", displayName="Bob", message="about ann")
    assert erased(other, "ann") is other
