"""Rooms whose members are reached directly: from the room to the outboxes, with a packet that is encoded once.

Imports the codec, tally and packed. The classes are python-socketio's client managers with another memory: a room is a
dict, a socket knows its rooms, and the room that each socket has for itself takes no place.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import socketio
from engineio import packet as engineio_packet
from socketio import packet as socketio_packet

from .. import codec
from ..tally import Tally
from .packed import Packed


class Outlet(Protocol):
    """Where a member's packets go."""

    sid: str
    #: Where frames of a WebSocket are put; ``None`` unless there is one.
    outbox: Any

    def deliver(self, packed: Packed) -> None: ...


class Indirect:
    """The outlet of a socket that this transport does not hold, such as the test client's."""

    __slots__ = ("_server", "sid")

    outbox = None

    def __init__(self, server: Any, sid: str) -> None:
        self._server = server
        self.sid = sid

    def deliver(self, packed: Packed) -> None:
        data: str | bytes = packed.data if packed.binary else packed.data[1:].decode()
        self._server._send_eio_packet(self.sid, engineio_packet.Packet(engineio_packet.MESSAGE, data))


Members = dict[str, Outlet]


class _Namespace:
    """The sockets of one namespace and the rooms they are in."""

    __slots__ = ("leaving", "members", "pending", "rooms", "rooms_of", "sids")

    def __init__(self) -> None:
        self.members: Members = {}
        self.sids: dict[str, str] = {}  # Engine.IO's id -> Socket.IO's
        self.rooms: dict[Any, Members] = {}
        self.rooms_of: dict[str, list[Any]] = {}
        self.pending: set[str] = set()  # let in, but not told so yet
        self.leaving: set[str] = set()


