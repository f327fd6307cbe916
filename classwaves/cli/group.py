"""The group of commands, and what they share: one sentence and an exit code for whatever goes wrong.

Imports errors, settings and state.
"""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup

from ..errors import ClassWavesError
from ..settings import SettingsError
from ..state import NotRegistered, State, current_state


class Commands(AppGroup):
    """Whatever a command cannot do is told in a sentence, without a traceback, and ends with exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ClassWavesError as error:
            raise click.ClickException(error.message) from None
        except SettingsError as error:
            raise click.ClickException(f"{error}\nMore is said by: flask classwaves check") from None
        except NotRegistered as error:
            raise click.ClickException(str(error)) from None


cli = Commands("classwaves", help="Operate ClassWaves.")


def note(what: str, target: str, **details: Any) -> None:
    """Have the audit stream know what was done in a shell, by whom it does not know."""
    current_state().hub.audit.note(what, target=target, details=details, via="shell")


def shared_state() -> State:
    """The state of an application whose store other processes share.

    :raises click.ClickException: the store is in memory, and so this process's alone.
    """
    state = current_state()
    if state.store.kind == "memory":
        raise click.ClickException("The store is in memory, and so its server's alone: set REDIS_URL.")
    return state
