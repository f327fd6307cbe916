"""The examples for Prometheus and Grafana name our metrics and no others, and Prometheus' own tool accepts them."""

import json
import re
from typing import Any

import pytest

from classwaves.metrics import METRICS
from tests.support.gunicorn_server import ROOT
from tests.support.prometheus import promtool

FILES = ROOT / "examples" / "monitoring"
DASHBOARD, ALERTS = FILES / "grafana-dashboard.json", FILES / "alerts.yml"
SUFFIXES = ("_bucket", "_sum", "_count")


def series() -> set[str]:
    """The names of everything that ``/metrics`` says."""
    return {spec.full_name + suffix for spec in METRICS for suffix in (SUFFIXES if spec.type == "histogram" else ("",))}


def named(text: str) -> set[str]:
    return set(re.findall(r"classwaves_\w+", text))


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def expressions() -> str:
    return "\n".join(target["expr"] for panel in panels() for target in panel["targets"])


@pytest.mark.parametrize("text", [expressions(), ALERTS.read_text(), (FILES / "alerts_test.yml").read_text()])
def test_examples_name_what_there_is(text: str) -> None:
    assert named(text) <= series()


def test_the_dashboard_shows_every_metric() -> None:
    shown = {re.sub("_bucket$", "", name) for name in named(expressions())}
    assert shown == {spec.full_name for spec in METRICS}


def test_the_dashboard_groups_by_labels_that_there_are() -> None:
    labels = {label for spec in METRICS for label in spec.labels} | {"instance", "le"}
    used = {word for group in re.findall(r"by \(([^)]*)\)", expressions()) for word in re.split(r",\s*", group)}
    shown = set(re.findall(r"{{(\w+)}}", DASHBOARD.read_text()))
    assert used | shown <= labels


def test_the_panels_are_on_no_other_and_in_the_grid() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        mine = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not mine & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= mine


def test_there_is_something_to_do_for_every_alert() -> None:
    alerts = re.findall(r"- alert: (\w+)", ALERTS.read_text())
    assert re.findall(r"^### (\w+)$", (ROOT / "docs" / "monitoring.md").read_text(), re.M) == alerts
    assert alerts


def test_prometheus_takes_the_rules_and_the_configuration() -> None:
    promtool("check", "rules", str(ALERTS))
    promtool("check", "config", "--syntax-only", str(FILES / "prometheus.yml"))


def test_the_rules_fire_when_they_should_and_only_then() -> None:
    assert "SUCCESS" in promtool("test", "rules", str(FILES / "alerts_test.yml"))
