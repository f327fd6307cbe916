"""A shop's own event on two servers with one Redis: what it is in memory, and in the archive."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from classwaves.archive.sql import SqlArchive
from tests.support.board import BoardServer
from tests.support.clients import Api, RawClient
from tests.support.waiting import eventually


def test_two_servers_are_one_classroom(redis_url: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'archive.db'}"
    env = {"REDIS_URL": redis_url, "CLASSWAVES_ARCHIVE_URL": url, "CLASSWAVES_RATELIMIT_ENABLED": "0"}
    with BoardServer(env=env) as one, BoardServer(env=env) as other:
        api = Api(one.url)
        grace = api.token("teacher")
        code = api.new_session(grace)
        teacher, ann = RawClient(one.url, grace), RawClient(other.url, api.guest(code, "Ann"))
        with closing(teacher), closing(ann):
            began = teacher.join(code)
            ann.join(code)
            stroke = {"sessionCode": code, "points": [1, 2], "clientMessageId": "one"}
            first = ann.ask("boardStroke", stroke)
            assert first == ann.ask("boardStroke", stroke), "stored once"
            assert ann.ask("boardStroke", {**stroke, "points": "x"})["error"]["code"] == "INVALID_PAYLOAD"
            for client in (teacher, ann):
                for event in ("strokeBegan", "strokeHeardOf"):  # who reads the log, and not the feed, hears this first
                    client.wait_for(event)
                told = [(name, data) for name, data in client.inbox if name in ("strokeBegan", "boardStroked")]
                assert [name for name, _ in told].count("boardStroked") == 1
                assert ("boardStroked", {"sessionCode": code, "points": [1, 2], **_of(first)}) in told
                assert ("strokeBegan", {"sessionCode": code, "by": ann.ready["userId"]}) in told
            where = {"sessionCode": code, "sinceSeq": began["seq"], "epoch": began["epoch"]}
            missed = [one["event"] for one in teacher.ask("syncSession", where)["missed"]]
            assert missed == ["boardStroked", "strokeHeardOf"], "one signal, though two servers listen"
        archive = SqlArchive(url)
        with closing(archive):
            eventually(lambda: "boardStroked" in _archived(archive, code), what="the event in the archive")


def _of(ack: dict[str, Any]) -> dict[str, Any]:
    return {name: ack[name] for name in ("seq", "timestamp")}


def _archived(archive: SqlArchive, code: str) -> list[str]:
    past = archive.find(code)
    return [entry.draft.event for entry in archive.entries(past.record.id)] if past else []


pytestmark = pytest.mark.xdist_group("two processes")