class LiveManager(socketio.Manager):  # type: ignore[misc] # python-socketio has no types
    """The client manager of one server."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._namespaces: dict[str, _Namespace] = {}
        self.count_in(Tally())

    def count_in(self, tally: Tally) -> None:
        """Count what is sent."""
        self.tally, self._traffic = tally, tally.traffic["websocket"]

    # what is asked of it

    def get_namespaces(self) -> Iterable[str]:
        return list(self._namespaces)

    def is_admitted(self, eio_sid: str) -> bool:
        """Whether a connection is in a namespace, or on its way in."""
        for space in self._namespaces.values():  # noqa: SIM110 - for each message: a generator costs more
            if eio_sid in space.sids:
                return True
        return False

    def is_connected(self, sid: str, namespace: str) -> bool:
        space = self._namespaces.get(namespace)
        return space is not None and sid in space.members and sid not in space.pending and sid not in space.leaving

    def is_pre_connected(self, sid: str, namespace: str) -> bool:
        space = self._namespaces.get(namespace)
        return space is not None and sid in space.pending

    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> str | None:
        space = self._namespaces.get(namespace)
        return space.sids.get(eio_sid) if space is not None else None

    def eio_sid_from_sid(self, sid: str, namespace: str) -> str | None:
        space = self._namespaces.get(namespace)
        outlet = space.members.get(sid) if space is not None else None
        return outlet.sid if outlet is not None else None

    def get_participants(self, namespace: str, room: Any) -> Iterator[tuple[str, str]]:
        for sid, outlet in list(self._members(namespace, room).items()):
            yield sid, outlet.sid

    def get_rooms(self, sid: str, namespace: str) -> list[Any]:
        space = self._namespaces.get(namespace)
        return [sid, *space.rooms_of.get(sid, ())] if space is not None and sid in space.members else []

    def is_sid_room(self, namespace: str, room: Any) -> bool:
        space = self._namespaces.get(namespace)
        return space is not None and room in space.members

    def _members(self, namespace: str, room: Any) -> Members:
        """The members of a room, of the room that a socket has for itself, of several, or of the namespace."""
        space = self._namespaces.get(namespace)
        if space is None:
            return {}
        if room is None:
            return space.members
        if isinstance(room, (list, tuple)):
            return {sid: outlet for one in room for sid, outlet in self._members(namespace, one).items()}
        if (outlet := space.members.get(room)) is not None:
            return {room: outlet}
        return space.rooms.get(room, {})

    # comings and goings

    def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        space = self._namespaces.setdefault(namespace, _Namespace())
        if eio_sid in space.sids:
            return None
        sid: str = self.server.eio.generate_id()
        space.sids[eio_sid] = sid
        # the test client has no Engine.IO socket at all
        socket = self.server.eio.sockets.get(eio_sid)
        space.members[sid] = socket if hasattr(socket, "deliver") else Indirect(self.server, eio_sid)
        space.pending.add(sid)
        return sid

    def connect(self, sid: str, namespace: str) -> str | None:
        """Called with a Socket.IO id that waits, or with the Engine.IO id of who is to be let in at once."""
        if not self.is_pre_connected(sid, namespace):
            made = self.pre_connect(sid, namespace)
            if made is None:
                return None
            sid = made
        self._namespaces[namespace].pending.discard(sid)
        return sid

    def pre_disconnect(self, sid: str, namespace: str) -> str | None:
        self._namespaces[namespace].leaving.add(sid)
        return self.eio_sid_from_sid(sid, namespace)

    def basic_disconnect(self, sid: str, namespace: str, **_: Any) -> None:
        space = self._namespaces.get(namespace)
        if space is None:
            return
        for room in space.rooms_of.pop(sid, ()):
            self._take_out(space, sid, room)
        if (outlet := space.members.pop(sid, None)) is not None:
            space.sids.pop(outlet.sid, None)
        space.pending.discard(sid)
        space.leaving.discard(sid)
        self.callbacks.pop(sid, None)
        if not space.members:
            self._namespaces.pop(namespace, None)

    def basic_enter_room(self, sid: str, namespace: str, room: Any, eio_sid: str | None = None) -> None:
        space = self._namespaces.get(namespace)
        if space is None or sid not in space.members:
            raise ValueError("sid is not connected to requested namespace")
        if room == sid:
            return
        if room in space.members:
            raise ValueError("cannot enter a sid room")
        members = space.rooms.setdefault(room, {})
        if sid not in members:
            members[sid] = space.members[sid]
            space.rooms_of.setdefault(sid, []).append(room)

    def basic_leave_room(self, sid: str, namespace: str, room: Any) -> None:
        space = self._namespaces.get(namespace)
        if space is not None and room in (mine := space.rooms_of.get(sid, [])):
            mine.remove(room)
            self._take_out(space, sid, room)

    @staticmethod
    def _take_out(space: _Namespace, sid: str, room: Any) -> None:
        members = space.rooms[room]
        del members[sid]
        if not members:
            del space.rooms[room]

    # the way out

    def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **_: Any,
    ) -> None:
        """Send an event to the members of a room. Their packet is encoded once, unless each is to have its ack."""
        members = self._members(namespace, to or room)
        if not members:
            return
        arguments = [event, *(data if isinstance(data, tuple) else () if data is None else (data,))]
        skipped = skip_sid if isinstance(skip_sid, (list, tuple, set, frozenset)) else (skip_sid,)
        if callback:
            self.tally.emit(event, len(members) - sum(sid in members for sid in skipped))
            for sid, outlet in list(members.items()):
                if sid not in skipped:
                    ack_id = self._generate_ack_id(sid, callback)
                    self._deliver([outlet], self._packets(arguments, namespace, ack_id))
            return
        outlets = [outlet for sid, outlet in members.items() if sid not in skipped]
        self.tally.emit(event, len(outlets))
        self._deliver(outlets, self._packets(arguments, namespace))

    def _packets(self, arguments: list[Any], namespace: str, ack_id: int | None = None) -> list[Packed]:
        try:
            space = b"" if namespace == "/" else f"{namespace},".encode()
            return [Packed(b"42%b%b%b" % (space, b"" if ack_id is None else b"%d" % ack_id, codec.dumps(arguments)))]
        except TypeError:  # something binary is in it
            return pack(self.server.packet_class(socketio_packet.EVENT, arguments, namespace, ack_id))

    def _deliver(self, outlets: Sequence[Outlet], packets: list[Packed]) -> None:
        for packed in packets:
            frame, others = packed.frame, 0
            for outlet in outlets:
                if outlet.outbox is not None:  # what deliver() does, without a call for each recipient
                    outlet.outbox.write(frame)
                else:
                    outlet.deliver(packed)
                    others += 1
            self._traffic.sent += len(frame) * (len(outlets) - others)


class LiveRedisManager(socketio.RedisManager, LiveManager):  # type: ignore[misc]
    """The client manager of a server with a message queue: a shop's own emits reach all workers through Redis.

    :param places: URLs with ``redis_options``, tried one after the other: of a cluster, any node will do.
    """

    def __init__(self, places: Sequence[tuple[str, dict[str, Any]]], **options: Any) -> None:
        self._places = itertools.cycle(places)
        super().__init__(places[0][0], **options)

    def _redis_connect(self) -> None:
        self.redis_url, options = next(self._places)
        self.redis_options = dict(options)  # which it changes
        super()._redis_connect()


def pack(packet: Any) -> list[Packed]:
    """A Socket.IO packet as Engine.IO messages: its text, and its attachments if it has any."""
    encoded = packet.encode()
    if isinstance(encoded, str):
        return [Packed(b"4" + encoded.encode())]
    text, *attachments = encoded
    return [Packed(b"4" + text.encode()), *(Packed(bytes(one), binary=True) for one in attachments)]
