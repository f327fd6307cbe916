"""What the fuzzer sends: an input is who sends it, over what, and its steps; as text it is a file of the corpus.

A file begins with a sentence behind ``#``. Then come two words, who and over what, and then a line for each step: its
kind and its content. Texts and events are JSON; bytes are hexadecimal, in an event ``{"$hex": "00ff"}``. ``$CODE`` and
``$TOKEN`` stand for the session's code and the sender's token.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).with_name("corpus")

WHO = ("stranger", "student", "staff")
"""A stranger has opened a connection and no more; the others are in a session of their own."""
OVER = ("websocket", "polling")
KINDS: Mapping[str, type] = {
    "event": list,  # the event's name and arguments: a right packet, which must be acked
    "text": str,  # an Engine.IO packet
    "binary": bytes,  # a binary message
    "raw": bytes,  # what TCP carries after the WebSocket handshake
    "post": str,  # the body of a polling request
    "request": str,  # the target of a GET on a connection of its own
}


@dataclass(frozen=True)
class Step:
    """One thing that is sent."""

    kind: str
    content: Any


@dataclass(frozen=True)
class Input:
    """What one client sends from its coming to its end."""

    who: str
    over: str
    steps: list[Step] = field(default_factory=list)

    @property
    def must_be_acked(self) -> bool:
        """Whether nothing in it may end the connection, or change what the server takes for a packet."""
        return self.who != "stranger" and all(step.kind in ("event", "request") for step in self.steps)


def written(given: Input, why: str = "found by the fuzzer") -> str:
    """Return an input as text."""
    lines = [f"# {why}", f"{given.who} {given.over}"]
    for step in given.steps:
        if isinstance(step.content, bytes):
            lines.append(f"{step.kind} {step.content.hex()}")
        else:
            lines.append(f"{step.kind} {json.dumps(step.content, default=lambda value: {'$hex': value.hex()})}")
    return "\n".join(lines) + "\n"


def read(text: str) -> Input:
    """Return the input of a text. :raises ValueError: it is none."""
    first, *lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    who, over = first.split()
    if who not in WHO or over not in OVER:
        raise ValueError(f"who ({WHO}) and over what ({OVER})? {first!r}")
    return Input(who, over, [_step(line) for line in lines])


def _step(line: str) -> Step:
    kind, _, content = line.partition(" ")
    if kind not in KINDS:
        raise ValueError(f"no kind of step: {kind!r}")
    if KINDS[kind] is bytes:
        return Step(kind, bytes.fromhex(content))
    found = json.loads(content, object_hook=_bytes)
    if not isinstance(found, KINDS[kind]):
        raise ValueError(f"{kind} has a content of another type: {content[:50]!r}")
    return Step(kind, found)


def _bytes(found: dict[str, Any]) -> Any:
    return bytes.fromhex(found["$hex"]) if set(found) == {"$hex"} else found


def filled(content: Any, values: Mapping[str, str]) -> Any:
    """Return a content with its placeholders filled."""
    if isinstance(content, str):
        for name, value in values.items():
            content = content.replace(name, value)
        return content
    if isinstance(content, list):
        return [filled(item, values) for item in content]
    if isinstance(content, dict):
        return {filled(key, values): filled(item, values) for key, item in content.items()}
    return content


def packets(number: int, event: list[Any]) -> list[str | bytes]:
    """Return the Engine.IO messages of an event that asks for an ack; bytes in it are attachments."""
    attachments: list[bytes] = []

    def place(value: bytes) -> dict[str, Any]:
        attachments.append(value)
        return {"_placeholder": True, "num": len(attachments) - 1}

    text = json.dumps(event, default=place)
    return [f"45{len(attachments)}-{number}{text}" if attachments else f"42{number}{text}", *attachments]


def polled(packet: str | bytes) -> str:
    """Return a message as polling writes it."""
    return packet if isinstance(packet, str) else "b" + base64.b64encode(packet).decode()
