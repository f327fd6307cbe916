"""The client for asyncio: a driver of the core. It belongs to the loop that it is connected in.

Imports actions, calls, core, errors, event, payloads, rest, session, stream, typed and wire.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Self, cast

from .actions import Action, Connect, Drop, Refresh, Send, State
from .calls import Pages, message, payload, unsendable
from .core import Core
from .errors import CONNECTION_FAILED, TIMEOUT, ClassWavesError
from .event import Event
from .payloads import Caption, KeptMessage, SendMessageAck, SessionJoinedEvent
from .rest import API, Guest, Login
from .session import Session
from .stream import Flag, Stream
from .typed import AsyncCalls, ClientEvent, OnClient, OnRoom, RoomEvent
from .wire import NEEDED, AsyncWire, Failures, Gone, refusal_of

if importlib.util.find_spec("aiohttp") is None:
    raise ImportError(NEEDED.format("aiohttp"))

log = logging.getLogger("classwaves.client")

Handler = Callable[[Event[str, Any]], object]


class _Speaks:
    """What a client and a room have in common: requests, events, handlers."""

    _client: AsyncClient
    _session: Session | None = None

    def __init__(self) -> None:
        self._handlers: dict[str, list[Handler]] = {}
        self._handling: Stream | None = None
        self.call: AsyncCalls = cast("AsyncCalls", self._call)

    async def _call(
        self,
        event: str,
        data: Mapping[str, Any] | None = None,
        /,
        *,
        timeout: float | None = 30.0,
        client_message_id: str | None = None,
    ) -> Any:
        """Send an event until it is answered, over as many connections as it takes, and return the ack.

        :param data: without ``sessionCode`` and ``clientMessageId``, which are put in.
        :param timeout: seconds; ``None``: as long as it takes.
        :raises ClassWavesError: it was refused, or there was no answer in time: ``TIMEOUT``, or why it was refused
            last.
        """
        core, body = self._client._core, payload(event, data, self._session, client_message_id)
        deadline = None if timeout is None else time.monotonic() + timeout
        call = core.call(event, lambda: (body,), self._session, deadline)
        try:
            await self._client._wait(call.done, None)
        except BaseException:
            core.forget(call)
            raise
        return call.result()

    def _on(self, name: str, /) -> Callable[[Handler], Handler]:
        """Have a function or coroutine function called with each event of this name (``*``: of all), in order.

        What happened before the first handler was there is not told.
        """

        def register(handler: Handler) -> Handler:
            self._handlers.setdefault(name, []).append(handler)
            if self._handling is None:
                self._handling = self._client._core.stream(self._session)
                self._client._in_background(self._handle(self._handling))
            return handler

        return register

    async def _handle(self, stream: Stream) -> None:
        try:
            async for event in self._iterate(stream, None):
                for handler in [*self._handlers.get(event.name, ()), *self._handlers.get("*", ())]:
                    try:
                        answer = handler(event)
                        if inspect.isawaitable(answer):
                            await answer
                    except Exception:
                        log.exception("a handler of %s has failed", event.name)
        except ClassWavesError as error:
            log.debug("no more events for handlers: %s", error.code)  # whoever waits for the client is told

    async def _iterate(self, stream: Stream, timeout: float | None) -> AsyncIterator[Event[str, Any]]:
        while True:
            event = self._client._core.read(stream, self._session)
            if event is not None:
                yield event
            elif stream.over or not await self._client._wait(stream.flag, timeout):
                return


class AsyncRoom(_Speaks):
    """A session that the client is in, over all its connections. Made by :meth:`AsyncClient.join`."""

    _session: Session

    def __init__(self, client: AsyncClient, session: Session) -> None:
        self._client, self._session = client, session
        super().__init__()
        self.on: OnRoom = cast("OnRoom", self._on)
        self._reading = client._core.stream(session)

    @property
    def code(self) -> str:
        return self._session.code

    @property
    def snapshot(self) -> SessionJoinedEvent:
        """The newest ``sessionJoined``: it is not changed by the events that follow.

        :raises ClassWavesError: it was not joined yet.
        """
        if self._session.snapshot is None:
            raise ClassWavesError("NOT_IN_SESSION", "The room was not joined yet")
        return self._session.snapshot

    @property
    def waiting(self) -> bool:
        """Whether it is in the waiting room."""
        return self._session.waiting

    @property
    def ended(self) -> bool:
        """Whether the session has ended."""
        return self._session.ended

    async def join(self, timeout: float | None = 30.0, *, on_waiting: Callable[[], object] | None = None) -> Self:
        """Come in, as :meth:`AsyncClient.join` does: for rooms that :meth:`AsyncClient.room` has made."""
        client, session = self._client, self._session
        until = None if timeout is None else time.monotonic() + timeout
        client._core.join(session)
        await client._wait(session.asked, timeout)
        if session.waiting and on_waiting:
            on_waiting()
        if not await client._wait(session.settled, None if until is None else max(0.0, until - time.monotonic())):
            raise client._late("joinSession")
        session.raise_if_over()
        return self

    async def leave(self, timeout: float | None = 30.0) -> None:
        """Leave the session; iterators of its events end."""
        deadline = None if timeout is None else time.monotonic() + timeout
        call = self._client._core.leave(self._session, deadline)
        await self._client._wait(call.done, None)
        call.result()

    async def send(
        self,
        text: str,
        *,
        group_id: str | None = None,
        reply_to: str | None = None,
        timeout: float | None = 30.0,
        client_message_id: str | None = None,
    ) -> SendMessageAck:
        """Say something, and return when it is stored: it is stored once, however often it had to be sent.

        :raises ClassWavesError: see :meth:`call`.
        """
        body = message(text, group_id, reply_to)
        answer = await self._call("sendMessage", body, timeout=timeout, client_message_id=client_message_id)
        return cast("SendMessageAck", answer)

    def events(self, timeout: float | None = None) -> AsyncIterator[RoomEvent]:
        """Events in order, each once, from the join on. It ends after ``sessionEnded``, and when the room is left.

        :param timeout: it ends when nothing has come for so many seconds.
        :raises ClassWavesError: there will be no more: the client was put out, or its login has ended.
        """
        return cast("AsyncIterator[RoomEvent]", self._iterate(self._reading, timeout))

    async def messages(self, *, after_seq: int = 0, group_id: str | None = None) -> list[KeptMessage]:
        """The messages so far, oldest first, page by page."""
        return await self._pages(Pages("fetchHistory", "messages", after_seq, group_id))

    async def transcript(self, *, after_seq: int = 0, group_id: str | None = None) -> list[Caption]:
        """The final captions so far, oldest first, page by page."""
        return await self._pages(Pages("fetchTranscript", "segments", after_seq, group_id))

    async def _pages(self, pages: Pages) -> list[Any]:
        while pages.more:
            pages.add(await self._call(pages.event, pages.where))
        return pages.found


class AsyncClient(_Speaks):
    """A connection to a server that is kept, whatever happens to it, and the sessions that are joined over it.

    ::

        async with AsyncClient.login("https://school.example", "ada", password) as client:
            room = await client.join("DEM234")
            await room.send("hello")
            async for event in room.events():
                print(event.name, event.data)

    :param url: of the server.
    :param token: an access token; may be left out if ``refresh`` gets the first one, too.
    :param refresh: called (and awaited) for a new access token, when the one that there is ends soon, or was refused.
        What it raises that is no :class:`ClassWavesError` counts as "perhaps later".
    :param queue: how many events may wait for each reader; see :meth:`AsyncRoom.events`.
    :param transports: ``websocket``, ``polling``, or both.
    :param options: of python-socketio's client, such as ``ssl_verify`` and ``http_session``.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        refresh: Callable[[], str | Awaitable[str]] | None = None,
        queue: int = 5000,
        transports: Sequence[str] = ("websocket",),
        namespace: str = "/",
        path: str = "socket.io",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if token is None and refresh is None:
            raise TypeError("a client needs a token, or a function that gets one (refresh)")
        self._client = self
        self._core = Core(token, refresh is not None, asyncio.Event, queue)
        super().__init__()
        self.on: OnClient = cast("OnClient", self._on)
        self._url, self._get_token = url, refresh
        self._transports, self._namespace, self._path = list(transports), namespace, path
        self._options = dict(options or {})
        AsyncWire(self._options, lambda: None)  # options that it does not take are told here
        self._wires: dict[int, AsyncWire] = {}
        self._reading: Stream | None = None
        self._rooms: dict[Session, AsyncRoom] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None

    @classmethod
    def login(cls, url: str, username: str, password: str, *, api: str = API, **how: Any) -> Self:
        """A client that logs in, renews its tokens by itself, and logs in again where its login was lost.

        :param how: as for :class:`AsyncClient`.
        """
        login = Login(url, username, password, api)
        return cls(url, refresh=lambda: asyncio.to_thread(login.token), **how)

    @classmethod
    def guest(cls, url: str, code: str, name: str, *, api: str = API, **how: Any) -> Self:
        """A client of a new guest of a session. A guest's token cannot be renewed; it lives for hours.

        :param how: as for :class:`AsyncClient`.
        """
        guest = Guest(url, code, name, api)
        return cls(url, refresh=lambda: asyncio.to_thread(guest.token), **how)

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._core.state is State.CONNECTED

    @property
    def ready(self) -> dict[str, Any]:
        """What the server has said of the newest connection: ``userId``, ``role``, ``limits`` and so on."""
        return self._core.ready

    async def connect(self, timeout: float | None = 30.0) -> Self:
        """Begin, and wait until there is a connection. ``async with`` does it.

        :raises ClassWavesError: the server does not take the token, or there is no connection in time.
        """
        self._core.open(time.monotonic())
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="classwaves-client")
        if not await self._wait(self._core.settled, timeout):
            raise self._late("connecting")
        self._core.raise_if_closed()
        return self

    async def close(self) -> None:
        """End the connection. Whoever waits for something gets ``CLOSED``; iterators end."""
        self._core.close()
        if self._running is not None:
            await self._running
        if self._renewing is not None:
            self._renewing.cancel()
        if others := self._tasks - {asyncio.current_task()}:
            _, pending = await asyncio.wait(others, timeout=10.0)
            for task in pending:
                task.cancel()

    async def __aenter__(self) -> Self:
        try:
            return await self.connect()
        except BaseException:
            await self.close()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def room(self, code: str) -> AsyncRoom:
        """A room to be joined by :meth:`AsyncRoom.join`: handlers that are registered before miss nothing."""
        session = self._core.session(code)
        if session not in self._rooms:
            self._rooms = {one: room for one, room in self._rooms.items() if one.wanted}
            self._rooms[session] = AsyncRoom(self, session)
        return self._rooms[session]

    async def join(
        self, code: str, timeout: float | None = 30.0, *, on_waiting: Callable[[], object] | None = None
    ) -> AsyncRoom:
        """Come into a session, and stay in it until :meth:`AsyncRoom.leave`. One client may be in several.

        :param timeout: seconds, the time in a waiting room among them.
        :param on_waiting: called if there is a waiting room, and the client is in it.
        :raises ClassWavesError: the session does not let this user in, or has not in time.
        """
        return await self.room(code).join(timeout, on_waiting=on_waiting)

    def events(self, timeout: float | None = None) -> AsyncIterator[ClientEvent]:
        """What is about no session (``authExpiring``, ``error`` …), from the first call on."""
        if self._reading is None:
            self._reading = self._core.stream()
        return cast("AsyncIterator[ClientEvent]", self._iterate(self._reading, timeout))

    # its task, and what it waits for

    async def _wait(self, flag: Flag, timeout: float | None) -> bool:
        try:
            async with asyncio.timeout(timeout):
                await cast("asyncio.Event", flag).wait()
        except TimeoutError:
            return False
        return True

    def _late(self, what: str) -> ClassWavesError:
        trouble = self._core.trouble
        return trouble or ClassWavesError(TIMEOUT, f"{what} took too long")

    async def _run(self) -> None:
        while True:
            self._core.work.clear()
            again = self._core.tick(time.monotonic())
            actions = self._core.take_actions()
            for action in actions:
                await self._do(action)
            if again is None:
                return
            if not actions:
                await self._wait(self._core.work, max(0.0, again - time.monotonic()))

    async def _do(self, action: Action) -> None:
        match action:
            case Send(connection, number, event, arguments):
                await self._emit(connection, number, event, arguments)
            case Connect(connection, token):
                self._in_background(self._connect(connection, token))
            case Drop(connection):
                wire = self._wires.pop(connection, None)
                if wire is not None and not wire.connecting:  # else it is ended as soon as it is made
                    self._in_background(_disconnect(wire))
            case Refresh() if self._get_token:
                self._renewing = self._in_background(self._refresh(self._get_token))

    def _in_background(self, task: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        started = asyncio.create_task(task)
        self._tasks.add(started)
        started.add_done_callback(self._tasks.discard)
        return started

    async def _emit(self, connection: int, number: int, event: str, arguments: tuple[Any, ...]) -> None:
        def answered(*ack: Any) -> None:
            self._core.answered(connection, number, ack[0] if ack else None, time.monotonic())

        wire = self._wires.get(connection)
        try:
            if wire is not None:
                await wire.emit(event, arguments, namespace=self._namespace, callback=answered)
        except Gone:
            self._lost(connection)
        except Exception as error:  # of what makes a packet of it: it would be the same over any connection
            self._core.answered(connection, number, unsendable(error), time.monotonic())

    async def _connect(self, connection: int, token: str | None) -> None:
        wire = AsyncWire(self._options, lambda: self._lost(connection))

        def connected() -> None:
            self._core.connected(connection)

        def refused(*told: Any) -> None:
            if refusal := refusal_of(told):
                self._core.connect_failed(connection, refusal, time.monotonic())

        def heard(event: str, *data: Any) -> None:
            self._core.heard(connection, event, data[0] if data else None)

        wire.on("connect", connected, namespace=self._namespace)
        wire.on("connect_error", refused, namespace=self._namespace)
        wire.on("*", heard, namespace=self._namespace)
        self._wires[connection] = wire
        try:
            await wire.connect(
                self._url,
                auth={"token": token},
                transports=self._transports,
                namespaces=[self._namespace],
                socketio_path=self._path,
                wait=False,  # it would wait on for an answer when the transport is gone
            )
        except Exception as error:  # of python-socketio, of what is below it, or of options that it does not take
            self._core.connect_failed(connection, str(error) or type(error).__name__, time.monotonic())
        wire.connecting = False
        if connection not in self._wires and not wire.gone:
            await _disconnect(wire)

    def _lost(self, connection: int) -> None:
        self._wires.pop(connection, None)  # python-engineio still works on its end: it is not to be disturbed
        self._core.lost(connection, time.monotonic())

    async def _refresh(self, get_token: Callable[[], str | Awaitable[str]]) -> None:
        try:
            token = get_token()
            if inspect.isawaitable(token):
                token = await token
        except ClassWavesError as error:
            self._core.refresh_failed(error, time.monotonic())
        except Exception as error:
            log.exception("the function that gets tokens has failed")
            why = ClassWavesError(CONNECTION_FAILED, f"no new token: {type(error).__name__}")
            self._core.refresh_failed(why, time.monotonic())
        else:
            self._core.refreshed(token, time.monotonic())


async def _disconnect(wire: AsyncWire) -> None:
    try:
        await wire.disconnect()
    except Failures as error:
        log.debug("a connection ended with %s", type(error).__name__)
