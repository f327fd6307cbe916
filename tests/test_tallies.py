"""The numbers of several workers are one: nothing is lost with a worker, and nothing is counted twice."""

import os
from pathlib import Path
from typing import Any

import pytest

from classwaves.metrics import METRICS
from classwaves.tallies import FOLDER, GAUGES, Workers, bury, make_folder
from classwaves.tally import Tally


class Worker:
    """A worker's tally with a folder; the numbers of its process id tell it apart."""

    def __init__(self, folder: Path, pid: int, patch: pytest.MonkeyPatch, number: int = 0) -> None:
        self.pid = pid
        self.tally = Tally()
        self.tally.sample = lambda: {"connections": {"websocket": 1}}
        self.workers = Workers(self.tally, folder, number)
        patch.setattr(os, "getpid", lambda: pid)
        self.workers.write()
        patch.undo()

    def total(self, name: str) -> Any:
        """The values of a number by their labels, or the only one."""
        rows = {tuple(labels): value for labels, value in self.workers.total()[name]}
        return rows.get((), rows)


def test_counts_and_histograms_are_added_up_and_lags_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (Worker(tmp_path, pid, monkeypatch) for pid in (1, 2))
    one.tally.emit("messageReceived", 3)
    two.tally.emit("messageReceived", 4)
    two.tally.event("sendMessage", "ok", 0.002)
    two.tally.loop.beat(2.0, two.tally.loop.now() + 60)
    two.workers.write()
    assert one.total("deliveries") == 7
    assert one.total("sent") == {("messageReceived",): 2}
    assert one.total("events") == {("sendMessage", "ok"): 1}
    assert one.total("connections") == {("websocket",): 2}
    assert one.total("handled")[("sendMessage",)][:3] == [0.002, 0, 1]
    assert one.total("loop_lag_now") == 2
    assert one.total("workers") == 2


def test_what_was_told_is_never_taken_back_by_another_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (Worker(tmp_path, pid, monkeypatch) for pid in (1, 2))
    one.tally.emit("messageReceived", 3)
    assert one.total("deliveries") == two.total("deliveries") == 3


def test_the_dead_leave_their_counts_and_take_their_gauges_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = [Worker(tmp_path, pid, monkeypatch) for pid in (1, 12, 2)]
    for worker in workers:
        worker.tally.emit("messageReceived", 1)
        worker.workers.write()
    for pid in (1, 12, 12, 99):
        bury(tmp_path, pid)
    left = workers[-1]
    assert left.total("deliveries") == 3
    assert left.total("connections") == {("websocket",): 1}
    assert left.total("workers") == 1
    assert sorted(path.name for path in tmp_path.glob("0-1*")) == []


def test_who_has_read_a_file_just_before_it_was_buried_counts_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (Worker(tmp_path, pid, monkeypatch) for pid in (1, 2))
    one.tally.emit("messageReceived", 5)
    one.workers.write()
    (file,) = tmp_path.glob("0-1-*.json")
    content = file.read_text()
    bury(tmp_path, 1)
    file.write_text(content)  # as if it had been read before
    assert two.total("deliveries") == 5


def test_applications_of_one_process_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (Worker(tmp_path, 1, monkeypatch, number) for number in (0, 1))
    first.tally.emit("messageReceived", 5)
    assert (first.total("deliveries"), second.total("deliveries")) == (5, 0)


def test_a_folder_that_is_gone_is_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(tmp_path / "gone", 1, monkeypatch)
    worker.tally.emit("messageReceived", 5)
    assert worker.total("deliveries") == 5
    assert worker.total("failures") == {("metrics",): 2}
    assert [record.getMessage() for record in caplog.records] == [
        "the numbers of this worker could not be written: No such file or directory"
    ]


def test_a_master_makes_its_folder_once_and_removes_what_others_have_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(FOLDER, str(tmp_path / "cw-numbers-1-of-the-master-before"))
    old, new = (tmp_path / f"cw-numbers-{name}" for name in ("3-old", "4-new"))
    for other in (old, new):
        other.mkdir()
    os.utime(old, (0, 0))
    folder = make_folder()
    assert make_folder() == folder == Path(os.environ[FOLDER])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (old.exists(), new.exists()) == (False, True)


def test_what_is_no_count_is_a_gauge() -> None:
    assert {spec.source for spec in METRICS if spec.type == "gauge"} == GAUGES


def test_every_number_of_a_tally_has_a_name_in_prometheus() -> None:
    raw = Tally().raw()
    assert {spec.source for spec in METRICS} - GAUGES <= set(raw) <= {spec.source for spec in METRICS}
