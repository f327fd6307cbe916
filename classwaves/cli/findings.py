"""What ``flask classwaves check`` finds, one sentence each. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    :param level: ``ok``, ``warning`` or ``error``.
    :param subject: what it is about, in a word or two.
    :param message: what is so, and if it is not well, how to mend it. Never with a secret in it.
    """

    level: str
    subject: str
    message: str

    def to_dict(self) -> dict[str, str]:
        return {"level": self.level, "subject": self.subject, "message": self.message}


def ok(subject: str, message: str) -> Finding:
    return Finding("ok", subject, message)


def warning(subject: str, message: str) -> Finding:
    return Finding("warning", subject, message)


def error(subject: str, message: str) -> Finding:
    return Finding("error", subject, message)


def count(findings: Sequence[Finding], level: str) -> int:
    return sum(finding.level == level for finding in findings)


def show(findings: Sequence[Finding]) -> None:
    """Print a line for each, the worst at the end, where a terminal shows them."""
    width = max(len(finding.subject) for finding in findings)
    for finding in sorted(findings, key=lambda one: list(COLOURS).index(one.level)):
        level = click.style(f"{finding.level:7}", fg=COLOURS[finding.level])
        click.echo(f"{level}  {finding.subject:{width}}  {finding.message}")
    errors, warnings = count(findings, "error"), count(findings, "warning")
    click.echo(f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}")
