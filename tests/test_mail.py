"""Mail between workers: an item arrives once, whatever becomes of the answer to its sending."""

from collections.abc import Callable
from dataclasses import dataclass, field

import gevent

from classwaves.store.redis import RedisStore
from classwaves.transport.mail import Head, Mail
from classwaves.transport.turns import Turns
from tests.support.proxy import FaultyProxy
from tests.support.stores import direct as direct
from tests.support.stores import proxy as proxy
from tests.support.stores import shaky as shaky
from tests.support.waiting import eventually


@dataclass
class Letters:
    """Keeps what comes."""

    got: list[tuple[str, bytes]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def on_item(self, sender: str, head: Head, body: bytes) -> None:
        self.got.append((sender, body))

    def on_broken(self, name: str) -> None:
        self.broken.append(name)

    def on_lost(self) -> None:
        raise AssertionError("nothing was lost")


@dataclass
class Office:
    """A worker's store as what carries its mail."""

    store: RedisStore

    def open_mailbox(self, name: str, on_mail: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self.store.open_mailbox(name, on_mail)

    def send_mail(self, name: str, data: bytes) -> bool:
        return self.store.send_mail(name, data)


def test_what_is_sent_again_because_the_answer_was_lost_arrives_once(
    proxy: FaultyProxy, shaky: RedisStore, direct: RedisStore
) -> None:
    letters, answers = Letters(), Letters()
    receiver, sender = Mail(Office(direct), "b", Turns(), letters), Mail(Office(shaky), "a", Turns(), answers)
    receiver.open()
    for number in range(3):
        if number == 1:
            proxy.swallow_next_reply(b"second")
        for name in ("first", "second"):
            sender.send("b", {"k": "out"}, f"{name} {number}".encode())
        gevent.sleep(0)
    assert proxy.swallowed.wait(5)
    expected = [("a", f"{name} {number}".encode()) for number in range(3) for name in ("first", "second")]
    eventually(lambda: len(letters.got) >= len(expected), what="all letters")
    assert letters.got == expected
    assert answers.broken == []
