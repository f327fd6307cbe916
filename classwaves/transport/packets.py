"""Socket.IO packets (protocol 5), read strictly and written fast.

Imports the codec.
"""

from __future__ import annotations

from typing import Any

from socketio import packet

from .. import codec

#: What one event may bring; more would be a client that makes the server wait.
MAX_ATTACHMENTS = 10


class MalformedPacket(ValueError):
    """What a client sent is not a Socket.IO packet that a client may send.

    :param ack_id: the number of the ack that the client waits for, if that much could be read.
    """

    def __init__(self, problem: str, ack_id: int | None = None) -> None:
        super().__init__(problem)
        self.ack_id = ack_id


#: Names that clients may not send: python-socketio would call a shop's handler of that name. In our own namespace they
#: are unknown events.
RESERVED = frozenset({"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})
#: What a packet becomes when there are attachments.
BINARY = {packet.EVENT: packet.BINARY_EVENT, packet.ACK: packet.BINARY_ACK}


class StrictPacket(packet.Packet):  # type: ignore[misc] # python-socketio has no types
    """A packet whose decoding fails in one way, whatever is wrong. ``size`` is what has come of it, in bytes.

    ``home``: the classroom's namespace, where every name has an answer.
    """

    size = 0
    home = "/"
    packet_type: int

    def __init__(self, packet_type: int = packet.EVENT, data: Any = None, *args: Any, **kwargs: Any) -> None:
        # whether there is something binary in it shows when it is encoded; looking for it costs more than that
        kwargs.setdefault("binary", False)
        super().__init__(packet_type, data, *args, **kwargs)

    def encode(self) -> Any:
        try:
            body = "" if self.data is None else codec.dumps(self.data).decode()
        except TypeError:
            if not self.data_is_binary(self.data):
                raise
            self.packet_type = BINARY[self.packet_type]
            return super().encode()
        if self.packet_type in (packet.BINARY_EVENT, packet.BINARY_ACK):
            return super().encode()
        space = f"{self.namespace}," if self.namespace not in (None, "/") else ""
        return f"{self.packet_type}{space}{'' if self.id is None else self.id}{body}"

    def decode(self, encoded_packet: Any) -> Any:
        self.size = byte_length(encoded_packet)
        try:
            attachments = super().decode(encoded_packet)
        except Exception as error:  # ValueError, RecursionError, IndexError, ...: all mean the same
            raise self._malformed("not a Socket.IO packet") from error
        if problem := self._problem(attachments):
            raise self._malformed(problem)
        return attachments

    def _problem(self, attachments: int) -> str | None:
        kind = self.packet_type
        if kind in (packet.EVENT, packet.BINARY_EVENT):
            if not _is_event(self.data):
                return "not an event"
            if (self.namespace or "/") != self.home and self.data[0] in RESERVED:
                return "a name that is not for events"
        elif kind in (packet.ACK, packet.BINARY_ACK):
            if not isinstance(self.data, list):
                return "not an ack"
        elif kind not in (packet.CONNECT, packet.DISCONNECT):
            return "not a packet for a server"
        least, most = (1, MAX_ATTACHMENTS) if kind in (packet.BINARY_EVENT, packet.BINARY_ACK) else (0, 0)
        return None if least <= attachments <= most else "not so many attachments"

    def add_attachment(self, attachment: Any) -> bool:
        self.size += byte_length(attachment)
        if not isinstance(attachment, bytes):
            raise self._malformed("an attachment is missing")
        try:
            return bool(super().add_attachment(attachment))
        except Exception as error:  # a placeholder with a number that no attachment has
            raise self._malformed("not a place for an attachment") from error

    def _malformed(self, problem: str) -> MalformedPacket:
        ours = self.packet_type in (packet.EVENT, packet.BINARY_EVENT) and (self.namespace or "/") == self.home
        return MalformedPacket(problem, self.id if ours else None)


def plain_event(data: str | bytes) -> tuple[int | None, list[Any]] | None:
    """The ack id and the data of an event in the namespace ``/``, as nearly all packets are; ``None`` of all others."""
    if not isinstance(data, str) or data[0] != "2" or (at := data.find("[", 1, 20)) < 0:
        return None
    digits = data[1:at]
    if digits and not (digits.isascii() and digits.isdigit()):
        return None
    try:
        event = codec.loads(data[at:])
    except (ValueError, RecursionError):
        return None
    return (int(digits) if digits else None, event) if _is_event(event) else None


def _is_event(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str)


def byte_length(data: str | bytes) -> int:
    """How long a message is on the wire."""
    return len(data.encode()) if isinstance(data, str) and not data.isascii() else len(data)
