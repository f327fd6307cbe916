"""``flask classwaves token``: an access token without a password, for a test, a script or somebody who needs help."""

from __future__ import annotations

import click

from ..auth.accounts import DEMO_ACCOUNTS
from ..auth.tokens import new_guest
from ..models import Account
from ..names import canonical, shown
from ..state import State
from .group import cli, note, shared_state
from .tables import Amount

#: For how many minutes a token may be good: a year.
MOST = 525_600

CARE = "Whoever has this token is {name} for {minutes:g} minutes, and nobody can tell them apart. Keep it in no file."


@cli.command("token")
@click.argument("username")
@click.option("--minutes", type=Amount(0, MOST, min_open=True), default=60.0, show_default=True, help="How long.")
@click.option("--guest", metavar="CODE", help="For a guest of this session; USERNAME is the name that others see.")
@click.option("--transcriber", metavar="CODE", help="For a program that captions this session, and may do no more.")
def token(username: str, minutes: float, guest: str | None, transcriber: str | None) -> None:
    """Print an access token: of an account of the built-in authenticator, a guest or a transcriber.

    It has no refresh token. A logout of its user ends it, and so does an end of its session.
    """
    if guest and transcriber:
        raise click.UsageError("Give --guest or --transcriber, not both.")
    state = shared_state()
    seconds = minutes * 60
    if (guest or transcriber) and not shown(username):
        raise click.UsageError("The name shows nothing, or hides something.")
    if guest:
        record = state.hub.record(state.hub.find(guest))
        most = state.settings.guests_per_seat * record.settings["maxParticipants"]
        pair = state.tokens.guest(new_guest(username, record.id), seconds, most)
    elif transcriber:
        pair = state.tokens.transcriber(username, state.hub.find(transcriber), seconds)
    else:
        pair = state.tokens.brief(_account(state, username), seconds)
    note("token.issued", pair.auth.user_id)
    click.echo(CARE.format(name=username, minutes=pair.expires_in / 60), err=True)
    click.echo(pair.access)


def _account(state: State, username: str) -> Account:
    name = canonical(username)
    if state.settings.demo and name in DEMO_ACCOUNTS:
        return DEMO_ACCOUNTS[name]
    kept = state.store.account(name)
    if kept is None:
        raise click.ClickException(
            "There is no such account in the store; those of your own authenticator are not there."
        )
    return Account(kept["userId"], kept["displayName"], kept["role"])
