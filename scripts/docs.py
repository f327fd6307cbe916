"""Write what is made from the code: pages of docs/, and the types of both clients.

``python scripts/docs.py --check`` tells if they drifted.
"""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click

from classwaves.asyncapi import described
from classwaves.audit import ACTS
from classwaves.cli import cli
from classwaves.errors import ERROR_CODES, ClassWavesError
from classwaves.events import Event
from classwaves.features import FEATURES
from classwaves.metrics import METRICS
from classwaves.pythontypes import payloads, typed
from classwaves.rates import RateSettings
from classwaves.rules import CONNECTED, RULES, check
from classwaves.settings import Settings
from classwaves.typescript import typescript

ROOT = Path(__file__).resolve().parent.parent
NOTE = "<!-- Made by scripts/docs.py from the code; change it there. -->\n"


CONFIGURATION = f"""\
# Configuration

{NOTE}
Every setting is an environment variable and a key of the Flask configuration; the configuration wins. An unknown
`CLASSWAVES_*` name keeps the application from starting, and the nearest one is named. An empty variable is an unset
one. Durations are in seconds unless the name says otherwise; rates are those of the `limits` library (`10/minute`,
`5/second;100/minute`).

| name | default | meaning |
|---|---|---|
"""

ERRORS = f"""\
# Error codes

{NOTE}
Every error has one of these codes: in the ack of an event (`{{ok: false, error: {{code, message, details?,
retryAfterMs?}}}}`), in the event `error`, in the `data` of a `connect_error`, and in REST answers (`{{error: {{…}}}}`,
with the HTTP status of its row). *Try again*: the same request may succeed later, unchanged, with the same
`clientMessageId`.

| code | HTTP | try again | meaning |
|---|---|---|---|
"""

METRIC_PAGE = f"""\
# Metrics

{NOTE}
What `/metrics` says, in Prometheus' text format: the sum over all workers of this machine. Counts begin with the master
process; those of dead workers stay. No label takes a value that a client has chosen. How to scrape it, draw it
and be alerted: [monitoring.md](monitoring.md).

| name | type | labels | meaning |
|---|---|---|---|
"""


