"""``flask classwaves``: what an operator does from a shell."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from .auth.accounts import ROLES, StoreAuthenticator
from .errors import ClassWavesError
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
