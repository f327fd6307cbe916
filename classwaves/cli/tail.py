"""``flask classwaves tail``: what happens in a session, as it happens. It takes no seat, and no worker knows of it."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from typing import Any

import click

from ..errors import StoreUnavailable
from ..models import Entry
from ..payloads import LATEST
from ..store import Store, open_store
from .group import cli, note, shared_state
from .sight import json_line, one_line, session_id_of

#: How often the log is read although the feed says nothing, in seconds; and how many entries at once.
LOOK, PAGE = 10.0, 500


class Ear:
    """Hears the feed of one session; a :class:`~classwaves.store.base.Feed`. ``None``: it was away."""

    def __init__(self) -> None:
        self.heard: queue.SimpleQueue[Entry | dict[str, Any] | None] = queue.SimpleQueue()

    def on_entry(self, session_id: str, entry: Entry) -> None:
        self.heard.put(entry)

    def on_ephemeral(self, session_id: str, message: dict[str, Any]) -> None:
        self.heard.put(message)

    def on_control(self, message: dict[str, Any]) -> None:
        """It is for workers."""

    def on_new_connection(self) -> None:
        """What was missed is read when all channels are heard again."""

    def on_reconnect(self) -> None:
        self.heard.put(None)


@cli.command("tail")
@click.argument("code")
@click.option("--lines", "-n", type=click.IntRange(0), default=10, show_default=True, help="How many of the newest.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--signals", is_flag=True, help="Also what is not stored, while following: presence, typing.")
@click.option("--texts", is_flag=True, help="Show names and texts, which are hidden otherwise.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, as an export has them.")
def tail(code: str, lines: int, follow: bool, signals: bool, texts: bool, as_json: bool) -> None:
    """Show the newest entries of a session's log, and with --follow those that come."""
    state = shared_state()
    session_id, form = session_id_of(state, code), json_line if as_json else one_line
    if texts:
        note("session.read", session_id)
    store = open_store(state.settings)

    def show(entry: Entry) -> None:
        click.echo(form(entry, texts))

    try:
        with contextlib.suppress(KeyboardInterrupt):
            if not follow:
                for entry in reversed(store.read_back(session_id, LATEST, lines) if lines else []):
                    show(entry)
                return
            for news in following(store, session_id, lines):
                if isinstance(news, Entry):
                    show(news)
                elif signals and not as_json:
                    click.echo(click.style(_signal(news), dim=True))
    finally:
        store.close()


def following(store: Store, session_id: str, lines: int) -> Iterator[Entry | dict[str, Any]]:
    """The newest entries, and then everything that comes, in order and without a gap, for ever.

    :param lines: how many of the newest.
    """
    ear = Ear()
    store.start(ear)
    store.subscribe(session_id)  # first: what comes while the log is read is heard
    newest = store.read_back(session_id, LATEST, max(lines, 1))
    position, epoch = (newest[0].seq, newest[0].epoch) if newest else (0, "")
    yield from reversed(newest[:lines])
    while True:
        news = _next(ear)
        if isinstance(news, dict):
            yield news
        elif news and (news.seq == position + 1 or (news.seq <= position and news.epoch != epoch)):
            position, epoch = news.seq, news.epoch  # smaller in another numbering, of a store that has lost some
            yield news
        elif news is None or news.seq > position:  # the feed may lose something, the log does not
            for entry in _rest(store, session_id, position):
                position, epoch = entry.seq, entry.epoch
                yield entry


def _next(ear: Ear) -> Entry | dict[str, Any] | None:
    try:
        return ear.heard.get(timeout=LOOK)
    except queue.Empty:
        return None


def _rest(store: Store, session_id: str, after: int) -> Iterator[Entry]:
    try:
        while page := store.read(session_id, after, PAGE):
            yield from page
            after = page[-1].seq
    except StoreUnavailable:  # it is read again in a while, or when the feed is back
        click.echo("The store does not answer; trying again.", err=True)


def _signal(message: dict[str, Any]) -> str:
    kind = "presence" if "presence" in message else str(message.get("kind", "?"))
    who = message.get("userId") or message.get("user") or "-"
    return f"{'':8}  {'':>6}  {kind:<22} {'':<8} {who}  {message.get('presence', '')}".rstrip()
