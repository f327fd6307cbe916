"""Tables, bars, times and numbers of a command line. Imports nothing of ours."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click


class Amount(click.FloatRange):
    """A number within bounds. Python reads ``nan`` and ``inf`` as numbers, and no bound keeps the first one out."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a number of something.", param, ctx)
        return number


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their heads, each column as wide as its widest cell."""
    widths = [max(len(row[place]) for row in [heads, *rows]) for place in range(len(heads))]
    for number, row in enumerate([heads, *rows]):
        line = "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(click.style(line, bold=True) if number == 0 else line)


def ago(seconds: float) -> str:
    """A duration in its largest unit, rounded down: ``90`` is ``1m``."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


@contextmanager
def bar(length: int, label: str) -> Iterator[Callable[[int], object]]:
    """What is called with how much is done, for a progress bar that only a terminal shows.

    :param length: of what there is to do; 0 if nobody knows.
    """
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    endless: Any = {"iterable": iter(int, 1)} if not length else {"length": length}
    with click.progressbar(**endless, label=label, file=sys.stderr, show_pos=True) as progress:
        yield progress.update
