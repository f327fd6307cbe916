"""Where shared files are kept: both kinds of storage do the same, and say so when they cannot."""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from classwaves.errors import StoreUnavailable
from classwaves.settings import Settings, SettingsError
from classwaves.storage import DiskStorage, Storage, TemporaryStorage, open_storage
from classwaves.storage.s3 import S3Storage
from classwaves.testing.suites import StorageContract
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.uploads import BUCKET
from tests.support.uploads import place as place
from tests.support.uploads import s3 as s3
from tests.support.uploads import s3_process as s3_process


def storage_at(place: str) -> Storage:
    storage = open_storage(Settings.load({**TEST_KEYS, "CLASSWAVES_FILES": place}, {}))
    assert storage is not None
    return storage


class TestEveryStorage(StorageContract):
    @pytest.fixture
    def storage(self, place: str) -> Iterator[Storage]:
        made = storage_at(place)
        yield made
        made.close()


def test_one_place_beside_another(place: str) -> None:
    one, other = storage_at(f"{place}/one"), storage_at(f"{place}/other/")
    one.put("s", "f", 0, b"of one")
    other.put("s", "f", 0, b"of the other")
    other.delete("s", "f")
    assert one.get("s", "f", 0) == b"of one"
    assert other.files("s") == []


def test_a_disk_keeps_it_for_its_user(tmp_path: Path) -> None:
    DiskStorage(tmp_path / "files").put("s", "f", 0, b"mine")
    (path,) = (tmp_path / "files" / "s" / "f").iterdir()  # and nothing that was in the way
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_trouble_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="classwaves")
    (tmp_path / "files").write_text("in the way")
    storage = DiskStorage(tmp_path / "files")
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            storage.put("s", "f", 0, b"x")
    os.unlink(tmp_path / "files")
    storage.put("s", "f", 0, b"x")
    assert [record.message for record in caplog.records] == [
        "the storage of files does not work: NotADirectoryError",
        "the storage of files works again",
    ]


def test_a_bucket_that_is_not_there(s3: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    storage = S3Storage("s3://no-such-bucket")
    for task in (lambda: storage.put("s", "f", 0, b"x"), storage.sessions, lambda: storage.delete("s", "f")):
        with pytest.raises(StoreUnavailable):
            task()
    assert len([record for record in caplog.records if record.name.startswith("classwaves")]) == 1
    storage.close()


def test_what_a_bucket_does_not_delete_is_said(s3: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """Who may not delete gets a 200 that lists what was denied; who erases a user must not think that it is gone."""
    storage = S3Storage(f"s3://{BUCKET}/kept")
    storage.put("s", "f", 0, b"x")

    def deny(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Errors"] = [{"Key": "kept/s/f/0", "Code": "AccessDenied", "Message": "Access Denied"}]

    storage._client.meta.events.register("after-call.s3.DeleteObjects", deny)
    with pytest.raises(StoreUnavailable):
        storage.delete("s", "f")
    assert [record.message for record in caplog.records if record.name.startswith("classwaves")] == [
        "the storage of files does not work: ClientError"
    ]
    storage.close()


def test_a_bucket_that_lets_everything_be_written_twice(s3: dict[str, str]) -> None:
    storage = S3Storage(f"s3://{BUCKET}/old")
    storage._guards = False  # after it has said so once
    storage.put("s", "f", 0, b"first")
    assert storage.get("s", "f", 0) == b"first"
    storage.close()


def test_a_store_in_memory_leaves_no_files_behind() -> None:
    storage = open_storage(Settings.load(TEST_KEYS, {}))
    assert isinstance(storage, TemporaryStorage)
    storage.put("s", "f", 0, b"x")
    folder = storage._root
    assert folder.exists()
    storage.close()
    assert not folder.exists()


def test_the_settings_name_the_place(tmp_path: Path) -> None:
    def opened(**config: str) -> Storage | None:
        return open_storage(Settings.load({**TEST_KEYS, "REDIS_URL": "redis://nowhere", **config}, {}))

    default = opened(CLASSWAVES_DATA_DIR=str(tmp_path))
    assert isinstance(default, DiskStorage)
    assert default._root == tmp_path / "files"
    assert opened(CLASSWAVES_FILES="none") is None
    with pytest.raises(SettingsError, match="CLASSWAVES_FILES names no bucket"):
        opened(CLASSWAVES_FILES="s3:///files")


def test_s3_needs_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "classwaves.storage.s3", None)
    with pytest.raises(SettingsError, match=r"pip install 'classwaves\[s3\]'"):
        storage_at(f"s3://{BUCKET}")
