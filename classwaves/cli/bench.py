"""``flask classwaves bench``: how fast a server delivers, as clients on this machine see it.

It measures no more than that: the clients take CPU of their own, and are one thread of Python.
"""

from __future__ import annotations

import json
import re
import selectors
import statistics
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

import click

from .group import cli
from .tables import Amount, bar
from .wire import TIMEOUT, Broken, Wire

#: How long deliveries may take that are still on their way at the end, in seconds.
PATIENCE = 5.0
#: What is said: a number and when, by this machine's clock.
SAID = re.compile(rb'"bench \d+ ([\d.]+)"')


@dataclass(slots=True)
class Load:
    """Clients of one session who speak in turn."""

    code: str
    wires: list[Wire] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    sent: int = 0
    seconds: float = 0.0

    @property
    def missing(self) -> int:
        return self.sent * len(self.wires) - len(self.delays)

    def run(self, rate: float, seconds: float) -> None:
        """Speak ``rate`` times a second, and hear."""
        began, total = time.perf_counter(), int(rate * seconds)
        with selectors.DefaultSelector() as selector, bar(total, "Speaking") as progress:
            for wire in self.wires:
                selector.register(wire.socket, selectors.EVENT_READ, wire)
            while self.sent < total or (self.missing and time.perf_counter() < began + seconds + PATIENCE):
                while self.sent < total and time.perf_counter() >= began + self.sent / rate:
                    text = f"bench {self.sent} {time.perf_counter():.6f}"
                    self.wires[self.sent % len(self.wires)].say(self.code, text)
                    self.sent += 1
                    progress(1)
                due = began + self.sent / rate - time.perf_counter() if self.sent < total else 0.2
                for key, _ in selector.select(max(0.0, due)):
                    self._hear(key.data)
        self.seconds = time.perf_counter() - began

    def _hear(self, wire: Wire) -> None:
        for packet in wire.hear():
            if packet.startswith(b'42["messageReceived"') and (said := SAID.search(packet)):
                self.delays.append(time.perf_counter() - float(said[1]))
            elif packet.startswith(b'42["error"'):
                raise Broken(f"it refuses: {packet[11:200].decode(errors='replace')}")

    def figures(self) -> dict[str, float]:
        """What was seen; times in milliseconds."""
        times = statistics.quantiles(self.delays or [0.0, 0.0], n=100, method="inclusive")
        return {
            "clients": len(self.wires),
            "sent": self.sent,
            "deliveries": len(self.delays),
            "missing": self.missing,
            "deliveriesPerSecond": round(len(self.delays) / self.seconds, 1) if self.seconds else 0.0,
            "p50Ms": round(times[49] * 1000, 2),
            "p99Ms": round(times[98] * 1000, 2),
        }


@cli.command("bench", with_appcontext=False)
@click.argument("url")
@click.argument("code")
@click.option("--clients", type=click.IntRange(1, 1000), default=30, show_default=True, help="Guests who join.")
@click.option("--rate", type=Amount(0.1, 1000), default=10.0, show_default=True, help="Messages a second.")
@click.option("--seconds", type=Amount(0.1, 600), default=10.0, show_default=True, help="How long.")
@click.option("--prefix", default="/api/v1", show_default=True, help="CLASSWAVES_URL_PREFIX of the server.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench(url: str, code: str, clients: int, rate: float, seconds: float, prefix: str, as_json: bool) -> None:
    """Let guests join the session CODE of the server at URL and speak, and tell how fast they hear each other.

    Use a session that was made for it: what they say stays in its log. Ends with 1 if anything was not delivered.
    """
    address = address_of(url)
    load = Load(code)
    try:
        with bar(clients, "Joining") as progress:
            for number in range(clients):
                load.wires.append(wire := Wire(address))
                wire.join(guest(address, prefix, code, f"Bench {number + 1}"), code)
                progress(1)
        load.run(rate, seconds)
    except Broken as problem:
        raise click.ClickException(f"The server: {problem}.") from None
    except OSError as problem:
        raise click.ClickException(f"The server cannot be reached ({type(problem).__name__}).") from None
    finally:
        for wire in load.wires:
            wire.close()
    found = load.figures()
    click.echo(json.dumps(found) if as_json else "\n".join(f"{name:20}{value:>12}" for name, value in found.items()))
    if load.missing:
        raise SystemExit(1)


def address_of(url: str) -> SplitResult:
    """A server's URL, taken apart. :raises click.UsageError: it is none."""
    try:
        address = urlsplit(url)
        known = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:  # a port that is no number, an IPv6 address that is none
        known = False
    if not known:
        raise click.UsageError("URL must start with http:// or https://, and be of a server.")
    return address


def guest(address: SplitResult, prefix: str, code: str, name: str) -> str:
    """The token of a new guest. :raises Broken: none was given."""
    url = f"{address.geturl().rstrip('/')}{prefix}/sessions/{code}/join"
    body, headers = json.dumps({"displayName": name}).encode(), {"Content-Type": "application/json"}
    try:
        # the scheme was looked at
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=TIMEOUT) as answer:  # noqa: S310
            return str(json.loads(answer.read())["accessToken"])
    except urllib.error.HTTPError as error:
        with error:
            raise Broken(f"a guest may not join: {error.code} {error.read()[:200].decode(errors='replace')}") from None
    except urllib.error.URLError as error:
        raise OSError(error.reason) from None
