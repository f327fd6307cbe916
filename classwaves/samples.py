"""What is not counted but looked up when somebody asks for the numbers: what there is now.

Imports hub, namespace and tally. It costs a look at each connection and each session, so it is done once a second at
the most often, and never for a message.
"""

from __future__ import annotations

from typing import Any

from .hub import Hub
from .live import LiveSession
from .namespace import ClassroomNamespace
from .tally import OTHER, Tally, add
from .transport.engine import LiveEngine


class Samples:
    """The gauges of one application, which the tally asks for.

    :param engine: has the connections; those of a test client, which it does not have, are ``other``.
    """

    def __init__(self, tally: Tally, hub: Hub, namespace: ClassroomNamespace, engine: Any) -> None:
        self._tally = tally
        self._hub = hub
        self._namespace = namespace
        self._engine = engine
        tally.sample, tally.rooms, tally.draining = self.gauges, self.rooms, lambda: hub.draining or hub.leaving

    def gauges(self) -> dict[str, Any]:
        """The numbers of now; and each session is observed in the histogram of their sizes."""
        connections, waiting = self._connections()
        sessions = [live for live in self._hub.live_sessions() if live.replica.record]
        for live in sessions:
            self._tally.room_size.observe(_size(live))
        archiver = self._hub.archiver
        return {
            "connections": connections,
            "outbox_bytes": waiting,
            "sessions": len(sessions),
            "members": sum(len(live.members) for live in sessions),
            "archive_backlog": archiver.backlog if archiver else 0,
        }

    def _connections(self) -> tuple[dict[str, int], int]:
        if isinstance(self._engine, LiveEngine):
            return self._engine.census()
        counts = {"websocket": 0, "polling": 0}
        for connection in self._namespace.open_connections():
            socket = self._engine.sockets.get(connection.eio_sid)  # the test client has none
            add(counts, OTHER if socket is None else "websocket" if socket.upgraded else "polling")
        return counts, 0

    def rooms(self) -> list[dict[str, Any]]:
        """See :attr:`classwaves.tally.Tally.rooms`: ids and sizes, no titles and no names."""
        return [
            {
                "sessionId": live.id,
                "sessionCode": record.code,
                "status": record.status,
                "sockets": len(live.members),
                "participants": _size(live),
            }
            for live in self._hub.live_sessions()
            if (record := live.replica.record)
        ]


def _size(live: LiveSession) -> int:
    """How many participants are connected, wherever they are."""
    return sum(participant.connected for participant in list(live.replica.participants.values()))
