"""What a store promises of its feed: what was subscribed is heard, in its order."""

from __future__ import annotations

from ...models import Entry
from ...store.base import Store
from ..waiting import eventually
from .parts import StoreParts
from .steps import Listener, at_once, new_session, say


class FeedContract(StoreParts):
    """Part of :class:`classwaves.testing.suites.StoreContract`."""

    def test_what_follows_a_subscription_is_heard(self, store: Store, listener: Listener) -> None:
        """Each time anew: the first message after the return of ``subscribe`` is there, the last one before is not."""
        for turn in range(20):
            session = new_session(store)
            say(store, session, "before")
            store.subscribe(session.id)
            say(store, session, f"after {turn}")
            listener.hears(session.id, f"after {turn}")
            assert listener.heard(session.id) == store.read(session.id, 2, 10)

    def test_many_subscribe_at_once(self, store: Store, listener: Listener) -> None:
        sessions = [new_session(store) for _ in range(20)]

        def follow(number: int) -> None:
            store.subscribe(sessions[number].id)
            say(store, sessions[number], "hello")

        at_once(20, follow)
        for session in sessions:
            listener.hears(session.id, "hello")

    def test_only_what_is_subscribed_is_heard(self, store: Store, listener: Listener) -> None:
        one, two = new_session(store), new_session(store)
        store.subscribe(one.id)
        store.subscribe(two.id)
        store.unsubscribe(one.id)
        store.unsubscribe(one.id)
        store.unsubscribe("nobody")
        say(store, one, "unheard")
        say(store, two, "heard")
        listener.hears(two.id, "heard")
        assert listener.heard(one.id) == []

        store.subscribe(one.id)
        say(store, one, "heard again")
        listener.hears(one.id, "heard again")

    def test_ephemeral_messages_keep_their_place_among_the_entries(self, store: Store) -> None:
        class Order(Listener):
            def __init__(self) -> None:
                super().__init__()
                self.order: list[str] = []

            def on_entry(self, session_id: str, entry: Entry) -> None:
                self.order.append(entry.draft.data["message"])

            def on_ephemeral(self, session_id: str, message: dict[str, str]) -> None:
                self.order.append(message["typing"])

        order = Order()
        store.start(order)
        session = new_session(store)
        store.publish(session.id, {"typing": "unheard"})
        store.subscribe(session.id)
        for number in range(0, 40, 2):
            say(store, session, str(number))
            store.publish(session.id, {"typing": str(number + 1)})
        eventually(lambda: len(order.order) == 40, what="all messages")
        assert order.order == [str(number) for number in range(40)]

    def test_an_ephemeral_message_arrives_as_it_was_sent(self, store: Store, listener: Listener) -> None:
        session = new_session(store)
        store.subscribe(session.id)
        sent = {"typing": True, "userId": '\N{SEEDLING} /"\\', "n": [1, None]}
        store.publish(session.id, sent)
        eventually(lambda: listener.ephemeral == [(session.id, sent)], what="the message")
        assert store.positions([session.id]) == {session.id: 1}, "and is not stored"
