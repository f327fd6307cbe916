"""The tables and the plot of docs/performance.md."""

import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import report
from benchmarks.report import Medians
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import KINDS, NODE_MODULES
from tests.support.gunicorn_server import ROOT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE, PLOT = ROOT / "docs" / "performance.md", ROOT / "docs" / "images" / "performance.png"
BEGIN, END = "<!-- make bench ARGS=--docs writes from here -->\n", "<!-- to here -->\n"

COLOURS = {"ours": "#1f6f8b", "flask": "#c8553d", "node": "#8aa17a", "bare": "#b9b9b9"}
PANELS = (
    ("everything in memory", ("ours", "flask", "node", "bare")),
    ("with Redis", ("ours-redis", "flask-redis", "node-redis")),
)


def write(found: Medians, repeats: int, seconds: float) -> None:
    """Put the tables between the markers of the page, and draw the plot."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    picture = f"![CPU and memory relative to Node's Socket.IO]({PLOT.relative_to(PAGE.parent)})\n"
    parts = [picture, f"{_made(repeats, seconds)}\n", report.ratios(found), report.growths(found), report.memory(found)]
    PAGE.write_text(before + BEGIN + "\n" + "\n".join(filter(None, parts)) + "\n" + END + after)
    draw(found, PLOT)


def _made(repeats: int, seconds: float) -> str:
    python = ", ".join(f"{name} {version(name)}" for name in ("gevent", "Flask-SocketIO", "gevent-websocket"))
    return (
        f"Medians of {repeats} run{'s' * (repeats > 1)} of {seconds:g} s, each on a server that had just been started. "
        f"Python {platform.python_version()}, {python}; {_node()}. In brackets what is aimed at."
    )


def _node() -> str:
    try:
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    except FileNotFoundError:
        return "no Node"
    packages = [(name, NODE_MODULES / name / "package.json") for name in ("socket.io", "ws")]
    found = [f"{name} {json.loads(path.read_text())['version']}" for name, path in packages if path.exists()]
    return ", ".join([f"Node {node.strip().removeprefix('v')}", *found])


def draw(found: Medians, path: Path) -> None:
    """Draw the first figure of each scenario relative to Node's, for each store."""
    from matplotlib.figure import Figure  # only the docs need it

    compared = [name for name in SCENARIOS if any(kind.startswith("node") for kind in found.get(name, {}))]
    figure = Figure(figsize=(11, 1.2 + 0.75 * len(compared)))
    panels = figure.subplots(1, len(PANELS), sharex=True, sharey=True)
    for panel, (title, kinds) in zip(panels, PANELS, strict=True):
        for place, kind in enumerate(kinds):
            _bars(panel, found, compared, kind, place)
        panel.axvline(1, color="#555555", linewidth=0.8)
        panel.set_title(title, fontsize=11)
        panel.set_xlabel("Node = 1, less is better")
        panel.legend(fontsize=8, frameon=False)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(compared)), [_label(name) for name in compared], fontsize=9)
    panels[0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _label(name: str) -> str:
    scenario = SCENARIOS[name]
    return f"{next(iter(scenario.compared.values()))}\n{scenario.title}"


def _bars(panel: "Axes", found: Medians, compared: list[str], kind: str, place: int) -> None:
    family, _, store = kind.partition("-")
    values = []
    for name in compared:
        figure = next(iter(SCENARIOS[name].compared))
        here, node = found[name].get(kind), found[name].get(f"node-{store}" if store else "node")
        values.append(here[figure] / node[figure] if here and node else 0.0)
    bars = panel.barh(
        [row + (place - 1.5) * 0.2 for row in range(len(compared))],
        values,
        height=0.18,
        color=COLOURS[family],
        label=KINDS[kind].title,
    )
    panel.bar_label(bars, [f"{value:.2f}" if value else "" for value in values], padding=2, fontsize=7)
