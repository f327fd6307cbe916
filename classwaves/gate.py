"""The shop's own word on who comes in: a function that is asked before a join, and refuses or lets pass.

Imports errors, explained and models. Nothing of ours is locked while it runs, so it may ask a database; the client
that waits for it is the only one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from .errors import ClassWavesError
from .explained import check_takes, is_timeout
from .models import Principal, SessionRecord

logger = logging.getLogger(__name__)


class Refuse(Exception):
    """Raised by a join guard to refuse somebody.

    :param reason: a sentence that the client is shown.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Join:
    """Somebody who wants to come in.

    :param role: ``teacher``, ``student``, ``admin``, or ``transcriber`` for a program that captions.
    :param session: the session as it is: its code, title, owner, status and settings.
    :param guest: they have a token for this session alone, and no account.
    :param staff: they own the session, or are a co-teacher or an admin.
    :param address: where they come from.
    :param reads: they do not come in, but read what was said over REST without being in the session.
    """

    user_id: str
    display_name: str
    role: str
    session: SessionRecord
    guest: bool
    staff: bool
    address: str
    reads: bool = False

    @classmethod
    def of(cls, who: Principal, session: SessionRecord, address: str, reads: bool = False) -> Join:
        staff = not who.is_transcriber and session.is_staff(who.user_id, who.role)
        guest = who.auth.guest_of is not None and not who.is_transcriber
        return cls(who.user_id, who.display_name, who.participant_role, session, guest, staff, address, reads)


#: ``None`` and ``True`` let pass; anything else, and any exception, refuses.
Guard = Callable[[Join], bool | None]


class Gate:
    """Where a shop's guard stands; open while there is none."""

    def __init__(self, guard: Guard | None = None) -> None:
        """:raises TypeError: it is no function of a join."""
        if guard is not None:
            check_takes(guard, "the join guard", "join")
        self.guard = guard

    def check(self, join: Join) -> None:
        """Ask the guard. Whatever goes wrong in it refuses.

        :raises ClassWavesError: ``SESSION_ACCESS_DENIED``, with ``details: {"reason": "guard"}``.
        """
        if self.guard is None:
            return
        reason = ""
        try:
            if self.guard(join) in (None, True):
                return
        except Refuse as refusal:
            reason = refusal.reason
        except BaseException as error:  # who cannot be looked at does not come in
            if not isinstance(error, Exception) and not is_timeout(error):
                raise
            logger.exception("the join guard failed, and nobody was let in by it")
        raise ClassWavesError("SESSION_ACCESS_DENIED", reason or None, details={"reason": "guard"})
