"""Files on their way, in this process.

Imports the store's base and what the parts of the store in memory share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .base import Room, Upload, no_room
from .memory_base import MemoryPart, Session


class MemoryUploads(MemoryPart):
    """The :class:`~classwaves.store.base.Uploads` in memory."""

    def begin_upload(self, session_id: str, upload: Upload, room: Room, fences: Mapping[str, int]) -> Upload:
        with self._lock:
            session = self._session(session_id)
            self._check_fences(session, fences)
            others = [other for other, _ in session.uploads.values()]
            mine = [other for other in others if other.user_id == upload.user_id]
            for other in mine:
                if other.client_id == upload.client_id:
                    return other
            if room.files <= len(others):
                raise no_room("files")
            if room.bytes - sum(other.size for other in others) < upload.size:
                raise no_room("quota")
            if room.uploads <= len(others) or room.own_uploads <= len(mine):
                raise no_room("uploads")
            return self._keep_upload(session, upload)

    def _keep_upload(self, session: Session, upload: Upload) -> Upload:
        session.uploads[upload.id] = upload, self._clock()
        return upload

    def upload(self, session_id: str, file_id: str) -> Upload | None:
        with self._lock:
            session = self._held(session_id)
            found = session.uploads.get(file_id) if session else None
            return found[0] if found else None

    def uploads(self, session_id: str) -> list[Upload]:
        with self._lock:
            session = self._held(session_id)
            return [upload for upload, _ in session.uploads.values()] if session else []

    def advance_upload(self, session_id: str, file_id: str, index: int) -> Upload | None:
        with self._lock:
            session, upload = self._held(session_id), self.upload(session_id, file_id)
            if session is None or upload is None or upload.stage != "open" or upload.next_index != index:
                return upload
            return self._keep_upload(session, replace(upload, next_index=index + 1))

    def seal_upload(self, session_id: str, file_id: str, stage: str) -> Upload | None:
        with self._lock:
            session, upload = self._held(session_id), self.upload(session_id, file_id)
            return self._keep_upload(session, replace(upload, stage=stage)) if session and upload else None

    def end_upload(self, session_id: str, file_id: str, *, only_open: bool = False) -> bool:
        with self._lock:
            session, upload = self._held(session_id), self.upload(session_id, file_id)
            if session is None or upload is None or (only_open and upload.stage != "open"):
                return False
            del session.uploads[file_id]
            return True

    def end_idle_uploads(self, session_id: str, older_than: float) -> list[str]:
        with self._lock:
            session = self._held(session_id)
            idle = self._idle(session, older_than) if session else []
            for file_id in idle:
                self.end_upload(session_id, file_id)
            return idle

    def _idle(self, session: Session, older_than: float) -> list[str]:
        return [key for key, (_, at) in session.uploads.items() if at <= self._clock() - older_than]

    def due_uploads(self, older_than: float) -> list[str]:
        with self._lock:
            return [key for key, session in self._sessions.items() if self._idle(session, older_than)]
