"""Publishing without a socket: a route, a task or a script puts an event into a session's log, for everybody in it.

Imports what events are made of, features and the store; no Flask and no sockets, so that a plain script can use it.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Self

from .errors import ClassWavesError, StaleFence
from .events import stored
from .features.chat import check_text, system_message
from .features.groups import all_groups
from .live import folded
from .models import Draft, SessionRecord, new_id, normalize_code
from .payloads import Text, identifier, user_identifier
from .published import TAKEN as TAKEN
from .published import check_audience, check_name, checked, payload, valid
from .replica import FOLD_VERSION
from .settings import Settings
from .signals import Herald
from .store import Store, open_store
from .store.base import encode_draft
from .trail import PUBLISH, about, part_of, run_step

logger = logging.getLogger(__name__)

TRIES = 5

_DEFAULTS = Settings()


class Outlet(NamedTuple):
    """Where events go, and what they may measure."""

    store: Store
    max_event_bytes: int
    max_message_length: int
    herald: Herald = Herald()


class _Ground(NamedTuple):
    """What an append relies on."""

    fences: dict[str, int]
    members: tuple[str, ...]
    record: SessionRecord


class Publishes:
    """Whoever can publish. No user stands behind it, so no permission and no rate is checked: that is the caller's.

    All methods may be called from several threads.
    """

    def _outlet(self) -> Outlet:
        raise NotImplementedError

    def publish(
        self,
        session_code: str,
        event: str,
        data: Mapping[str, Any],
        *,
        audience: str = "all",
        members: Sequence[str] = (),
        author: str = "",
        key: str | None = None,
    ) -> dict[str, Any]:
        """Append an event of your own to a session's log. Everybody gets it in its place, also who comes back later.

        :param event: its name, none of the classroom's own events.
        :param data: its payload; delivery adds ``sessionCode``, ``seq`` and ``timestamp``.
        :param audience: ``all``, ``staff``, ``user`` (those in ``members``) or ``group`` (those, and staff).
        :param members: user ids.
        :param author: the id of the user who caused it, for the export of the log.
        :param key: makes it safe to repeat: in one session an event of this name is stored once with the same key,
            and the second time gets the first answer. 1 to 64 characters; no client's key is the same.
        :returns: ``{seq, timestamp}``.
        :raises ValueError: the name is taken; ``members`` without an audience that has them; not a user id or a key.
        :raises ClassWavesError: ``INVALID_PAYLOAD``, ``PAYLOAD_TOO_LARGE``, ``SESSION_NOT_FOUND``, ``SESSION_ENDED``;
            ``SERVICE_UNAVAILABLE``: it is not known to be stored, so repeat it with the same key.
        """
        check_name(event)
        check_audience(audience, members)
        if author:
            checked(user_identifier(), author, "author")
        with part_of(PUBLISH, event):
            draft = Draft(event, payload(data), author, audience, tuple(members))
            return self._append(session_code, draft, key)

    def say(
        self, session_code: str, text: str, *, group_id: str | None = None, key: str | None = None
    ) -> dict[str, Any]:
        """Put a system message into the chat, for everybody or for a group and staff, whoever may write at the moment.

        :param key: as for :meth:`publish`.
        :returns: ``{seq, timestamp, messageId}``.
        :raises ValueError: not a key.
        :raises ClassWavesError: what :meth:`publish` raises; ``GROUP_NOT_FOUND``.
        """
        valid(Text(), text, "message")
        check_text(text, self._outlet().max_message_length)
        if group_id is not None:
            valid(identifier(), group_id, "groupId")
        audience = "all" if group_id is None else "group"
        with part_of(PUBLISH, "messageReceived"):
            draft = Draft("messageReceived", system_message(text, group_id), audience=audience, id_field="messageId")
            return self._append(session_code, draft, key)

    def _append(self, session_code: str, draft: Draft, key: str | None) -> dict[str, Any]:
        if key is not None:
            checked(identifier(), key, "key")
        store, max_bytes, _, herald = self._outlet()
        if len(encode_draft(replace(draft, trace=""))) > max_bytes:
            raise ClassWavesError("PAYLOAD_TOO_LARGE", details={"maxBytes": max_bytes})
        code = normalize_code(session_code)
        session_id = store.session_id(code) if code else None
        if session_id is None:
            raise ClassWavesError("SESSION_NOT_FOUND")
        about(session_id)
        # a client's begin with a digit, a worker's own with a hyphen
        dedupe = f"-{new_id()}" if key is None else f"publisher:{draft.event}\0{key}"
        try:
            done = run_step("classwaves.append", _attempt, store, session_id, draft, dedupe, herald)
            logger.debug("published", extra={"seq": done["seq"]})
            return done
        except ClassWavesError as error:
            # what was carried out keeps its answer, whatever has happened since
            first = store.find(session_id, dedupe) if key is not None and not error.spec.retryable else None
            if first is None:
                raise
            return stored(first, first.draft.id_field)


def _attempt(store: Store, session_id: str, draft: Draft, dedupe: str, herald: Herald) -> dict[str, Any]:
    for _ in range(TRIES):
        ground = _ground(store, session_id, draft)
        wanted = replace(draft, members=ground.members)
        try:
            appended = store.append(session_id, [wanted], dedupe=dedupe, fences=ground.fences)
        except StaleFence:
            continue
        if not appended.duplicate:
            herald.appended(ground.record, [wanted], appended.seq, appended.epoch, appended.time)
        return stored(appended, draft.id_field)
    raise ClassWavesError("SERVICE_UNAVAILABLE", retry_after_ms=100)


def _ground(store: Store, session_id: str, draft: Draft) -> _Ground:
    """Look whether the session takes it. :raises ClassWavesError: it does not, and why."""
    if group_id := draft.data.get("groupId") if draft.event == "messageReceived" else None:
        return _group_ground(store, session_id, group_id)
    found = store.standing(session_id)
    if found is None:
        raise ClassWavesError("SESSION_NOT_FOUND")
    record, fence = found
    _check_status(record.status)
    return _Ground({"session": fence}, draft.members, record)


def _group_ground(store: Store, session_id: str, group_id: str) -> _Ground:
    """The same for a group's message, whose members only the whole session tells."""
    loaded = store.load(session_id, FOLD_VERSION)
    replica = folded(loaded) if loaded else None
    if replica is None or replica.record is None:
        raise ClassWavesError("SESSION_NOT_FOUND")
    _check_status(replica.record.status)
    group = next((one for one in all_groups(replica) if one["groupId"] == group_id), None)
    if group is None:
        raise ClassWavesError("GROUP_NOT_FOUND")
    fences = {name: replica.fence(name) for name in ("session", f"group:{group_id}")}
    return _Ground(fences, tuple(group["members"]), replica.record)


