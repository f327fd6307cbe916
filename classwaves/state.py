"""What one application has: its settings, store, hub and the rest, kept in ``app.extensions["classwaves"]``.

Imports what it holds. One process may have several applications, so nothing of this is global.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app
from flask_socketio import SocketIO

from .auth.accounts import Authenticator
from .auth.tokens import Tokens
from .health import Health
from .hub import Hub
from .limits import RateLimits
from .metrics import Metrics
from .origins import Origins
from .pipeline import Pipeline
from .settings import Settings
from .store import Store
from .tally import Tally


@dataclass(frozen=True, slots=True)
class State:
    """The parts of one application."""

    settings: Settings
    store: Store
    origins: Origins
    limits: RateLimits
    tokens: Tokens
    authenticator: Authenticator
    hub: Hub
    pipeline: Pipeline
    socketio: SocketIO
    tally: Tally
    metrics: Metrics
    health: Health

    def close(self) -> None:
        """Stop the threads of this application and close its store."""
        self.hub.close()
        self.limits.close()


class NotRegistered(RuntimeError):
    """ClassWaves is not registered on this application."""


def current_state() -> State:
    """The state of the current application. :raises NotRegistered: it has none."""
    try:
        state: State = current_app.extensions["classwaves"]
    except KeyError:
        raise NotRegistered("ClassWaves is not registered on this app: call ClassWaves().init_app(app) first") from None
    return state
