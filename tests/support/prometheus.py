"""What ``/metrics`` says, read as Prometheus reads it; and promtool, which knows its rules."""

import shutil
import subprocess
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


class Scrape:
    """One scrape. Names are without ``classwaves_``.

    :param page: in the text format
    """

    def __init__(self, page: str) -> None:
        self.page = page
        self.samples: Samples = {}
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                labels = tuple(sorted(sample.labels.items()))
                self.samples.setdefault(sample.name.removeprefix("classwaves_"), {})[labels] = sample.value

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        found = self.samples.get(name, {})
        return sum(value for key, value in found.items() if labels.items() <= dict(key).items())

    @property
    def series(self) -> int:
        """How many there are."""
        return sum(map(len, self.samples.values()))


def scrape(url: str) -> Scrape:
    """Scrape a server."""
    with urllib.request.urlopen(url + "/metrics", timeout=10) as answer:
        return Scrape(answer.read().decode())


def promtool(*arguments: str, given: str = "") -> str:
    """Run promtool and return what it says, or skip the test. :raises AssertionError: it finds fault."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    done = subprocess.run([found, *arguments], input=given, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
