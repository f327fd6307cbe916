"""What one user has said and is called, everywhere: handed out whole, or erased.

Imports erasure, models, replica, store, files and hub. Names and texts go from the logs, their checkpoints and the
archive, files from the storage; entries keep their places, so that order and counts stay. User ids stay too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .archive.base import Said
from .erasure import belongs_to, erased
from .files import session_of
from .hub import Hub
from .models import SessionRecord
from .replica import FOLD_VERSION, Replica
from .store.base import Edit

#: How many entries, or sessions, are read at once.
PAGE = 500

#: How often all logs are gone through until one time nothing of the user was found: their last words may come late.
PASSES = 5


@dataclass(frozen=True, slots=True)
class Erased:
    """How many entries lost a name or a text, in the store and in the archive; how many files and accounts are gone."""

    entries: int
    archived: int
    files: int
    accounts: int


class PersonalData:
    """One user's data in all sessions. Both methods read all logs that the store has: neither is quick.

    :param progress: called with 1 for each session that an erase has gone through; it goes through them more than once.
    :raises ClassWavesError: ``SERVICE_UNAVAILABLE``: the store, the storage or the archive did not answer. What was
        erased is erased; again, the rest follows.
    """

    def __init__(self, hub: Hub, user_id: str, progress: Callable[[int], object] = lambda done: None) -> None:
        self._hub, self._store, self._files, self._archive = hub, hub.store, hub.files, hub.archive
        self._user_id = user_id
        self._progress = progress

    def entries(self) -> Iterator[Said]:
        """What has the user's names or texts, session by session."""
        records = list(self._sessions())
        tips = {record.id: self._archive.tip(record.id).seq if self._archive else 0 for record in records}
        ahead = set[tuple[str, str]]()  # what was archived meanwhile
        for said in self._archive.of_user(self._user_id) if self._archive else ():
            if said.entry.seq > tips.get(said.session_id, 0):
                ahead.add((said.session_id, said.entry.id))
            if belongs_to(said.entry, self._user_id):
                yield said
        for record in records:
            tip = tips[record.id]
            while page := self._store.read(record.id, tip, PAGE):
                tip = page[-1].seq
                mine = [one for one in page if belongs_to(one, self._user_id)]
                yield from (Said(record.id, record.code, one) for one in mine if (record.id, one.id) not in ahead)

    def _sessions(self) -> Iterator[SessionRecord]:
        offset = 0
        while records := self._store.list_sessions(None, offset, PAGE):
            yield from records
            offset += len(records)

    def erase(self, asking: str = "") -> Erased:
        """End the user's logins, and take out their names, texts and files; once more, and there is nothing left.

        :param asking: the auth session of a user who asks for themselves. It ends last, so that after an error they can
            ask again.
        """
        accounts, files = self._store.drop_accounts(self._user_id), set[str]()
        auths = self._store.auths_of(self._user_id)
        self._end(auth_id for auth_id in auths if auth_id != asking)
        entries, archived = self._take_out(files)
        if asking:
            self._end([asking])
            last = self._take_out(files)  # what was said until it ended
            entries, archived = entries + last[0], archived + last[1]
        return Erased(entries, archived, len(files), accounts)

    def _end(self, auth_ids: Iterable[str]) -> None:
        for auth_id in auth_ids:
            self._store.end_auth(auth_id)

    def _take_out(self, files: set[str]) -> tuple[int, int]:
        """Go through everything; ``files`` gets those that went. How many entries and how many rows are others now."""
        files |= self._erase_past_files()
        archived, entries = self._erase_archived(self._store.now()), 0
        for _ in range(PASSES):
            began, changed = self._store.now(), self._erase_stored(files)
            entries += changed
            if not changed:
                break
        # what archivers took from a log before it was rewritten, and may still be about to write
        return entries, archived + self._erase_archived(began)

    def _erase_archived(self, moment: int) -> int:
        return self._archive.erase(self._user_id, moment) if self._archive else 0

    def _erase_stored(self, files: set[str]) -> int:
        changed = 0
        for record in self._sessions():
            files.update(self._files.forget_user(record.id, self._user_id))
            if in_log := self._store.rewrite(record.id, self._edit):
                self._hub.look_again(record.id)
                changed += in_log
            self._progress(1)
        return changed

    def _erase_past_files(self) -> set[str]:
        """Before the archive forgets which ones they are."""
        shared = {
            said.entry.draft.data["fileId"]
            for said in (self._archive.of_user(self._user_id) if self._archive else ())
            if said.entry.draft.event == "fileShared" and said.entry.draft.data.get("sha256")
        }
        for file_id in shared:
            self._files.delete(session_of(file_id), file_id)
        return shared

    @property
    def _edit(self) -> Edit:
        user_id = self._user_id

        def checkpoint(text: str) -> str:
            replica = Replica.load(text)
            replica.erase(user_id)
            return replica.dump()

        return Edit(lambda entry: erased(entry, user_id), checkpoint, FOLD_VERSION, f"{len(user_id)}:{user_id}:")
