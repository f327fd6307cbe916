"""Where shared files live. ``base`` says what a storage must be able to do; two do it."""

from __future__ import annotations

from pathlib import Path

from ..settings import Settings, SettingsError
from .base import Storage as Storage
from .disk import DiskStorage as DiskStorage
from .disk import TemporaryStorage as TemporaryStorage


def open_storage(settings: Settings) -> Storage | None:
    """The storage that these settings mean, ``None`` if no files are shared. Nothing is written yet.

    :raises SettingsError: it needs boto3, which is not installed.
    """
    place = settings.files
    if place == "none":
        return None
    if place.startswith("s3://"):
        try:
            from .s3 import S3Storage  # only who uses S3 needs boto3
        except ImportError:
            raise SettingsError(f"CLASSWAVES_FILES={place} needs boto3: pip install 'classwaves[s3]'.") from None
        return S3Storage(place)
    if not place and settings.store_kind == "memory":
        return TemporaryStorage()  # or it would keep what no log knows of after the process has ended
    return DiskStorage(Path(place) if place else settings.data_folder / "files")
