"""Messages of one socket that were under way together, and were refused together, are tried again in their order."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from classwaves.errors import StaleFence
from classwaves.store import MemoryStore
from classwaves.store.base import Appended
from tests.support.hubs import Worker
from tests.support.stores import LIMITS, new_session, texts
from tests.support.waiting import eventually

COUNT = 3


class RefusingStore(MemoryStore):
    """Refuses each message once, when it is told to: as if a fence had moved while all of them were under way."""

    waits = True

    def __init__(self) -> None:
        super().__init__(LIMITS)
        self.asked: list[str] = []
        self.refuse = {str(number): threading.Event() for number in range(COUNT)}

    def append(self, session_id: str, drafts: Any, **how: Any) -> Appended:
        text = drafts[0].data.get("message", "")
        if text in self.refuse and text not in self.asked:
            self.asked.append(text)
            assert self.refuse[text].wait(10)
            raise StaleFence
        return super().append(session_id, drafts, **how)


def test_who_hears_of_a_refusal_first_is_not_first() -> None:
    """The last one hears of it first, as it may when all of them wait for another event's lock."""
    store = RefusingStore()
    worker = Worker(store)
    session = new_session(store)
    ann = worker.joined(session, "ann")
    with ThreadPoolExecutor(COUNT) as pool:
        sending = []
        for number in range(COUNT):
            sending.append(pool.submit(worker.say, ann, session, str(number)))
            eventually(lambda number=number: len(store.asked) == number + 1, what="under way")  # type: ignore[misc]
        for number in reversed(range(COUNT)):
            store.refuse[str(number)].set()
            eventually(lambda: ann.flight and ann.flight.stale, what="a refusal")
        acks = [task.result(10) for task in sending]
    assert [ack["seq"] for ack in acks] == sorted(ack["seq"] for ack in acks)
    assert texts(store.read(session.id, 0, 100)) == [str(number) for number in range(COUNT)]
    worker.close()
