"""The archive: the log of every session in SQL, for good. Only this package knows SQLAlchemy, and only if it is used.

``base`` says what the rest of the package may ask of an archive; ``sql`` does it.
"""

from __future__ import annotations

import importlib.util
import logging

from ..settings import Settings, SettingsError
from .base import Archive as Archive

logger = logging.getLogger(__name__)


def open_archive(settings: Settings) -> Archive | None:
    """The archive that these settings mean, if they mean one. Nothing is connected yet.

    :raises SettingsError: what was asked for needs a library that is not installed, or is no address.
    """
    if not settings.archives:
        return None
    _check(settings.archive_url)
    from .sql import SqlArchive  # only who has an archive pays for importing SQLAlchemy

    try:
        return SqlArchive(settings.archive_url or _default(settings))
    except ValueError:  # which may have the password in its text
        raise SettingsError("CLASSWAVES_ARCHIVE_URL is not the address of a database.") from None


def _check(url: str) -> None:
    if importlib.util.find_spec("sqlalchemy") is None:
        raise SettingsError("CLASSWAVES_ARCHIVE_URL needs SQLAlchemy: pip install 'classwaves[archive]'.")
    if url.startswith("postgresql") and importlib.util.find_spec("psycopg") is None:
        raise SettingsError("CLASSWAVES_ARCHIVE_URL needs psycopg: pip install 'classwaves[postgres]'.")


def _default(settings: Settings) -> str:
    folder = settings.data_folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:  # said once; whoever has asked for no archive needs none to start
        logger.warning("the archive has no folder (%s): set CLASSWAVES_DATA_DIR", error.strerror)
    return f"sqlite:///{folder / 'archive.sqlite3'}"
