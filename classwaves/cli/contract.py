"""``flask classwaves asyncapi``, ``openapi``, ``types``, ``diff``: what clients are built on, and how it changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TextIO

import click

from ..asyncapi import described
from ..releases import changes, kind_of
from ..rest import openapi
from ..state import current_state
from ..typescript import typescript
from .group import cli


@cli.command("asyncapi")
def print_asyncapi() -> None:
    """Print the AsyncAPI 3.0 document of this application's events."""
    click.echo(_printed(_document("asyncapi")))


@cli.command("openapi")
def print_openapi() -> None:
    """Print the OpenAPI 3.1 document of the REST API."""
    click.echo(_printed(_document("openapi")))


@cli.command("types")
def print_types() -> None:
    """Print TypeScript types for socket.io-client, of your own events too."""
    click.echo(typescript(_document("asyncapi")), nl=False)


@cli.command("diff")
@click.argument("old", type=click.File())
@click.argument("new", type=click.File(), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object of both lists.")
def diff(old: TextIO, new: TextIO | None, as_json: bool) -> None:
    """Tell what has changed since an older AsyncAPI or OpenAPI document, in NEW or in this application.

    Ends with 1 if something of it breaks clients that were made for the older one.
    """
    before = _read(old, "OLD")
    try:
        found = changes(before, _read(new, "NEW") if new else _document(kind_of(before)))
    except ValueError as error:
        raise click.UsageError(f"These cannot be compared: {error}.") from None
    if as_json:
        kinds = {"breaking": True, "additive": False}
        listed = {
            kind: [{"where": one.where, "what": one.what} for one in found if one.breaking is breaks]
            for kind, breaks in kinds.items()
        }
        click.echo(json.dumps(listed, indent=2))
    else:
        for one in found:
            click.echo(f"{'breaking' if one.breaking else 'additive'}  {one.where}: {one.what}")
        if not found:
            click.echo("Nothing has changed.")
    if any(one.breaking for one in found):
        raise click.exceptions.Exit(1)


def _document(kind: str) -> dict[str, Any]:
    if kind == "openapi":
        return openapi()
    state = current_state()
    return described(state.pipeline.features, state.settings.namespace)


def _printed(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def _read(file: TextIO, name: str) -> dict[str, Any]:
    try:
        document: Any = json.load(file)
        kind_of(document if isinstance(document, dict) else {})
    except ValueError as error:  # json's, too, and a file that is no UTF-8
        raise click.BadParameter(f"{file.name}: {error}", param_hint=name) from None
    return dict(document)
