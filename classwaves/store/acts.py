"""What is kept of a privileged act, and the stream that keeps it. Imports nothing of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Act:
    """Who did what, to whom or what, and by which way. Ids, names of states and numbers alone: no name, no text.

    :param what: such as ``session.ended``; :data:`classwaves.audit.ACTS` has all of them.
    :param who: the user's id; empty for an operator's shell and for the shop's own code.
    :param via: ``socket``, ``rest``, ``shell`` or ``app``.
    :param session: the internal id of the session that it is about, and ``code`` its code.
    :param target: the id of the user, message or file that it is about.
    :param trace: the id that the log lines of this request or event have.
    """

    what: str
    who: str = ""
    via: str = ""
    session: str = ""
    code: str = ""
    target: str = ""
    trace: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        return json.dumps({key: value for key, value in asdict(self).items() if value}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Noted:
    """An act in its place. ``id`` begins with the time in milliseconds since the epoch, and orders."""

    id: str
    act: Act

    @property
    def time(self) -> int:
        return int(self.id.partition("-")[0])


def place(act_id: str) -> tuple[int, int]:
    """What orders an id; (0, 0) if it is none."""
    time, _, number = act_id.partition("-")
    good = all(part.isascii() and part.isdigit() and len(part) < 17 for part in (time, number))
    return (int(time), int(number)) if good else (0, 0)


#: How long a store remembers what was noted under a name of its own, in seconds: nobody repeats a request after a day.
REPEATED = 86_400


class Acts(Protocol):
    """The stream. Nothing in it is ever changed, and it is shortened by age alone."""

    def note_act(self, act: Act, seconds: float, once: str = "") -> None:
        """Write an act down, and let go of those that are older than this; 0: of none.

        :param once: what it is known by, for who may ask twice, at whatever worker: the second time changes nothing.
        """

    def acts(self, before: str, limit: int) -> list[Noted]:
        """The newest, newest first; only those before this id, unless it is empty."""

    def acts_after(self, after: str, limit: int) -> list[Noted]:
        """The oldest after this id, oldest first."""
