"""``flask classwaves``: what an operator does from a shell."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from .auth.accounts import ROLES, StoreAuthenticator
from .errors import ArchiveUnavailable, ClassWavesError
from .state import current_state

cli = AppGroup("classwaves", help="Operate ClassWaves.")


@cli.command("create-user")
@click.argument("username")
@click.option("--role", type=click.Choice(ROLES), default="student", show_default=True)
@click.option("--display-name", help="What others see; the user name if left out.")
@click.password_option(help="Asked for if left out. 8 characters or more.")
def create_user(username: str, role: str, display_name: str | None, password: str) -> None:
    """Create an account of the built-in authenticator."""
    store = current_state().store
    if store.kind == "memory":
        raise click.ClickException(
            "Accounts are kept in the store, and one in memory ends with this command: set REDIS_URL."
        )
    try:
        account = StoreAuthenticator(store).create(username, password, display_name or username, role)
    except ClassWavesError as error:
        raise click.ClickException(error.message) from None
    click.echo(f"Created {role} {username}: userId {account.user_id}")


@cli.command("archive")
def archive() -> None:
    """Write into the archive what the store has and it has not, and end. Servers do so by themselves."""
    state = current_state()
    if state.hub.archiver is None:
        raise click.ClickException("There is no archive: see CLASSWAVES_ARCHIVE_URL.")
    if state.store.kind == "memory":
        raise click.ClickException("A store in memory is its server's alone: set REDIS_URL.")
    try:
        count = state.hub.archiver.bring_all()
    except ArchiveUnavailable:
        raise click.ClickException("The archive's database does not answer.") from None
    except ClassWavesError as error:
        raise click.ClickException(error.message) from None
    click.echo(f"Archived what was new in {count} sessions")
