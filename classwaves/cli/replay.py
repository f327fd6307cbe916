"""``flask classwaves replay``: what a session was at some point of its log, and whether the log is whole."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import click

from ..history import Log
from ..models import Entry
from ..replica import FOLD_VERSION, Replica
from .group import cli, note, shared_state
from .sight import session_id_of, without_titles


@dataclass(slots=True)
class Replay:
    """A session folded from its log.

    :param checkpoint: what the store has folded of it already, if it has.
    :param problems: a sentence for each thing that should not be.
    """

    checkpoint: dict[str, Any] | None = None
    replica: Replica = field(default_factory=Replica)
    entries: int = 0
    last: int = 0
    epochs: set[str] = field(default_factory=set)
    #: Whether it was folded from the beginning; else from the checkpoint, behind which the log is trimmed.
    whole: bool = True
    problems: list[str] = field(default_factory=list)

    def fold(self, entries: Iterable[Entry], to: int | None) -> None:
        """Fold entries up to ``to``, or all, and compare on the way."""
        for entry in entries:
            if not self.entries:
                self._begin(entry.seq)
            if to is not None and entry.seq > to:
                break
            if self.entries and entry.seq != self.last + 1:
                self.problems.append(f"entry {entry.seq} comes where {self.last + 1} should be")
            self.last = entry.seq
            self.entries += 1
            self.epochs.add(entry.epoch)
            self.replica.epoch = entry.epoch
            if entry.seq > self.replica.seq:  # and is not in the checkpoint already
                self.replica.seq = entry.seq - 1
                self.replica.apply(entry)
            if self.whole and self.checkpoint and entry.seq == self.checkpoint["seq"]:
                self._compare(self.checkpoint)

    def _begin(self, first: int) -> None:
        if first == 1:
            return
        self.whole = False
        if self.checkpoint and first <= self.checkpoint["seq"] + 1:
            self.replica = Replica.load(json.dumps(self.checkpoint))
        else:
            self.problems.append(f"the log begins at {first}, and no checkpoint has what was before")

    def _compare(self, checkpoint: dict[str, Any]) -> None:
        self.replica.epoch = checkpoint["epoch"]  # which changes without an entry
        folded = json.loads(self.replica.dump())
        if different := sorted(key for key in folded if folded[key] != checkpoint.get(key)):
            self.problems.append(f"the checkpoint at {checkpoint['seq']} differs in {', '.join(different)}")


@cli.command("replay")
@click.argument("code")
@click.option("--to", type=click.IntRange(1), help="Stop at this seq.")
@click.option("--texts", is_flag=True, help="Print names and texts, which are hidden otherwise.")
@click.option("--quiet", "-q", is_flag=True, help="Print no state: only look whether the log is whole.")
def replay(code: str, to: int | None, texts: bool, quiet: bool) -> None:
    """Fold a session's log and print what the session was then, as JSON.

    Also looks whether the numbering is without gaps, reaches as far as the store says, and gives what the store has in
    its checkpoint. What it finds is on the standard error stream; it ends with 1 if something should not be.
    """
    state = shared_state()
    session_id = session_id_of(state, code)
    if texts:
        note("session.read", session_id)
    loaded = state.store.load(session_id, FOLD_VERSION)
    run = Replay(json.loads(loaded.checkpoint) if loaded and loaded.checkpoint else None)
    run.fold(Log(state.store, state.hub.archive).everything(session_id), to)
    if to is not None and run.replica.seq > to:
        raise click.ClickException(f"What was at seq {to} is only known folded, at seq {run.replica.seq}.")
    end = run.replica.seq
    if loaded and to is None and end < loaded.seq:
        run.problems.append(f"the log ends at {end}, and the store says {loaded.seq}")
    if not quiet:
        click.echo(json.dumps(_shown(run.replica, texts), ensure_ascii=False, indent=2))
    start = "from its beginning" if run.whole else "from the checkpoint, as older entries were let go of"
    click.echo(f"{run.entries} entries {start}, up to seq {end}, in {len(run.epochs)} numbering(s)", err=True)
    for problem in run.problems:
        click.echo(f"Problem: {problem}.", err=True)
    if run.problems:
        raise SystemExit(1)


def _shown(replica: Replica, texts: bool) -> dict[str, Any]:
    shown = Replica.load(replica.dump())
    if not texts:
        for user_id in list(shown.known):
            shown.erase(user_id)
    state: dict[str, Any] = json.loads(shown.dump())
    return state if texts else without_titles(state)
