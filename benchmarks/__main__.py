"""Compare this server with plain Flask-SocketIO and with Node's Socket.IO: ``make bench``, ``python -m benchmarks``.

All servers of a scenario run one after the other, then all again; each run has a server that has just been started,
on a core of its own. Every delivery is counted: a run that misses one is not valid and is left out.
"""

import argparse
import gc
import sys
from contextlib import ExitStack

from benchmarks import docs, report
from benchmarks.load import Figures, Pace
from benchmarks.report import Results
from benchmarks.scenarios import SCENARIOS, Scenario, run
from benchmarks.servers import KINDS, Kind, split_cores
from benchmarks.wire import Broken
from tests.support import processes
from tests.support.redis_server import RedisServer


def names(text: str) -> list[str]:
    """Read the value of ``--only``."""
    chosen = text.split(",")
    if unknown := set(chosen) - set(KINDS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {', '.join(KINDS)}")
    return chosen


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Compare this server with others.")
    parser.add_argument("scenario", nargs="*", help=f"default: all of {', '.join(SCENARIOS)}")
    parser.add_argument("--repeats", type=int, help="runs of each server (3)")
    parser.add_argument("--seconds", type=float, help="of load in a run (6)")
    parser.add_argument("--speakers", type=int, default=1, help="clients of a room who send in turn (1)")
    parser.add_argument("--only", type=names, default=list(KINDS), help=f"some of {','.join(KINDS)}")
    parser.add_argument("--quick", action="store_true", help="one run of 2 s: does it work at all?")
    parser.add_argument("--docs", action="store_true", help="write the tables and the plot of docs/performance.md")
    options = parser.parse_args()
    if unknown := set(options.scenario) - set(SCENARIOS):
        parser.error(f"{', '.join(sorted(unknown))}: not one of {', '.join(SCENARIOS)}")
    options.scenario = [name for name in SCENARIOS if name in options.scenario or not options.scenario]
    options.repeats = options.repeats or (1 if options.quick else 3)
    options.seconds = options.seconds or (2 if options.quick else 6)
    return options


class Bench:
    """All runs of one call of the program."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.core = split_cores()
        self.results: Results = {}
        self.broken: list[str] = []

    def run(self) -> None:
        """Run everything, and print the tables of each scenario when it is done."""
        for name in self.options.scenario:
            kinds = [kind for kind in SCENARIOS[name].kinds if kind in self.options.only and not KINDS[kind].missing]
            self.results[name] = {kind: [] for kind in kinds}
            for repeat in range(self.options.repeats):
                for kind in kinds:
                    self._once(name, kind, f"{name}, {kind}, run {repeat + 1} of {self.options.repeats}")
            print("\n" + report.full(report.medians(self.results), name), flush=True)

    def _once(self, name: str, kind: str, title: str) -> None:
        try:
            figures = self._figures(SCENARIOS[name], KINDS[kind])
        except (Broken, OSError) as error:
            self.broken.append(f"{title}: not valid: {error}")
            print(self.broken[-1], flush=True)
        else:
            self.results[name][kind].append(figures)
            print(f"{title}: " + ", ".join(f"{report.number(value)} {what}" for what, value in figures.items()))

    def _figures(self, scenario: Scenario, kind: Kind) -> Figures:
        pace = Pace(self.options.seconds, speakers=self.options.speakers)
        with ExitStack() as stack:
            redis = stack.enter_context(RedisServer()).url if kind.redis else ""
            return run(scenario, stack.enter_context(kind.server(self.core, redis)), pace)


def main() -> int:
    """Return 1 if a run was not valid."""
    options = arguments()
    processes.forget_server_settings()
    processes.mark_this_process()
    gc.disable()  # nothing here goes in circles, and a collection would look like latency
    bench = Bench(options)
    for text in {kind.missing for kind in KINDS.values() if kind.missing}:
        print(text)
    try:
        bench.run()
    finally:
        processes.dismiss_reaper()
    found = report.medians(bench.results)
    print("\n".join(filter(None, [report.ratios(found), report.growths(found), *bench.broken])))
    if options.docs and bench.broken:
        print("docs/performance.md is as it was: not all runs were valid")
    elif options.docs:
        docs.write(found, options.repeats, options.seconds)
    return 1 if bench.broken else 0


if __name__ == "__main__":
    sys.exit(main())
