"""``flask classwaves drain``: workers let their clients go and take no new ones, and live on, until ``undrain``."""

from __future__ import annotations

import json
import queue
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from ..models import new_id
from ..orders import MAILBOX, is_meant
from ..store import Store, open_store
from .group import cli, note, shared_state
from .tables import Amount, bar

#: How long a worker may take to answer at all, in seconds: the machine of one that is to go may have much to do.
ANSWER = 5.0
#: How long after the last socket was due those may take that still have an event handled, in seconds.
LATE = 10.0
#: Over how long it may be, in seconds.
DAY = 86_400

Report = dict[str, Any]


class Correspondence:
    """Orders to workers, and what they answer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._answers: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._reply = f"operator:{new_id(9)}"
        store.open_mailbox(self._reply, lambda data: self._answers.put(json.loads(data)))

    def order(self, what: str, **more: Any) -> bool:
        """Send an order; ``False`` if no worker at all hears it."""
        return self._store.send_mail(MAILBOX, json.dumps({"do": what, "reply": self._reply, **more}).encode())

    def answers(self, seconds: float) -> Iterator[Report]:
        """What workers say within this time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                yield self._answers.get(timeout=left)
            except queue.Empty:
                return

    def roll(self, seconds: float, expected: int) -> list[Report]:
        """The workers that answer: as many as expected, or those that do in this time."""
        found: dict[str, Report] = {}
        if self.order("report"):
            for report in self.answers(seconds):
                found[report["worker"]] = report
                if len(found) >= expected:
                    break
        return list(found.values())

    def found(self, chosen: Mapping[str, Any]) -> set[str]:
        """The workers that are meant and answer."""
        alive = sum(lease.seconds > 0 for lease in self._store.leases())
        return {one["worker"] for one in self.roll(ANSWER, alive) if is_meant(chosen, one["worker"], one["host"])}

    def first_answers(self, workers: set[str]) -> dict[str, Report]:
        """What these workers say first, and others by the way; without those that do not answer in time."""
        reports: dict[str, Report] = {}
        for report in self.answers(ANSWER):
            reports[report["worker"]] = report
            if workers <= reports.keys():
                break
        return reports


@contextmanager
def correspondence(store: Store) -> Iterator[Correspondence]:
    try:
        yield Correspondence(store)
    finally:
        store.close()


def which(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which workers are meant."""
    for option in (
        click.option("--all", "everywhere", is_flag=True, help="All workers on all machines."),
        click.option("--host", metavar="NAME", help="Those of this machine."),
        click.option("--here", is_flag=True, help="Those of the machine on which this runs."),
        click.option(
            "--worker", "names", multiple=True, metavar="NAME", help="This one, of `workers`. May be repeated."
        ),
    ):
        command = option(command)
    return command


def meant(everywhere: bool, host: str | None, here: bool, names: tuple[str, ...]) -> dict[str, Any]:
    """What an order says of whom it is for. :raises click.UsageError: not one of the options was given."""
    if sum((everywhere, bool(host), here, bool(names))) != 1:
        raise click.UsageError("Say which workers: --worker, --here, --host or --all.")
    if names:
        return {"workers": list(names)}
    return {"host": socket.gethostname() if here else host} if here or host else {}


@cli.command("drain")
@which
@click.option("--seconds", type=Amount(0, DAY), help="Over how long; CLASSWAVES_DRAIN_SECONDS if left out.")
def drain(seconds: float | None, **selection: Any) -> None:
    """Let workers close their sockets, one after the other, and take no new ones; wait until they have none.

    Their /readyz says 503 "draining", so that a load balancer sends nobody there; clients come back on other workers,
    and are not shown as away meanwhile. The workers live on: stop the server then, or let them go on with `undrain`.
    """
    chosen, state = meant(**selection), shared_state()
    seconds = state.settings.drain_seconds if seconds is None else seconds
    with correspondence(open_store(state.settings)) as letters:
        left = _drained(letters, seconds, chosen)
    if not left:
        raise click.ClickException("No worker that is meant answers: see `flask classwaves workers`.")
    note("worker.drained", "", workers=sorted(left))
    for report in left.values():
        click.echo(f"{report['worker']} on {report['host']}, pid {report['pid']}: {report['sockets']} sockets left")
    if any(report["sockets"] for report in left.values()):
        raise click.ClickException("Not all sockets could be closed.")


def _drained(letters: Correspondence, seconds: float, chosen: dict[str, Any]) -> dict[str, Report]:
    """The last report of each worker that was meant."""
    workers = letters.found(chosen)
    if not workers or not letters.order("drain", seconds=seconds, **chosen):
        return {}
    left = letters.first_answers(workers)
    total = now = _sockets(left)
    with bar(total, "Closing sockets") as progress:
        for report in letters.answers(seconds + LATE) if now else ():
            left[report["worker"]] = report
            before, now = now, _sockets(left)
            progress(before - now)
            if not now:
                break
    return left


def _sockets(reports: dict[str, Report]) -> int:
    return sum(report["sockets"] for report in reports.values())


@cli.command("undrain")
@which
def undrain(**selection: Any) -> None:
    """Let workers that were drained have clients again."""
    chosen, state = meant(**selection), shared_state()
    with correspondence(open_store(state.settings)) as letters:
        workers = letters.found(chosen)
        heard = workers and letters.order("undrain", **chosen)
        reports = letters.first_answers(workers).values() if heard else ()
    for report in reports:
        click.echo(f"{report['worker']} on {report['host']}, pid {report['pid']}: takes clients")
    if reports:
        note("worker.undrained", "", workers=sorted(report["worker"] for report in reports))
    else:
        raise click.ClickException("No worker that is meant answers: see `flask classwaves workers`.")