def _check_status(status: str) -> None:
    if status == "ended":
        raise ClassWavesError("SESSION_ENDED")


class Publisher(Publishes):
    """Publishes from a process that serves nobody: a script, a Celery task, a cron job.

    It connects when it is first used, in each process anew after a fork, and needs neither Flask nor gevent.

    :param url: of the Redis that the server has, its ``REDIS_URL``.
    :param prefix: the server's ``CLASSWAVES_REDIS_PREFIX``.
    :param timeout: patience with one command, in seconds.
    :param max_event_bytes: the server's ``CLASSWAVES_MAX_EVENT_BYTES``.
    :param max_message_length: the server's ``CLASSWAVES_MAX_MESSAGE_LENGTH``.
    :param dedupe_keys: the server's ``CLASSWAVES_DEDUPE_KEYS``.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = _DEFAULTS.redis_prefix,
        timeout: float = _DEFAULTS.redis_timeout,
        max_event_bytes: int = _DEFAULTS.max_event_bytes,
        max_message_length: int = _DEFAULTS.max_message_length,
        dedupe_keys: int = _DEFAULTS.dedupe_keys,
    ) -> None:
        self._settings = Settings(
            store="redis",
            redis_url=url,
            redis_prefix=prefix,
            redis_timeout=timeout,
            max_event_bytes=max_event_bytes,
            max_message_length=max_message_length,
            dedupe_keys=dedupe_keys,
        )
        self._begin()
        begin = weakref.WeakMethod(self._begin)
        os.register_at_fork(after_in_child=lambda: (method := begin()) and method())

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._store: Store | None = None

    def _outlet(self) -> Outlet:
        with self._lock:
            if self._store is None:
                self._store = open_store(self._settings)
            return Outlet(self._store, self._settings.max_event_bytes, self._settings.max_message_length, Herald())

    def close(self) -> None:
        """End its connections. It connects again if it is used again."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
