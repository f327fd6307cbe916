"""The client for programs with threads: a driver of the core. Its methods may be called by any thread.

Imports actions, calls, core, errors, event, payloads, rest, session, stream, typed and wire.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
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
from .typed import Calls, ClientEvent, OnClient, OnRoom, RoomEvent
from .wire import NEEDED, Failures, Gone, SyncWire, refusal_of

for _library, _package in (("websocket", "websocket-client"), ("requests", "requests")):
    if importlib.util.find_spec(_library) is None:
        raise ImportError(NEEDED.format(_package))

log = logging.getLogger("classwaves.client")

Handler = Callable[[Event[str, Any]], object]


class _Speaks:
    """What a client and a room have in common: requests, events, handlers."""

    _client: Client
    _session: Session | None = None

    def __init__(self) -> None:
        self._handlers: dict[str, list[Handler]] = {}
        self._handling: Stream | None = None
        self.call: Calls = cast("Calls", self._call)

    def _call(
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
        client, body = self._client, payload(event, data, self._session, client_message_id)
        with client._lock:
            deadline = None if timeout is None else time.monotonic() + timeout
            call = client._core.call(event, lambda: (body,), self._session, deadline)
        try:
            # the core keeps the deadline; this is for a program whose threads are kept from running
            client._wait(call.done, None if timeout is None else timeout + 1.0)
        except BaseException:
            with client._lock:
                client._core.forget(call)
            raise
        with client._lock:
            call.give_up()  # which does nothing where it is done
        return call.result()

    def _on(self, name: str, /) -> Callable[[Handler], Handler]:
        """Have a function called with each event of this name (``*``: of all), in order, in a thread of its own.

        What happened before the first handler was there is not told.
        """

        def register(handler: Handler) -> Handler:
            with self._client._lock:
                self._handlers.setdefault(name, []).append(handler)
                if self._handling is None:
                    self._handling = stream = self._client._core.stream(self._session)
                    self._client._in_background(self._handle, stream)
            return handler

        return register

    def _handle(self, stream: Stream) -> None:
        try:
            for event in self._iterate(stream, None):
                for handler in [*self._handlers.get(event.name, ()), *self._handlers.get("*", ())]:
                    try:
                        handler(event)
                    except Exception:
                        log.exception("a handler of %s has failed", event.name)
        except ClassWavesError as error:
            log.debug("no more events for handlers: %s", error.code)  # whoever waits for the client is told

    def _iterate(self, stream: Stream, timeout: float | None) -> Iterator[Event[str, Any]]:
        while True:
            with self._client._lock:
                event = self._client._core.read(stream, self._session)
            if event is not None:
                yield event
            elif stream.over or not self._client._wait(stream.flag, timeout):
                return


class Room(_Speaks):
    """A session that the client is in, over all its connections. Made by :meth:`Client.join`."""

    _session: Session

    def __init__(self, client: Client, session: Session) -> None:
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

    def join(self, timeout: float | None = 30.0, *, on_waiting: Callable[[], object] | None = None) -> Self:
        """Come in, as :meth:`Client.join` does: for rooms that :meth:`Client.room` has made."""
        client, session = self._client, self._session
        until = None if timeout is None else time.monotonic() + timeout
        with client._lock:
            client._core.join(session)
        client._wait(session.asked, timeout)
        if session.waiting and on_waiting:
            on_waiting()
        if not client._wait(session.settled, None if until is None else max(0.0, until - time.monotonic())):
            raise client._late("joinSession")
        session.raise_if_over()
        return self

    def leave(self, timeout: float | None = 30.0) -> None:
        """Leave the session; iterators of its events end."""
        with self._client._lock:
            deadline = None if timeout is None else time.monotonic() + timeout
            call = self._client._core.leave(self._session, deadline)
        self._client._wait(call.done, None)
        call.result()

    def send(
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
        answer = self._call("sendMessage", body, timeout=timeout, client_message_id=client_message_id)
        return cast("SendMessageAck", answer)

    def events(self, timeout: float | None = None) -> Iterator[RoomEvent]:
        """Events in order, each once, from the join on. It ends after ``sessionEnded``, and when the room is left.

        :param timeout: it ends when nothing has come for so many seconds.
        :raises ClassWavesError: there will be no more: the client was put out, or its login has ended.
        """
        return cast("Iterator[RoomEvent]", self._iterate(self._reading, timeout))

    def messages(self, *, after_seq: int = 0, group_id: str | None = None) -> list[KeptMessage]:
        """The messages so far, oldest first, page by page."""
        return self._pages(Pages("fetchHistory", "messages", after_seq, group_id))

    def transcript(self, *, after_seq: int = 0, group_id: str | None = None) -> list[Caption]:
        """The final captions so far, oldest first, page by page."""
        return self._pages(Pages("fetchTranscript", "segments", after_seq, group_id))

    def _pages(self, pages: Pages) -> list[Any]:
        while pages.more:
            pages.add(self._call(pages.event, pages.where))
        return pages.found


class Client(_Speaks):
    """A connection to a server that is kept, whatever happens to it, and the sessions that are joined over it.

    ::

        with Client.login("https://school.example", "ada", password) as client:
            room = client.join("DEM234")
            room.send("hello")
            for event in room.events():
                print(event.name, event.data)

    :param url: of the server.
    :param token: an access token; may be left out if ``refresh`` gets the first one, too.
    :param refresh: called for a new access token, when the one that there is ends soon, or was refused. What it raises
        that is no :class:`ClassWavesError` counts as "perhaps later".
    :param queue: how many events may wait for each reader; see :meth:`Room.events`.
    :param transports: ``websocket``, ``polling``, or both.
    :param options: of python-socketio's client, such as ``ssl_verify`` and ``http_session``.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        refresh: Callable[[], str] | None = None,
        queue: int = 5000,
        transports: Sequence[str] = ("websocket",),
        namespace: str = "/",
        path: str = "socket.io",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if token is None and refresh is None:
            raise TypeError("a client needs a token, or a function that gets one (refresh)")
        self._client = self
        self._lock = threading.RLock()
        self._core = Core(token, refresh is not None, threading.Event, queue)
        super().__init__()
        self.on: OnClient = cast("OnClient", self._on)
        self._url, self._get_token = url, refresh
        self._transports, self._namespace, self._path = list(transports), namespace, path
        self._options = dict(options or {})
        SyncWire(self._options, lambda: None)  # options that it does not take are told here
        self._wires: dict[int, SyncWire] = {}
        self._reading: Stream | None = None
        self._rooms: dict[Session, Room] = {}
        self._thread = threading.Thread(target=self._run, name="classwaves-client", daemon=True)

    @classmethod
    def login(cls, url: str, username: str, password: str, *, api: str = API, **how: Any) -> Self:
        """A client that logs in, renews its tokens by itself, and logs in again where its login was lost.

        :param how: as for :class:`Client`.
        """
        return cls(url, refresh=Login(url, username, password, api).token, **how)

    @classmethod
    def guest(cls, url: str, code: str, name: str, *, api: str = API, **how: Any) -> Self:
        """A client of a new guest of a session. A guest's token cannot be renewed; it lives for hours.

        :param how: as for :class:`Client`.
        """
        return cls(url, refresh=Guest(url, code, name, api).token, **how)

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._core.state is State.CONNECTED

    @property
    def ready(self) -> dict[str, Any]:
        """What the server has said of the newest connection: ``userId``, ``role``, ``limits`` and so on."""
        return self._core.ready

    def connect(self, timeout: float | None = 30.0) -> Self:
        """Begin, and wait until there is a connection. ``with`` does it.

        :raises ClassWavesError: the server does not take the token, or there is no connection in time.
        """
        with self._lock:
            if self._core.state is State.IDLE:
                self._core.open(time.monotonic())
                self._thread.start()
        if not self._wait(self._core.settled, timeout):
            raise self._late("connecting")
        self._core.raise_if_closed()
        return self

    def close(self) -> None:
        """End the connection. Whoever waits for something gets ``CLOSED``; iterators end."""
        with self._lock:
            self._core.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(10.0)

    def __enter__(self) -> Self:
        try:
            return self.connect()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def room(self, code: str) -> Room:
        """A room to be joined by :meth:`Room.join`: handlers that are registered before miss nothing."""
        with self._lock:
            session = self._core.session(code)
            if session not in self._rooms:
                self._rooms = {one: room for one, room in self._rooms.items() if one.wanted}
                self._rooms[session] = Room(self, session)
            return self._rooms[session]

    def join(self, code: str, timeout: float | None = 30.0, *, on_waiting: Callable[[], object] | None = None) -> Room:
        """Come into a session, and stay in it until :meth:`Room.leave`. One client may be in several.

        :param timeout: seconds, the time in a waiting room among them.
        :param on_waiting: called if there is a waiting room, and the client is in it.
        :raises ClassWavesError: the session does not let this user in, or has not in time.
        """
        return self.room(code).join(timeout, on_waiting=on_waiting)

    def events(self, timeout: float | None = None) -> Iterator[ClientEvent]:
        """What is about no session (``authExpiring``, ``error`` …), from the first call on."""
        with self._lock:
            if self._reading is None:
                self._reading = self._core.stream()
        return cast("Iterator[ClientEvent]", self._iterate(self._reading, timeout))

    # its thread, and what it waits for

    def _wait(self, flag: Flag, timeout: float | None) -> bool:
        return cast("threading.Event", flag).wait(timeout)

    def _late(self, what: str) -> ClassWavesError:
        trouble = self._core.trouble
        return trouble or ClassWavesError(TIMEOUT, f"{what} took too long")

    def _run(self) -> None:
        while True:
            with self._lock:
                now = time.monotonic()
                self._core.work.clear()
                again = self._core.tick(now)
                actions = self._core.take_actions()
            for action in actions:
                self._do(action)
            if again is None:
                return
            if not actions:
                self._wait(self._core.work, max(0.0, again - time.monotonic()))

    def _do(self, action: Action) -> None:
        match action:
            case Send(connection, number, event, arguments):
                self._emit(connection, number, event, arguments)
            case Connect(connection, token):
                # here, so that a Drop finds it, however late the thread begins
                new = self._wires[connection] = SyncWire(self._options, partial(self._lost, connection))
                self._in_background(self._connect, new, connection, token)
            case Drop(connection):
                with self._lock:
                    wire = self._wires.pop(connection, None)
                    made = wire is not None and not wire.connecting  # else it is ended as soon as it is made
                if made:
                    self._in_background(_disconnect, wire)
            case Refresh() if self._get_token:
                self._in_background(self._refresh, self._get_token)

    def _in_background(self, task: Callable[..., None], *args: Any) -> None:
        threading.Thread(target=task, args=args, name="classwaves-errand", daemon=True).start()

    def _emit(self, connection: int, number: int, event: str, arguments: tuple[Any, ...]) -> None:
        def answered(*ack: Any) -> None:
            with self._lock:
                self._core.answered(connection, number, ack[0] if ack else None, time.monotonic())

        wire = self._wires.get(connection)
        try:
            if wire is not None:
                wire.emit(event, arguments, namespace=self._namespace, callback=answered)
        except Gone:
            self._lost(connection)
        except Exception as error:  # of what makes a packet of it: it would be the same over any connection
            with self._lock:
                self._core.answered(connection, number, unsendable(error), time.monotonic())

    def _connect(self, wire: SyncWire, connection: int, token: str | None) -> None:
        def connected() -> None:
            with self._lock:
                self._core.connected(connection)

        def refused(*told: Any) -> None:
            if refusal := refusal_of(told):
                self._failed(connection, refusal)

        def heard(event: str, *data: Any) -> None:
            with self._lock:
                self._core.heard(connection, event, data[0] if data else None)

        wire.on("connect", connected, namespace=self._namespace)
        wire.on("connect_error", refused, namespace=self._namespace)
        wire.on("*", heard, namespace=self._namespace)
        try:
            wire.connect(
                self._url,
                auth={"token": token},
                transports=self._transports,
                namespaces=[self._namespace],
                socketio_path=self._path,
                wait=False,  # it would wait on for an answer when the transport is gone
            )
        except Exception as error:  # of python-socketio, of what is below it, or of options that it does not take
            self._failed(connection, str(error) or type(error).__name__)
        with self._lock:
            wire.connecting = False
            unwanted = connection not in self._wires
        if unwanted and not wire.gone:
            _disconnect(wire)

    def _failed(self, connection: int, why: Any) -> None:
        with self._lock:
            self._core.connect_failed(connection, why, time.monotonic())

    def _lost(self, connection: int) -> None:
        with self._lock:
            self._wires.pop(connection, None)  # python-engineio still works on its end: it is not to be disturbed
            self._core.lost(connection, time.monotonic())

    def _refresh(self, get_token: Callable[[], str]) -> None:
        try:
            token = get_token()
        except ClassWavesError as error:
            self._refresh_failed(error)
        except Exception as error:
            log.exception("the function that gets tokens has failed")
            self._refresh_failed(ClassWavesError(CONNECTION_FAILED, f"no new token: {type(error).__name__}"))
        else:
            with self._lock:
                self._core.refreshed(token, time.monotonic())

    def _refresh_failed(self, error: ClassWavesError) -> None:
        with self._lock:
            self._core.refresh_failed(error, time.monotonic())


def _disconnect(wire: SyncWire) -> None:
    try:
        wire.disconnect()
    except Failures as error:
        log.debug("a connection ended with %s", type(error).__name__)
