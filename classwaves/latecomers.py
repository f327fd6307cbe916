"""What a shop puts on its application after ClassWaves, looked at before each request: it costs three comparisons.

Imports the state and what it holds.
"""

from __future__ import annotations

from flask import Flask

from .state import State


def watch(app: Flask, state: State) -> None:
    """Have extensions that come later work together with ClassWaves, or say that they cannot."""

    @app.before_request
    def look() -> None:
        state.tokens.keep_up(app)
        if app.extensions["socketio"] is not state.socketio:
            raise RuntimeError(
                "a SocketIO object was put on this app after ClassWaves, which clients cannot reach any more: make it "
                "before, and give it to ClassWaves: init_app(app, socketio=socketio)"
            )
