"""Medians and ratios as tables: for the terminal with all figures, for the docs with the ratios alone."""

import statistics
from collections.abc import Iterable

from benchmarks.load import Figures
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.servers import KINDS

Results = dict[str, dict[str, list[Figures]]]
"""By scenario and kind: the figures of each valid run."""

Medians = dict[str, dict[str, Figures]]

RIVALS = {"flask": "Flask-SocketIO", "node": "Node", "bare": "bare sends"}
"""Kinds that are compared with, the last one without a Redis."""


def medians(results: Results) -> Medians:
    """Return the median of each figure."""
    return {
        scenario: {
            kind: {figure: statistics.median(run[figure] for run in runs) for figure in runs[0]}
            for kind, runs in by_kind.items()
            if runs
        }
        for scenario, by_kind in results.items()
    }


def ratio(found: Medians, scenario: str, figure: str, rival: str) -> float | None:
    """Return our figure divided by that of a rival with the same store; None where one of them is missing."""
    ours = found[scenario].get("ours-redis" if KINDS[rival].redis else "ours")
    other = found[scenario].get(rival)
    return ours[figure] / other[figure] if ours and other else None


def growth(found: Medians, scenario: str, kind: str) -> float | None:
    """Return a kind's CPU of a delivery divided by the same in the scenario ``rooms``."""
    here, there = found[scenario].get(kind), found.get("rooms", {}).get(kind)
    return here["us each"] / there["us each"] if here and there else None


def judged(value: float | None, goal: float = 0) -> str:
    """Return a ratio or a figure with its goal, if there is one, and whether it is missed."""
    if value is None:
        return "-"
    shown = number(value)
    if goal:
        shown += f" (≤ {goal:g})" if value <= goal else f" (> {goal:g}, missed)"
    return shown


def number(value: float) -> str:
    """Return three digits, or all before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table, its columns aligned."""
    cells = [list(heads), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def full(found: Medians, name: str) -> str:
    """Return all figures of a scenario, one kind a row."""
    scenario, by_kind = SCENARIOS[name], found[name]
    if not by_kind:
        return f"{scenario.title}: no valid run\n"
    figures = list(next(iter(by_kind.values())))
    heads = ["median", *figures, *(f"ours / it: {figure}" for figure in scenario.compared)]
    if scenario.growth:
        heads.append("it / it in rooms")
    return f"{scenario.title}\n{table(heads, (_row(found, name, kind, figures) for kind in by_kind))}"


def _row(found: Medians, name: str, kind: str, figures: list[str]) -> list[str]:
    scenario, ours, here = SCENARIOS[name], kind.startswith("ours"), found[name][kind]
    cells = [judged(here[figure], scenario.bounds.get(figure, 0) if ours else 0) for figure in figures]
    for figure in scenario.compared:
        value = None if ours else ratio(found, name, figure, kind)
        cells.append(judged(value, scenario.goals.get((figure, kind), 0)))
    if scenario.growth:
        cells.append(judged(growth(found, name, kind), scenario.growth if ours else 0))
    return [KINDS[kind].title, *cells]


def ratios(found: Medians) -> str:
    """Return the ratios of all scenarios, one figure and store a row."""
    rows = [
        row
        for name in found
        for figure, words in SCENARIOS[name].compared.items()
        for row in _ratio_rows(found, name, figure, words)
    ]
    return table(["load", "figure", "store", *(f"of {title}" for title in RIVALS.values())], rows) if rows else ""


def _ratio_rows(found: Medians, name: str, figure: str, words: str) -> Iterable[list[str]]:
    scenario = SCENARIOS[name]
    for store, suffix in ("memory", ""), ("Redis", "-redis"):
        kinds = [rival + suffix for rival in RIVALS]
        values = [ratio(found, name, figure, kind) if kind in KINDS else None for kind in kinds]
        if any(values):
            goals = [scenario.goals.get((figure, kind), 0) for kind in kinds]
            yield [scenario.title, words, store, *map(judged, values, goals)]


def growths(found: Medians) -> str:
    """Return how a delivery's CPU grows with the rooms, each kind compared with itself."""
    grown = {name: scenario for name in found if (scenario := SCENARIOS[name]).growth and "rooms" in found}
    kinds = [kind for kind in KINDS if any(kind in found[name] for name in grown)]
    rows = [
        [scenario.title, *(judged(growth(found, name, kind), _growth_goal(scenario, kind)) for kind in kinds)]
        for name, scenario in grown.items()
    ]
    return table(["load", *(KINDS[kind].title for kind in kinds)], rows) if rows else ""


def _growth_goal(scenario: Scenario, kind: str) -> float:
    return scenario.growth if kind.startswith("ours") else 0


def memory(found: Medians) -> str:
    """Return the memory of idle connections, which does not depend on how fast a machine is."""
    rows = [
        [SCENARIOS[name].title, *_row(found, name, kind, list(figures))[: 1 + len(figures)]]
        for name, by_kind in found.items()
        for kind, figures in by_kind.items()
        if "KiB each" in figures
    ]
    return table(["load", "server", "KiB each", "MB in the largest process"], rows) if rows else ""
