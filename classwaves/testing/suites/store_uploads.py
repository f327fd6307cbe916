"""What a store promises of files on their way: each step is one, whoever takes it at the same moment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ...errors import ClassWavesError, StaleFence
from ...models import Draft
from ...store.base import Room, Store
from ..waiting import eventually
from .parts import StoreParts
from .steps import LONG, ROOM, at_once, new_record, new_session, upload


def refusal(store: Store, session_id: str, name: str, *, user: str = "ann", size: int = 1, room: Room = ROOM) -> str:
    """Begin an upload that is refused, and return the reason."""
    with pytest.raises(ClassWavesError) as error:
        store.begin_upload(session_id, upload(user, name, size), room, {})
    assert error.value.code == "FILE_REJECTED"
    assert error.value.details is not None
    return str(error.value.details["reason"])


class UploadsContract(StoreParts):
    """Part of :class:`classwaves.testing.suites.StoreContract`."""

    def test_from_the_beginning_to_the_end(self, store: Store) -> None:
        session = new_session(store)
        mine = upload("ann")
        assert store.begin_upload(session.id, mine, ROOM, {"session": 1}) == mine
        assert store.upload(session.id, mine.id) == mine
        for index in (0, 1):
            moved = store.advance_upload(session.id, mine.id, index)
            assert moved is not None
            assert moved.next_index == index + 1
        for index in (0, 1, 3):  # repeated, or not the next one
            assert store.advance_upload(session.id, mine.id, index) == moved
        again = store.begin_upload(session.id, replace(mine, id="another"), ROOM, {})
        assert again == moved
        sealed = store.seal_upload(session.id, mine.id, "sealed")
        assert sealed is not None
        assert sealed.stage == "sealed"
        assert store.advance_upload(session.id, mine.id, 2) == sealed
        assert not store.end_upload(session.id, mine.id, only_open=True)
        assert store.uploads(session.id) == [sealed]
        assert store.end_upload(session.id, mine.id)
        assert not store.end_upload(session.id, mine.id)
        assert store.upload(session.id, mine.id) is None
        assert store.advance_upload(session.id, mine.id, 2) is None
        assert store.seal_upload(session.id, mine.id, "sealed") is None

    def test_there_is_room_for_so_many(self, store: Store) -> None:
        session = new_session(store)
        for number in range(3):
            store.begin_upload(session.id, upload("ann", str(number)), ROOM, {})
        assert refusal(store, session.id, "4") == "uploads"
        for user in ("bob", "cid"):
            store.begin_upload(session.id, upload(user), ROOM, {})
        assert refusal(store, session.id, "1", user="dan") == "uploads"
        wide = Room(files=6, bytes=560, uploads=50, own_uploads=50)
        assert refusal(store, session.id, "5", size=61, room=wide) == "quota"
        store.begin_upload(session.id, upload("dan", size=60), wide, {})
        assert refusal(store, session.id, "6", room=wide) == "files"

    def test_only_who_knows_what_has_changed_begins(self, store: Store) -> None:
        session = new_session(store)
        store.append(session.id, [Draft("fileShared", {}, bumps=("files",))], dedupe="a")
        with pytest.raises(StaleFence):
            store.begin_upload(session.id, upload("ann"), ROOM, {"files": 0})
        assert store.uploads(session.id) == []
        store.begin_upload(session.id, upload("ann"), ROOM, {"files": 2})

    def test_the_last_place_is_given_once(self, store: Store) -> None:
        session = new_session(store)
        room = Room(files=100, bytes=300, uploads=100, own_uploads=100)

        def begin(number: int) -> bool:
            try:
                return bool(store.begin_upload(session.id, upload(f"u{number}"), room, {}))
            except ClassWavesError:
                return False

        assert sum(at_once(8, begin)) == 3
        assert len(store.uploads(session.id)) == 3

    def test_a_chunk_is_counted_once(self, store: Store) -> None:
        session = new_session(store)
        mine = store.begin_upload(session.id, upload("ann"), ROOM, {})
        moved = at_once(6, lambda _: store.advance_upload(session.id, mine.id, 0))
        assert {one.next_index for one in moved if one} == {1}

    def test_idle_ones_are_given_up(self, store: Store) -> None:
        session, other = new_session(store), new_session(store)
        for user in ("ann", "bob"):
            store.begin_upload(session.id, upload(user), ROOM, {})
        assert store.due_uploads(LONG) == []
        assert store.end_idle_uploads(session.id, LONG) == []
        eventually(lambda: session.id in store.due_uploads(0.001), what="it is due")
        assert other.id not in store.due_uploads(0)
        assert sorted(store.end_idle_uploads(session.id, 0)) == ["file of ann", "file of bob"]
        assert store.uploads(session.id) == []
        assert session.id not in store.due_uploads(0)

    def test_they_go_with_their_session(self, store: Store) -> None:
        session, unknown = new_session(store), new_record()
        store.begin_upload(session.id, upload("ann"), ROOM, {})
        store.expire(session, 0)
        eventually(lambda: store.uploads(session.id) == [], what="nothing of it")
        assert store.end_idle_uploads(session.id, 0) == []
        assert store.upload(unknown.id, "file of ann") is None
        assert store.advance_upload(unknown.id, "file of ann", 0) is None
        assert not store.end_upload(unknown.id, "file of ann")
        with pytest.raises(ClassWavesError, match="no such session"):
            store.begin_upload(unknown.id, upload("ann"), ROOM, {})
