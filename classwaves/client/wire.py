"""python-socketio's clients, one for each connection: their own coming back is turned off, ours knows more.

Imports nothing of the package. Without what they connect with, the import of :mod:`.sync` or :mod:`.aio` says what to
install.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import engineio
import socketio

NEEDED = "classwaves.client needs {}: pip install 'classwaves[client]'"

Gone = (socketio.exceptions.SocketIOError, engineio.exceptions.EngineIOError, OSError)
"""What says, when something is sent, that there is no connection any more."""

Failures = (*Gone, ValueError)
"""What the end of a connection may end with."""


def _stamp() -> str:
    """The ``t`` of a request's address, by which the server sees that a GET is repeated.

    python-engineio takes the time, and clocks of some systems stand still for 16 ms.
    """
    return f"&t={secrets.token_urlsafe(6)}"


class _OrderlyEngine(engineio.Client):  # type: ignore[misc] # python-engineio has no types
    """Takes messages one after the other; python-engineio starts a thread for each, and they overtake each other."""

    def _get_url_timestamp(self) -> str:
        return _stamp()

    def _trigger_event(self, event: str, *args: Any, **options: Any) -> Any:
        return super()._trigger_event(event, *args, **{**options, "run_async": False})

    def disconnect(self, abort: bool = False, reason: str | None = None) -> None:
        """End it. Where the WebSocket ended while it was upgraded to, nobody reads yet who could be waited for."""
        super().disconnect(abort or self.read_loop_task is None, reason)


class SyncWire(socketio.Client):  # type: ignore[misc] # python-socketio has no types
    """A client whose handlers are called in the order in which events came.

    :param ended: called when the transport is gone; python-socketio tells of it only once the namespace was connected.
    """

    def __init__(self, options: Mapping[str, Any], ended: Callable[[], None]) -> None:
        self.gone, self.connecting = False, True
        self._ended = ended
        super().__init__(**{"handle_sigint": False, **options, "reconnection": False})

    def _handle_eio_disconnect(self, *reason: Any) -> None:
        super()._handle_eio_disconnect(*reason)
        self.gone = True
        self._ended()

    def _engineio_client_class(self) -> type[_OrderlyEngine]:
        return _OrderlyEngine


class _OrderlyAsyncEngine(engineio.AsyncClient):  # type: ignore[misc] # python-engineio has no types
    """The same for asyncio, where each message is a task."""

    def _get_url_timestamp(self) -> str:
        return _stamp()

    async def _trigger_event(self, event: str, *args: Any, **options: Any) -> Any:
        return await super()._trigger_event(event, *args, **{**options, "run_async": False})

    async def disconnect(self, abort: bool = False, reason: str | None = None) -> None:
        await super().disconnect(abort or self.read_loop_task is None, reason)

    async def _send_request(self, *args: Any, **options: Any) -> Any:
        """Ask once, and have the whole answer, or words why not.

        aiohttp asks again where an answer to a GET was lost, which is answered with what comes after that answer. And
        one that breaks off would end python-engineio's reading, which nobody would notice.
        """
        answer = await super()._send_request(*args, **options)
        if self.http is not None:  # its first request begins a session: that may be asked twice
            self.http._retry_connection = False
        if not isinstance(answer, str):
            try:
                await answer.read()
            except Exception as error:  # of aiohttp, which need not be installed
                return str(error) or type(error).__name__
        return answer


class AsyncWire(socketio.AsyncClient):  # type: ignore[misc] # python-socketio has no types
    """The same for asyncio."""

    def __init__(self, options: Mapping[str, Any], ended: Callable[[], None]) -> None:
        self.gone, self.connecting = False, True
        self._ended = ended
        super().__init__(**{"handle_sigint": False, **options, "reconnection": False})

    async def _handle_eio_disconnect(self, *reason: Any) -> None:
        await super()._handle_eio_disconnect(*reason)
        self.gone = True
        self._ended()

    def _engineio_client_class(self) -> type[_OrderlyAsyncEngine]:
        return _OrderlyAsyncEngine


def refusal_of(told: tuple[Any, ...]) -> dict[str, Any] | None:
    """What a ``connect_error`` of ClassWaves says; ``None`` for python-socketio's own, which raises, too."""
    for one in told:
        if isinstance(one, dict) and isinstance(one.get("data"), dict) and "code" in one["data"]:
            found: dict[str, Any] = one["data"]
            return found
    return None