def configuration() -> str:
    rows = [
        f"| `{field.metadata['name']}` | {_shown(field.default)} | {field.metadata['meaning']} |\n"
        for field in sorted(dataclasses.fields(Settings), key=lambda field: field in dataclasses.fields(RateSettings))
    ]
    return CONFIGURATION + "".join(rows)


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return f"`{int(default)}`"
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{default}`" if default not in ("", (), None) else ""


def errors() -> str:
    return ERRORS + "".join(
        f"| `{code}` | {spec.status} | {'yes' if spec.retryable else 'no'} | {spec.meaning} |\n"
        for code, spec in ERROR_CODES.items()
    )


def metrics() -> str:
    rows = [
        f"| `{spec.full_name}` | {spec.type} | {', '.join(f'`{label}`' for label in spec.labels)} | {spec.meaning} |\n"
        for spec in METRICS
    ]
    buckets: dict[tuple[float, ...], list[str]] = {}
    for spec in METRICS:
        buckets.setdefault(tuple(spec.buckets), []).append(f"`{spec.full_name}`")
    buckets.pop((), None)
    lines = [
        f"- {', '.join(names)}: {', '.join(f'{bound:g}' for bound in bounds)}\n" for bounds, names in buckets.items()
    ]
    return METRIC_PAGE + "".join(rows) + "\nUpper bounds of the buckets of histograms:\n\n" + "".join(lines)


def events() -> str:
    return _with_tables("events.md", {"client events": _client_events(), "rules": _rules()})


def permissions() -> str:
    """The matrix: what the check before each handler says to somebody in some state of a session."""
    columns: dict[str, dict[str, Any]] = {
        "staff": {"staff": True},
        "student": {},
        "muted": {"muted": True},
        "chat closed": {"mode": "focus"},
        "captions": {"captions": True},
    }
    head = f"| event | {' | '.join(columns)} | not `active` | `ended` |\n|{'---|' * (len(columns) + 3)}\n"
    rows = []
    for event in (event for feature in FEATURES for event in feature.events if event.allow != CONNECTED):
        cells = [_verdict(event, **who) for who in columns.values()]
        able = next(who for who, cell in zip(columns.values(), cells, strict=True) if cell == "yes")
        later = [_verdict(event, status=status, **able) for status in ("paused", "ended")]
        rows.append(f"| `{event.name}` | {' | '.join([*cells, *later])} |\n")
    anybody = [f"`{event.name}`" for feature in FEATURES for event in feature.events if event.allow == CONNECTED]
    tables = {"matrix": head + "".join(rows), "anybody": f"{', '.join(sorted(anybody))}\n"}
    return _with_tables("permissions.md", tables)


def _verdict(
    event: Event,
    *,
    staff: bool = False,
    muted: bool = False,
    captions: bool = False,
    mode: str = "open",
    status: str = "active",
) -> str:
    """What is answered: yes, or the reason of the refusal, or no."""
    context: Any = SimpleNamespace(
        event=event,
        is_staff=staff,
        principal=SimpleNamespace(user_id="ada", is_transcriber=captions, role="student"),
        live=SimpleNamespace(
            record=SimpleNamespace(status=status, owner_id="grace"),
            replica=SimpleNamespace(removed=(), muted={"ada"} if muted else (), mode=mode),
        ),
    )
    try:
        check(context, {})
    except ClassWavesError as error:
        reason = str((error.details or {}).get("reason", ""))
        return {"focus": "mode"}.get(reason, reason) or "no"
    return "yes"


def audit() -> str:
    head = "| `what` | means |\n|---|---|\n"
    return _with_tables(
        "audit.md", {"acts": head + "".join(f"| `{what}` | {means} |\n" for what, means in ACTS.items())}
    )


def commands() -> str:
    """The commands, their arguments and options, and the first paragraph of what ``--help`` says."""
    head = "| command | what it does | options |\n|---|---|---|\n"
    rows = []
    for name, command in cli.commands.items():
        arguments = [one for one in command.params if isinstance(one, click.Argument)]
        given = [one.human_readable_name if one.required else f"[{one.human_readable_name}]" for one in arguments]
        options = [f"`{one.opts[0]}`" for one in command.params if isinstance(one, click.Option)]
        rows.append(f"| `{' '.join([name, *given])}` | {_sentence(command.help)} | {' '.join(options)} |\n")
    return _with_tables("cli.md", {"commands": head + "".join(sorted(rows))})


def contract_types() -> str:
    return typescript(described(FEATURES))


def _with_tables(page: str, tables: dict[str, str]) -> str:
    """The page as it is, with its tables made anew."""
    text = (ROOT / "docs" / page).read_text()
    for name, table in tables.items():
        begin, end = f"<!-- {name}: made by scripts/docs.py -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = before + begin + table + end + rest.split(end)[1]
    return text


def _client_events() -> str:
    head = "| event | payload | who may | what it does |\n|---|---|---|---|\n"
    return head + "".join(
        f"| `{event.name}` | {_payload(event)} | {_who(event)} | {_sentence(event.handler.__doc__)} |\n"
        for feature in FEATURES
        for event in feature.events
    )


def _payload(event: Event) -> str:
    fields = event.schema.fields
    if event.arguments:
        return ", ".join(f"`{name}{'' if fields[name].required else '?'}`" for name in event.arguments)
    return "`{" + ", ".join(f"{name}{'' if field.required else '?'}" for name, field in fields.items()) + "}`"


def _who(event: Event) -> str:
    notes = [event.allow]
    if event.active:
        notes.append("while `active`")
    if event.reads and event.allow != "connected":
        notes.append("also when `ended`")
    return ", ".join(notes)


def _rules() -> str:
    head = "| who may | means |\n|---|---|\n"
    return head + "".join(f"| {name} | {_sentence(rule.__doc__)} |\n" for name, rule in RULES.items())


def _sentence(doc: str | None) -> str:
    """A docstring's first paragraph, its code marked as Markdown does."""
    return " ".join((doc or "").split("\n\n")[0].split()).replace("``", "`")


PAGES: dict[str, Callable[[], str]] = {
    "docs/cli.md": commands,
    "docs/configuration.md": configuration,
    "docs/errors.md": errors,
    "docs/events.md": events,
    "docs/metrics.md": metrics,
    "docs/permissions.md": permissions,
    "docs/audit.md": audit,
    "clients/js/contract.d.ts": contract_types,
    "classwaves/client/payloads.py": lambda: payloads(described(FEATURES)),
    "classwaves/client/typed.py": lambda: typed(described(FEATURES)),
}


def main() -> int:
    stale = [name for name, make in PAGES.items() if not _is(ROOT / name, make())]
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"{name} is not what the code says: run python scripts/docs.py")
        return 1 if stale else 0
    for name, make in PAGES.items():
        (ROOT / name).write_text(make())
    return 0


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
