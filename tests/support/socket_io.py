"""Socket.IO packets by hand on an Engine.IO session: what the conformance tests share."""

import json
from typing import Any

from tests.support.engine_io import Packet, Session

HOLE = '{"_placeholder":true,"num":0}'
TWO_HOLES = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


def content(packet: Packet, start: str) -> Any:
    """Return the JSON of a packet that begins so."""
    assert isinstance(packet, str) and packet.startswith(start), packet
    return json.loads(packet.removeprefix(start))


def connect(session: Session, namespace: str = "/shop,", auth: str = "") -> str:
    """Connect to a namespace and return the id."""
    session.send(f"40{namespace}{auth}")
    answer = content(session.receive(), f"40{namespace}")
    assert list(answer) == ["sid"] and isinstance(answer["sid"], str)
    return str(answer["sid"])


def ask(session: Session, event: str, *args: Any, namespace: str = "/shop") -> Any:
    """Emit with the ack id 7, which must be what comes next, and return its arguments."""
    session.send(f"42{namespace},7{json.dumps([event, *args])}")
    return content(session.receive(), f"43{namespace},7")


def alive(session: Session) -> bool:
    return bool(ask(session, "message-with-ack", "alive?") == ["alive?"])
