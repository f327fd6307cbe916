"""Accounts of the built-in authenticator."""

from __future__ import annotations

import click

from ..auth.accounts import ROLES, StoreAuthenticator
from ..names import canonical
from ..store import Store
from ..users import Users
from .group import cli, note, shared_state


@cli.command("create-user")
@click.argument("username")
@click.option("--role", type=click.Choice(ROLES), default="student", show_default=True)
@click.option("--display-name", help="What others see; the user name if left out.")
@click.password_option(help="Asked for if left out. 8 characters or more.")
def create_user(username: str, role: str, display_name: str | None, password: str) -> None:
    """Create an account of the built-in authenticator."""
    store = shared_state().store
    account = StoreAuthenticator(store).create(username, password, display_name or username, role)
    note("account.created", account.user_id, role=role)
    click.echo(f"Created {role} {username}: userId {account.user_id}")


@cli.command("block-user")
@click.argument("user")
@click.option("--id", "by_id", is_flag=True, help="USER is a userId, of whatever authenticator, and no user name.")
def block_user(user: str, by_id: bool) -> None:
    """End all logins of a user, disconnect them, and let them log in no more."""
    store = shared_state().store
    user_id = _user_id(store, user, by_id)
    ended = Users(store).block(user_id)
    note("user.blocked", user_id)
    click.echo(f"Blocked {user}: {ended} logins ended")


@cli.command("unblock-user")
@click.argument("user")
@click.option("--id", "by_id", is_flag=True, help="USER is a userId, of whatever authenticator, and no user name.")
def unblock_user(user: str, by_id: bool) -> None:
    """Let a user log in again."""
    store = shared_state().store
    user_id = _user_id(store, user, by_id)
    Users(store).unblock(user_id)
    note("user.unblocked", user_id)
    click.echo(f"Unblocked {user}")


@cli.command("set-role")
@click.argument("user")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--id", "by_id", is_flag=True, help="USER is a userId, of whatever authenticator, and no user name.")
def set_role(user: str, role: str, by_id: bool) -> None:
    """Give a user another role, at once, where they are connected too."""
    store = shared_state().store
    user_id = _user_id(store, user, by_id)
    Users(store).set_role(user_id, role)
    note("user.role", user_id, role=role)
    click.echo(f"{user} is {role} now")


def _user_id(store: Store, user: str, by_id: bool) -> str:
    """Whose account this user name is of."""
    if by_id:
        return user
    account = store.account(canonical(user))
    if account is None:
        raise click.ClickException(f"There is no account {user}.")
    return account["userId"]
