"""What is kept of one user, and the log of one session: handed out, or erased."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import IO, Any

import click

from ..history import Log, line
from ..personal import PersonalData
from ..state import current_state
from .group import cli, note, shared_state
from .sight import session_id_of
from .tables import bar

FILE = click.File("w", encoding="utf-8", lazy=True)
OUTPUT = click.option("--output", "-o", type=FILE, default="-", help="A file instead of the screen.")


@cli.command("export")
@click.argument("code")
@OUTPUT
def export(code: str, output: IO[str]) -> None:
    """Write the whole log of a session as JSON lines, with names and texts: from the store, and from the archive."""
    state = shared_state()
    session_id = session_id_of(state, code)
    total = state.store.positions([session_id]).get(session_id, 0)
    entries = Log(state.store, state.hub.archive).everything(session_id)
    note("session.exported", session_id)  # first: it may be broken off when most of it is out
    count = _write((line(entry) for entry in entries), output, total, "Exporting")
    click.echo(f"{count} entries", err=True)


@cli.command("export-user")
@click.argument("user_id")
@OUTPUT
def export_user(user_id: str, output: IO[str]) -> None:
    """Write what has a user's names or texts, in all sessions, as JSON lines like those of an export."""
    found = PersonalData(shared_state().hub, user_id).entries()
    note("user.exported", user_id)
    count = _write(({"sessionCode": said.code, **line(said.entry)} for said in found), output, 0, "Searching")
    click.echo(f"{count} entries", err=True)


def _write(items: Iterable[dict[str, Any]], output: IO[str], total: int, label: str) -> int:
    count = 0
    with bar(total, label) as progress:
        for item in items:
            output.write(json.dumps(item, ensure_ascii=False) + "\n")
            count += 1
            progress(1)
    return count


@cli.command("erase-user")
@click.argument("user_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase_user(user_id: str, yes: bool) -> None:
    """Take a user's names, texts and files out of all sessions, and end their logins and accounts.

    It cannot be undone. What was said keeps its place and its time. After an error, run it again: the rest follows.
    """
    shared_state()
    if not yes:
        click.confirm(f"Erase everything of the user {user_id}? This cannot be undone", abort=True)
    hub = current_state().hub
    with hub.audit.noting("user.erased", target=user_id, via="shell"), bar(0, "Sessions gone through") as progress:
        erased = PersonalData(hub, user_id, progress).erase()
    click.echo(
        f"Erased: {erased.entries} entries of logs, {erased.archived} in the archive, {erased.files} files, "
        f"{erased.accounts} accounts"
    )
