"""Accounts of the built-in authenticator."""

from __future__ import annotations

import click

from ..auth.accounts import ROLES, StoreAuthenticator
from .group import cli, shared_state


@cli.command("create-user")
@click.argument("username")
@click.option("--role", type=click.Choice(ROLES), default="student", show_default=True)
@click.option("--display-name", help="What others see; the user name if left out.")
@click.password_option(help="Asked for if left out. 8 characters or more.")
def create_user(username: str, role: str, display_name: str | None, password: str) -> None:
    """Create an account of the built-in authenticator."""
    store = shared_state().store
    account = StoreAuthenticator(store).create(username, password, display_name or username, role)
    click.echo(f"Created {role} {username}: userId {account.user_id}")
