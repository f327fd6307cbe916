"""What a test needs to be done that no client may ask for: logins without passwords, and a session's life.

Imports models, auth, lifecycle and state. ``served`` offers the same of a real server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from flask import Flask

from .. import lifecycle
from ..auth.tokens import new_guest
from ..models import Account
from ..state import NotRegistered, State


class Backstage(Protocol):
    """Behind the scenes of an application."""

    def login(self, user_id: str, display_name: str, role: str) -> str:
        """An access token of somebody who need not have an account."""

    def guest(self, code: str, display_name: str) -> tuple[str, str]:
        """The access token of a new guest of a session, and their user id."""

    def create(self, owner_id: str, title: str, settings: Mapping[str, Any]) -> str:
        """The code of a new session."""

    def step(self, code: str, name: str) -> None:
        """Take a step in a session's life: ``start``, ``pause``, ``resume``, ``end``."""

    def forget_rates(self) -> None:
        """Count events and logins anew: the people of one test have done nothing in the test before it."""

    def namespace(self) -> str:
        """The Socket.IO namespace of the classroom."""

    def in_session(self) -> list[str]:
        """The events whose payload has a ``sessionCode``."""

    def positional(self) -> dict[str, list[str]]:
        """The events that take several arguments, and what those are called."""


class Local:
    """A :class:`Backstage` of an application in this process."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    @property
    def state(self) -> State:
        """:raises NotRegistered: the application has no classroom."""
        try:
            state: State = self._app.extensions["classwaves"]
        except KeyError:
            raise NotRegistered(
                "the app of this test has no ClassWaves on it: call ClassWaves().init_app(app) where it is made"
            ) from None
        return state

    def login(self, user_id: str, display_name: str, role: str) -> str:
        with self._app.app_context():
            return self.state.tokens.login(Account(user_id, display_name, role)).access

    def guest(self, code: str, display_name: str) -> tuple[str, str]:
        state = self.state
        with self._app.app_context():
            record = state.hub.record(state.hub.find(code))
            most = state.settings.guests_per_seat * record.settings["maxParticipants"]
            pair = state.tokens.guest(new_guest(display_name, record.id), state.settings.idle_days * 86400, most)
        return pair.access, pair.auth.user_id

    def create(self, owner_id: str, title: str, settings: Mapping[str, Any]) -> str:
        with self._app.app_context():
            return lifecycle.create(self.state.hub, owner_id, title, settings).code

    def step(self, code: str, name: str) -> None:
        hub = self.state.hub
        with self._app.app_context():
            session_id = hub.find(code)
            owner = hub.record(session_id).owner_id
            lifecycle.step(hub, session_id, name, lifecycle.system(owner))

    def forget_rates(self) -> None:
        self.state.limits.forget()

    def namespace(self) -> str:
        return self.state.settings.namespace

    def in_session(self) -> list[str]:
        events = self.state.pipeline.events.values()
        return [event.name for event in events if not event.arguments and "sessionCode" in event.schema.fields]

    def positional(self) -> dict[str, list[str]]:
        events = self.state.pipeline.events.values()
        return {event.name: list(event.arguments) for event in events if event.arguments}
