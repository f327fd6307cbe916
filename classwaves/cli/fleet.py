"""What there is on all servers: sessions, and the workers that serve them."""

from __future__ import annotations

import itertools
import json
from typing import Any

import click

from ..models import SessionRecord, iso
from ..store import Store
from .group import cli, shared_state
from .tables import ago, table

STATUSES = ("created", "active", "paused", "ended")
PAGE = 200


@cli.command("sessions")
@click.option("--status", type=click.Choice(STATUSES), help="Only those.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many, the newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, with ids and titles.")
def sessions(status: str | None, limit: int, as_json: bool) -> None:
    """List the sessions that the store holds: how many are in them, which workers serve them, how long the log is."""
    store = shared_state().store
    found = _described(store, list(itertools.islice(_records(store, status), limit)))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    heads = ("code", "status", "connected", "workers", "seq", "age")
    table(
        heads,
        [[str(one[head]) if head != "workers" else " ".join(one[head]) or "-" for head in heads] for one in found],
    )


def _records(store: Store, status: str | None) -> Any:
    offset = 0
    while page := store.list_sessions(None, offset, PAGE):
        yield from (record for record in page if status in (None, record.status))
        offset += len(page)


def _described(store: Store, records: list[SessionRecord]) -> list[dict[str, Any]]:
    ids, now = [record.id for record in records], store.now()
    seqs, connected = store.positions(ids), store.connected(ids)
    alive = [lease for lease in store.leases() if lease.seconds > 0]
    return [
        {
            "code": record.code,
            "id": record.id,
            "title": record.title,
            "status": record.status,
            "connected": connected[record.id],
            "workers": [lease.worker for lease in alive if record.id in lease.sessions],
            "seq": seqs.get(record.id, 0),
            "createdAt": iso(record.created_at),
            "age": ago((now - record.created_at) / 1000),
        }
        for record in records
    ]


@cli.command("workers")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def workers(as_json: bool) -> None:
    """List the workers that have had a socket, on all machines, and whether they still renew their leases."""
    leases = shared_state().store.leases()
    if as_json:
        shown = [{"worker": one.worker, "leaseSeconds": one.seconds, "sessions": one.sessions} for one in leases]
        click.echo(json.dumps(shown, indent=2))
        return
    rows = [[one.worker, _life(one.seconds), str(len(one.sessions))] for one in leases]
    table(("worker", "lease", "sessions"), rows)


def _life(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds > 0 else f"ended {ago(-seconds)} ago"
