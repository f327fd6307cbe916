"""``flask classwaves audit``: the audit stream, for whoever has to look into something."""

from __future__ import annotations

import json
from typing import IO

import click

from ..audit import shown
from .group import cli, shared_state
from .personal import OUTPUT


@cli.command("audit")
@OUTPUT
def audit(output: IO[str]) -> None:
    """Write the audit stream as JSON lines, oldest first: who did what that not everybody may."""
    stream, count = shared_state().hub.audit, 0
    stream.note("audit.exported", via="shell")
    for noted in stream.everything():
        output.write(json.dumps(shown(noted)) + "\n")
        count += 1
    click.echo(f"{count} acts", err=True)
