"""What a storage of shared files promises.

Imports the storage's base and steps.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ...storage.base import Storage
from .steps import at_once


class StorageContract:
    """All that ClassWaves relies on in a :class:`classwaves.storage.Storage`."""

    def make_storage(self) -> Storage:
        """Return an empty storage; override it, or the fixture :meth:`storage`."""
        raise NotImplementedError("override make_storage(self) and return your storage")

    @pytest.fixture
    def storage(self) -> Iterator[Storage]:
        """An empty storage, closed after the test."""
        made = self.make_storage()
        yield made
        made.close()

    def test_chunks_come_and_go(self, storage: Storage) -> None:
        assert storage.sessions() == []
        assert storage.get("s", "f", 0) is None
        for file, index in (("f", 0), ("f", 1), ("g", 0)):
            storage.put("s", file, index, f"{file}{index}".encode() * 3)
        storage.put("t", "f", 0, b"another")
        assert storage.get("s", "f", 1) == b"f1f1f1"
        assert sorted(storage.sessions()) == ["s", "t"]
        assert sorted(storage.files("s")) == ["f", "g"]
        assert storage.files("nobody") == []
        assert storage.touched("s", "f") > 1e9
        assert storage.touched("s", "h") == 0
        storage.delete("s", "f")
        assert (storage.get("s", "f", 0), storage.get("s", "g", 0)) == (None, b"g0g0g0")
        assert storage.files("s") == ["g"]
        storage.tidy("s")
        assert storage.files("s") == ["g"]
        for _ in range(2):
            storage.delete("s", "g")
            storage.tidy("s")
        assert storage.files("s") == []
        assert storage.sessions() == ["t"]
        assert storage.get("t", "f", 0) == b"another"

    def test_what_is_there_is_not_exchanged(self, storage: Storage) -> None:
        storage.put("s", "f", 0, b"first")
        storage.put("s", "f", 0, b"second")
        assert storage.get("s", "f", 0) == b"first"
        at_once(4, lambda number: storage.put("s", "f", 1, b"%d" % number))
        found = storage.get("s", "f", 1)
        storage.put("s", "f", 1, b"later")
        assert found
        assert storage.get("s", "f", 1) == found
        assert storage.files("s") == ["f"]
