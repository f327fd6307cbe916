"""The archive, written by hand."""

from __future__ import annotations

import click

from ..errors import ArchiveUnavailable
from ..state import current_state
from .group import cli, shared_state


@cli.command("archive")
def archive() -> None:
    """Write into the archive what the store has and it has not, and end. Servers do so by themselves."""
    archiver = current_state().hub.archiver
    if archiver is None:
        raise click.ClickException("There is no archive: see CLASSWAVES_ARCHIVE_URL.")
    shared_state()
    try:
        count = archiver.bring_all()
    except ArchiveUnavailable:
        raise click.ClickException("The archive's database does not answer.") from None
    click.echo(f"Archived what was new in {count} sessions")
