"""``flask classwaves events``: what clients of this application may send."""

from __future__ import annotations

import json
from typing import Any

import click

from ..events import Event
from ..payloads import KEY
from ..settings import Settings
from ..state import current_state
from .group import cli
from .tables import table

HEADS = ("event", "who may", "limit", "stored", "payload")


@cli.command("events")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, with what each event does.")
def events(as_json: bool) -> None:
    """List the events that clients may send, also those of your own features.

    "stored" events get a seq, or are kept otherwise, and may be repeated with the same clientMessageId.
    """
    state = current_state()
    found = [described(event, state.settings) for event in state.pipeline.events.values()]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        table(HEADS, [_row(event) for event in found])


def described(event: Event, settings: Settings) -> dict[str, Any]:
    """What the registry knows of an event."""
    return {
        "event": event.name,
        "allow": event.allow,
        "whileActive": event.active,
        "whenEnded": event.reads,
        "limit": event.rate,
        "rate": getattr(settings, f"{event.rate}_rate"),
        "maxBytes": event.max_bytes or settings.max_event_bytes,
        "stored": KEY in event.schema.fields,
        "arguments": list(event.arguments),
        "payload": {name: field.required for name, field in event.schema.fields.items()},
        "does": " ".join((event.handler.__doc__ or "").split("\n\n")[0].split()),
    }


def _row(event: dict[str, Any]) -> list[str]:
    fields = ", ".join(name + ("" if required else "?") for name, required in event["payload"].items())
    allow = event["allow"] + (", active" if event["whileActive"] else "")
    shown = fields if event["arguments"] else "{" + fields + "}"
    return [event["event"], allow, event["rate"], "yes" if event["stored"] else "no", shown]
