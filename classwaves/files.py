"""Shared files behind the log: their chunks, what must be true of them, and the end of what nobody needs.

Imports errors, models, store, storage and live. The log says which files there are and the store which are on their
way; whatever else the storage has is swept.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from .errors import ClassWavesError, StoreUnavailable
from .filetypes import TypeCheck
from .live import folded
from .models import new_id
from .replica import FOLD_VERSION, Replica
from .scheduler import Scheduler
from .settings import Settings
from .storage import Storage, open_storage
from .store import Store
from .store.base import Upload
from .tally import add

logger = logging.getLogger(__name__)

#: How large every chunk is, in bytes, but the last one of a file.
CHUNK = 262_144
#: What an event with a chunk has beside it, at the most.
AROUND = 4096

#: The fence of which files there are.
FENCE = "files"

#: An id is that of the session and so many characters, which :func:`~classwaves.models.new_id` makes.
TAIL = 22
FILE_ID = re.compile(rf"[A-Za-z0-9_-]+[A-Za-z0-9_-]{{{TAIL}}}")
SESSION_ID = re.compile(rf"[A-Za-z0-9_-]{{{TAIL}}}")


def new_file_id(session_id: str) -> str:
    """The id of a new file, by which its session is found. It is hard to guess, and grants nothing."""
    return session_id + new_id()


def session_of(file_id: str) -> str:
    """The id of the session of a file. :raises ClassWavesError: ``FILE_NOT_FOUND``: it is none of ours."""
    if not FILE_ID.fullmatch(file_id):
        raise ClassWavesError("FILE_NOT_FOUND")
    return file_id[:-TAIL]


def chunks_of(size: int) -> int:
    """How many chunks a file of so many bytes has."""
    return -(-size // CHUNK)


def shared(replica: Replica) -> Mapping[str, dict[str, Any]]:
    """The files of a session by their ids: what ``fileShared`` said, with ``seq`` and ``timestamp``."""
    files: Mapping[str, dict[str, Any]] = replica.state.get("files", {})
    return files


def rejected(reason: str, message: str, **more: Any) -> ClassWavesError:
    """A ``FILE_REJECTED`` that says why, for a program: ``details: {reason}``."""
    return ClassWavesError("FILE_REJECTED", message, details={"reason": reason, **more})


class Files:
    """The files of all sessions, as one worker reaches them.

    :param store: what is on its way, and the logs.
    :param storage: where the chunks are, if not where the settings say.
    """

    def __init__(self, store: Store, settings: Settings, storage: Storage | None = None) -> None:
        self._store = store
        self._settings = settings
        self._storage = storage or open_storage(settings)
        self._sweeping = threading.Lock()
        #: session -> where its log was when a sweep looked at it, and the files that were in it
        self._known: dict[str, tuple[int, set[str]]] = {}
        #: Which files are still wanted of a session that the store does not know any more; ``None``: nobody knows it.
        self.kept: Callable[[str], Collection[str] | None] = lambda session_id: None

    @property
    def enabled(self) -> bool:
        """Whether files may be shared at all: there is a place for them, and a chunk fits into a packet."""
        return self._storage is not None and self._settings.max_packet_bytes >= (CHUNK + AROUND) * 4 // 3

    @property
    def storage(self) -> Storage:
        """Where the chunks are. :raises ClassWavesError: ``FILE_NOT_FOUND``: nowhere."""
        if self._storage is None:
            raise ClassWavesError("FILE_NOT_FOUND")
        return self._storage

    def delete(self, session_id: str, file_id: str) -> None:
        """Let go of the chunks of a file."""
        if self._storage is not None:
            self._storage.delete(session_id, file_id)

    def delete_unless_shared(self, session_id: str, file_id: str) -> None:
        """The same for a file that is no upload any more. A file is shared before its upload ends."""
        self._delete(session_id, {file_id} - self._in_log(session_id))

    def start(self, scheduler: Scheduler) -> None:
        """Sweep from now on, in a thread of its own: the scheduler renews the lease."""
        if self._storage is not None:
            scheduler.every(self._settings.upload_timeout / 2, self._sweep_beside)

    def close(self) -> None:
        if self._storage is not None:
            self._storage.close()

    # reading

    def check(self, upload: Upload) -> None:
        """Read a file that has come, chunk by chunk, and see that it is what its sender said.

        :raises ClassWavesError: ``FILE_REJECTED``; the reason is ``size``, ``hash`` or ``type``.
        """
        digest, kind, size = hashlib.sha256(), TypeCheck(upload.mime_type), 0
        for chunk in self.read(upload.id, 0, upload.size):
            digest.update(chunk)
            kind.feed(chunk)
            size += len(chunk)
            time.sleep(0)  # everybody else first
        if size != upload.size:
            raise rejected("size", "The file is not as long as it should be")
        if digest.hexdigest() != upload.sha256:
            raise rejected("hash", "The file's SHA-256 is another one")
        if not kind.agrees():
            raise rejected("type", f"The file is not of the type {upload.mime_type}")

    def read(self, file_id: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes of a file from ``start`` to before ``stop``, a chunk at a time.

        :raises ClassWavesError: ``FILE_NOT_FOUND``: a chunk is not there (any more).
        """
        session_id = session_of(file_id)
        for index in range(start // CHUNK, chunks_of(stop)):
            chunk = self.storage.get(session_id, file_id, index)
            if chunk is None:
                raise ClassWavesError("FILE_NOT_FOUND")
            first = index * CHUNK
            yield chunk[max(0, start - first) : stop - first]

    # the end of files

    def forget_user(self, session_id: str, user_id: str) -> list[str]:
        """Delete what a user has shared or begun to share in a session, and return the ids of what was shared.

        The log still says that they were shared: see :mod:`classwaves.personal`.
        """
        if self._storage is None:
            return []
        for upload in self._store.uploads(session_id):
            if upload.user_id == user_id:
                self._store.end_upload(session_id, upload.id)
                self.delete(session_id, upload.id)
        loaded = self._store.load(session_id, FOLD_VERSION)
        mine = [one["fileId"] for one in shared(folded(loaded)).values() if one["userId"] == user_id] if loaded else []
        for file_id in mine:
            self.delete(session_id, file_id)
        return mine

    def _sweep_beside(self) -> None:
        if self._sweeping.acquire(blocking=False):
            threading.Thread(target=self._sweep_once, name="classwaves-files", daemon=True).start()

    def _sweep_once(self) -> None:
        try:
            self.sweep()
        except StoreUnavailable:
            logger.info("the store or the storage is away; files are swept another time")
        except Exception:
            logger.exception("files could not be swept")
            self._store.tally.fail("files")
        finally:
            self._sweeping.release()

    def sweep(self) -> None:
        """Give up uploads that nothing comes of, and delete what neither an upload nor a log knows."""
        for session_id in self._store.due_uploads(self._settings.upload_timeout):
            ended = self._store.end_idle_uploads(session_id, self._settings.upload_timeout)
            if ended:
                logger.info("%d uploads of which nothing came were given up", len(ended))
                add(self._store.tally.uploads, "abandoned", len(ended))
                self._delete(session_id, set(ended) - self._in_log(session_id))
        sessions = self.storage.sessions()
        there = self._store.positions(sessions)
        self._known = {session_id: known for session_id, known in self._known.items() if session_id in there}
        for session_id in sessions:
            if session_id in there:
                self._sweep_session(session_id, there[session_id])
            else:
                self._sweep_past(session_id)

    def _files(self, session_id: str) -> set[str]:
        """The files of which there is something. What has another name is not ours, and nobody else's is deleted."""
        return {one for one in self.storage.files(session_id) if FILE_ID.fullmatch(one) and one[:-TAIL] == session_id}

    def _is_old(self, session_id: str, file_id: str) -> bool:
        return self.storage.touched(session_id, file_id) < time.time() - self._settings.upload_timeout

    def _sweep_session(self, session_id: str, seq: int) -> None:
        """Old files that nobody knows: of a worker that died, or of a store that has lost something.

        :param seq: where the log is; if nothing was added to it, the files that were in it are in it still.
        """
        before, known = self._known.get(session_id, (0, set()))
        unknown = self._files(session_id) - (known if before == seq else set())
        unknown -= {upload.id for upload in self._store.uploads(session_id)}
        if unknown:
            in_log = self._in_log(session_id)
            self._known[session_id] = seq, in_log
            self._delete(session_id, [one for one in unknown - in_log if self._is_old(session_id, one)])

    def _sweep_past(self, session_id: str) -> None:
        """Files of a session that the store has let go of."""
        there = self._files(session_id)
        old = {one for one in there if self._is_old(session_id, one)}
        if old:
            old -= set(self.kept(session_id) or ())
            self._delete(session_id, old)
        if old == there and SESSION_ID.fullmatch(session_id):
            self.storage.tidy(session_id)

    def _in_log(self, session_id: str) -> set[str]:
        """The files of a session; not as this worker knows them, which may be behind."""
        loaded = self._store.load(session_id, FOLD_VERSION)
        return set(shared(folded(loaded))) if loaded else set()

    def _delete(self, session_id: str, file_ids: Collection[str]) -> None:
        for file_id in file_ids:
            self.delete(session_id, file_id)
