"""What there is on all servers: sessions, and the workers that serve them."""

from __future__ import annotations

import itertools
import json
from typing import Any

import click

from ..models import SessionRecord, iso
from ..store import Store, open_store
from ..store.looks import Lease
from .drain import correspondence
from .group import cli, shared_state
from .tables import ago, table

STATUSES = ("created", "active", "paused", "ended")
PAGE = 200
#: How long workers may take to answer, in seconds.
PATIENCE = 2.0


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
    """List the workers of all machines: whether they renew their leases, where they are, how many sockets they have.

    One whose lease has ended is dead; others settle what it has left. One without a pid has not answered.
    """
    state = shared_state()
    leases = state.store.leases()
    with correspondence(open_store(state.settings)) as letters:
        roll = {one["worker"]: one for one in letters.roll(PATIENCE, expected=sum(one.seconds > 0 for one in leases))}
    found = [_worker(lease, roll.get(lease.worker, {})) for lease in leases]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    heads = ("worker", "lease", "sessions", "host", "pid", "sockets", "state")
    table(heads, [_cells(one) for one in found])


def _worker(lease: Lease, answer: dict[str, Any]) -> dict[str, Any]:
    about = {name: answer.get(name) for name in ("host", "pid", "sockets", "draining")}
    return {"worker": lease.worker, "leaseSeconds": lease.seconds, "sessions": lease.sessions, **about}


def _cells(one: dict[str, Any]) -> list[str]:
    seconds = one["leaseSeconds"]
    life = f"{seconds:.0f}s" if seconds > 0 else f"ended {ago(-seconds)} ago"
    state = "no answer" if one["pid"] is None else "draining" if one["draining"] else "serving"
    about = ["-" if one[name] is None else str(one[name]) for name in ("host", "pid", "sockets")]
    return [one["worker"], life, str(len(one["sessions"])), *about, state]
