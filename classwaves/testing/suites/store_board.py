"""What a store promises of the board on which workers post their reports."""

from __future__ import annotations

from ...store.base import Store
from ..waiting import eventually
from .parts import StoreParts

KEEP = 100.0


class BoardContract(StoreParts):
    """Part of :class:`classwaves.testing.suites.StoreContract`."""

    def test_a_worker_takes_its_report_down(self, store: Store) -> None:
        store.post("a", {}, 60)
        store.post("b", {}, 60)
        store.unpost("a")
        store.unpost("nobody")
        assert [posting.worker for posting in store.postings(KEEP)] == ["b"]

    def test_what_is_old_is_taken_down(self, store: Store) -> None:
        store.post("a", {}, 60)
        eventually(lambda: store.postings(KEEP)[0].seconds > 0.01, what="an age")
        assert store.postings(0.001) == []
        assert store.postings(KEEP) == []
