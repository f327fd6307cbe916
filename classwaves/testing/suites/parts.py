"""What the suites of a store have in common: how a store is made, used and closed.

Imports the stores' base and steps. Tests are methods of classes without a name that pytest collects by itself, so they
run where a subclass asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ...store.base import Limits, Store
from .steps import LIMITS, Listener, NewStore


class StoreParts:
    """The fixtures of all suites of a store."""

    def make_store(self, limits: Limits) -> Store:
        """Return an empty store; override it, or the fixture :meth:`new_store`.

        :param limits: how much it keeps of a session.
        """
        raise NotImplementedError("override make_store(self, limits) and return your store")

    @pytest.fixture
    def new_store(self) -> Iterator[NewStore]:
        """A factory of stores, closed after the test."""
        with ExitStack() as stack:

            def make(limits: Limits = LIMITS) -> Store:
                made = self.make_store(limits)
                stack.callback(made.close)
                return made

            yield make

    @pytest.fixture
    def store(self, new_store: NewStore) -> Store:
        """An empty store."""
        return new_store()

    @pytest.fixture
    def listener(self, store: Store) -> Listener:
        """Who hears the feed of the store."""
        listener = Listener()
        store.start(listener)
        return listener
