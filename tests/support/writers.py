"""Threads that write to a session without a pause, whatever becomes of the store."""

import threading
from typing import Self

from classwaves.errors import StoreUnavailable
from classwaves.store.base import Store
from tests.support.stores import message, texts
from tests.support.waiting import eventually

WRITERS = 4


class Writers:
    """Threads that append numbers to one session, each again and again until it is acknowledged."""

    def __init__(self, store: Store, session_id: str) -> None:
        self.acked: list[list[str]] = [[] for _ in range(WRITERS)]
        self.failed = 0
        self._store = store
        self._session_id = session_id
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, writer: int) -> None:
        number = 0
        while not self._stop.is_set():
            text = f"{writer}-{number}"
            try:
                self._store.append(self._session_id, [message(text)], dedupe=text)
            except StoreUnavailable:
                self.failed += 1
                self._stop.wait(0.05)
            else:
                self.acked[writer].append(text)
                number += 1

    def go_on(self) -> None:
        """Wait until each of them has been acknowledged something new."""
        before = [len(acked) for acked in self.acked]
        eventually(lambda: all(len(a) > b + 3 for a, b in zip(self.acked, before, strict=True)), 30, "new acks")

    def check(self, lost: bool = False) -> None:
        """All that was acknowledged is in the log once, in the order of its writer."""
        logged = texts(self._store.read(self._session_id, 0, 100_000))
        assert len(logged) == len(set(logged)), "nothing is there twice"
        for number, acked in enumerate(self.acked):
            own = [text for text in logged if text.startswith(f"{number}-")]
            assert own == sorted(own, key=lambda text: int(text.split("-")[1]))
            assert lost or own[: len(acked)] == acked
