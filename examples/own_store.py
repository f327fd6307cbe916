"""A store of your own: what is said in a class is on the disk before anybody is told that it is stored.

    pip install classwaves
    CLASSWAVES_DEMO=1 TAPE=/var/tmp/tape gunicorn -c python:classwaves.gunicorn_conf 'own_store:create_app()'

It is ClassWaves' store in memory, which writes one file a session, CODE-ID.jsonl, one line an entry; ``tail -f`` shows
a class. Everything else is inherited, and the suite classwaves.testing.suites.StoreContract says whether all promises
still hold. One worker, because the memory is its own. A tape knows names and texts: an erased user is still on it. For
most schools docs/archive.md is better: SQL, any number of workers, a second behind.

Next: classwaves/store/base.py says what each method of a store must do, docs/testing.md how to run the suite.
"""

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import Flask

from classwaves import ClassWaves, Settings, SettingsError
from classwaves.errors import StoreUnavailable
from classwaves.models import Draft, iso
from classwaves.store import Limits, MemoryStore
from classwaves.store.base import Appended


class TapeStore(MemoryStore):
    """A store in memory with a tape of each session in a folder."""

    def __init__(self, limits: Limits, folder: Path) -> None:
        super().__init__(limits)
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._taped: dict[str, tuple[int, int]] = {}  # session id -> seq of the newest entry on its tape, and its size
        self._tape = threading.Lock()

    def append(self, session_id: str, drafts: Sequence[Draft], **how: Any) -> Appended:
        """Append, and come back when it is on the disk. A full disk is SERVICE_UNAVAILABLE.

        The client sends it again with the same id, which stores nothing twice, and this writes what is still missing.
        """
        appended = super().append(session_id, drafts, **how)
        try:
            self._write(session_id)
        except OSError as error:
            raise StoreUnavailable(f"the tape cannot be written: {error.strerror}") from error
        return appended

    def _write(self, session_id: str) -> None:
        """Write what the tape does not have. Arrivals and departures, which the store appends itself, come with it."""
        entries = self.read(session_id, self._taped.get(session_id, (0, 0))[0], 10_000)
        record = self.record(session_id)
        with self._tape:
            newest, size = self._taped.get(session_id, (0, 0))
            fresh = [entry for entry in entries if entry.seq > newest]
            if not fresh or record is None:
                return  # somebody else has written it meanwhile
            with (self._folder / f"{record.code}-{session_id}.jsonl").open("a") as tape:
                tape.truncate(size)  # the disk was full in the middle of a line
                for entry in fresh:
                    line = {"seq": entry.seq, "time": iso(entry.time), "event": entry.draft.event}
                    print(json.dumps({**line, "author": entry.draft.author, "data": entry.draft.data}), file=tape)
                tape.flush()
                os.fsync(tape.fileno())
                self._taped[session_id] = fresh[-1].seq, tape.tell()


def make_store(settings: Settings) -> TapeStore:
    if settings.store_kind != "memory":
        raise SettingsError("own_store.py keeps everything in its own memory; leave REDIS_URL out")
    return TapeStore(Limits(settings.log_entries, settings.log_bytes, settings.dedupe_keys), Path(os.environ["TAPE"]))


def create_app() -> Flask:
    app = Flask(__name__)
    ClassWaves(app, store=make_store)
    return app
