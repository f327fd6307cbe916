"""A session's log rewritten on Redis. Entries of a stream cannot be edited, so another stream takes its place.

Imports errors, models and the store's base. The other stream is made in pieces, each one short script, while the
session goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import StoreUnavailable
from ..models import Entry, new_id
from .base import Edit, encode_draft

#: How many entries are copied in one step.
PAGE = 500
#: How often it is begun again where somebody else rewrites, and how often a busy session may go on meanwhile.
TRIES, ROUNDS = 5, 500


class Rewriting:
    """One session and one edit.

    :param run: runs the script ``rewrite`` with these arguments, the last key among them.
    :param read: the entries after a seq, at most so many.
    :param standing: the session's epoch, and seq and text of the checkpoint of this fold; no epoch, no session.
    :param drop: deletes a last key: a copy that comes to nothing may have what somebody else has taken out.
    """

    def __init__(
        self,
        run: Callable[[str, Sequence[Any]], Any],
        read: Callable[[int, int], list[Entry]],
        standing: Callable[[int], tuple[str | None, int, str]],
        drop: Callable[[str], Any],
        edit: Edit,
    ) -> None:
        self._run, self._read, self._standing, self._drop, self._edit = run, read, standing, drop, edit

    def __call__(self) -> int | None:
        """How many entries are others now; ``None`` if nothing had to be changed.

        :raises StoreUnavailable: the session changes too fast; nothing has changed.
        """
        for _ in range(TRIES):
            epoch, seq, body = self._standing(self._edit.version)
            if epoch is None:
                return None
            edited = self._edit.checkpoint(body) if body else ""
            if body == edited and not self._concerns():
                return None
            changed, other = None, f"log-{new_id(6)}"
            try:
                changed = self._rewrite(other, epoch, seq, edited)
            finally:
                if changed is None:
                    self._drop(other)
            if changed is not None:
                return changed
        raise StoreUnavailable

    def _concerns(self) -> bool:
        at = 0
        while page := self._read(at, PAGE):
            if any(self._edit.entry(entry) is not entry for entry in page):
                return True
            at = page[-1].seq
        return False

    def _rewrite(self, other: str, epoch: str, seq: int, checkpoint: str) -> int | None:
        """Copy and swap; ``None`` if somebody else has changed the session so that it has to begin again."""
        at, changed, new = 0, 0, new_id(6)
        for _ in range(ROUNDS):
            while page := self._read(at, PAGE):
                bodies: list[Any] = []
                for entry in page:
                    if (edited := self._edit.entry(entry)) is not entry:
                        bodies += (entry.seq, encode_draft(edited.draft))
                if self._run(other, [epoch, "copy", at, page[-1].seq, *bodies])[0] != b"ok":
                    return None
                changed += len(bodies) // 2
                at = page[-1].seq
            match self._run(other, [epoch, "swap", at, new, self._edit.version, seq, checkpoint])[0]:
                case b"ok":
                    return changed
                case b"stale" | b"gone":
                    return None
        return None
