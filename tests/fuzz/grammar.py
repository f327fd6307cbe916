"""Makes inputs: right ones by the grammar of each layer, with something wrong in most of them.

The layers are WebSocket frames, Engine.IO packets, Socket.IO packets and events. Events come from the registry, with
right payloads and with what :mod:`tests.support.payloads` knows to be wrong for their fields, so that an event that is
added later is in here by itself.
"""

import json
import random
from collections.abc import Callable
from typing import Any

from classwaves.features import FEATURES
from tests.fuzz.inputs import OVER, WHO, Input, Step
from tests.support.payloads import arguments, payload, wrong
from tests.support.protocol import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_body, frame, header
from tests.support.wires import SEPARATOR

EVENTS = {event.name: event for feature in FEATURES for event in feature.events}
SERVER_EVENTS = ["sessionJoined", "messageReceived", "presenceUpdated", "error", "sessionEnded", "participantRemoved"]
RESERVED = ["connect", "disconnect", "connect_error", "disconnecting", "newListener", "message", "ping", "*", ""]
NAMESPACES = ["/", "/other", "/admin", "/../", "//", "/$CODE", "/session:$CODE", "/?token=x", "/" + "n" * 300]
IDS = [
    *("session:$CODE", "session:$CODE:staff", "group:1", "user:demo-teacher", "../..", "$CODE ", "$CODE\u0130", "*"),
    *("__proto__", "constructor", "\u202e$CODE", "a\0b", "\ud800", "0", "-1", "None", "' OR 1=1 --", "${7*7}", "%s%n"),
    *("{tag}", "\r\nX: y", "\r\n*1\r\n$8\r\nFLUSHALL\r\n", "e\u0301" * 500, "\U0001f468\u200d" * 30, "9" * 5000),
]
ODD: list[Any] = [
    *(None, True, 0, -1, 2**53, 2**64, -(2**63) - 1, 10**400, 1e308, 5e-324, float("nan"), float("inf")),
    *("", [], {}, [[]], {"": ""}, b"", b"\0" * 100, {"_placeholder": True, "num": 0}, {"__proto__": {"polluted": 1}}),
]


class Grammar:
    """Makes inputs, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def input(self) -> Input:
        """Return another input."""
        who, over = self._chance.choice(WHO), self._chance.choice(OVER)
        layers: list[Callable[[], list[Step]]] = [self._events, self._packets, self._messages, self._requests]
        if over == "websocket":
            layers += [self._frames, self._frames]
        else:
            layers.append(self._posts)
        steps = self._chance.choice(layers)()
        if self._chance.random() < 0.2:
            steps += self._chance.choice(layers)()
        return Input(who, over, steps)

    # events

    def _events(self) -> list[Step]:
        return [Step("event", self.event()) for _ in range(self._chance.randint(1, 4))]

    def event(self) -> list[Any]:
        """Return the name and the arguments of an event."""
        if self._chance.random() < 0.15:
            return [self._chance.choice([*SERVER_EVENTS, *RESERVED, *IDS]), *self._some(self._value)]
        event = EVENTS[self._chance.choice(list(EVENTS))]
        body = payload(event, {"sessionCode": "$CODE"}, *self._options(event))
        for _ in range(self._chance.choice([0, 1, 1, 2])):
            name = self._chance.choice(list(event.schema.fields))
            way = self._chance.random()
            if way < 0.4:
                body[name] = self._chance.choice(wrong(event.schema.fields[name], f"{event.name}.{name}"))
            elif way < 0.6:
                body[name] = self._chance.choice(IDS)
            elif way < 0.8:
                body[name] = self._value()
            elif way < 0.9:
                body[self._chance.choice(IDS)] = self._value()
            else:
                body.pop(name, None)
        given = [body[name] for name in event.arguments if name in body]
        args = (tuple(given) or (body,)) if event.arguments else arguments(event, body)
        return [event.name, *args, *([self._value()] if self._chance.random() < 0.05 else [])]

    def _options(self, event: Any) -> list[str]:
        fields = [name for name in event.schema.fields if name in ("groupId", "userId")]
        return [] if event.arguments else [name for name in fields if self._chance.random() < 0.3]

    def _value(self, levels: int = 3) -> Any:
        way = self._chance.random()
        if levels and way < 0.2:
            return [self._value(levels - 1) for _ in range(self._chance.randint(0, 3))]
        if levels and way < 0.4:
            return {self._chance.choice(IDS): self._value(levels - 1) for _ in range(self._chance.randint(0, 3))}
        return self._chance.choice(IDS) if way < 0.7 else self._chance.choice(ODD)

    def _some(self, make: Callable[[], Any]) -> list[Any]:
        return [make() for _ in range(self._chance.randint(0, 3))]

    # Socket.IO and Engine.IO packets

    def _packets(self) -> list[Step]:
        steps = []
        for _ in range(self._chance.randint(1, 4)):
            steps.append(Step("text", self._broken("4" + self.packet())))
            steps += [Step("binary", self._bytes(100)) for _ in range(self._chance.choice([0, 0, 0, 1, 2]))]
        return steps

    def packet(self) -> str:
        """Return a Socket.IO packet: right by the grammar, whether it means anything or not."""
        kind = self._chance.choice("0122223455667")
        count = f"{self._chance.choice([0, 1, 1, 2, 10, 11, 10**9])}-" if kind in "56" else ""
        place = f"{self._chance.choice(NAMESPACES)}," if self._chance.random() < 0.3 else ""
        number = str(self._chance.choice([0, 1, 10**30])) if self._chance.random() < 0.3 else ""
        data: Any = self.event() if kind in "25" else {"token": "$TOKEN"} if kind == "0" else self._value()
        text = json.dumps(data, default=lambda value: {"_placeholder": True, "num": len(value) % 3})
        return f"{kind}{count}{place}{number}{text if kind != '1' else ''}"

    def _messages(self) -> list[Step]:
        kinds = [*"01234456789b", "", "\x1e", "2probe", "3probe", "5", "é", "\0"]
        steps = [
            Step("text", self._chance.choice(kinds) + self._broken(self._chance.choice(["", "{}", self.packet()])))
            for _ in range(self._chance.randint(1, 4))
        ]
        return steps + [Step("binary", self._bytes(200))]

    def _broken(self, text: str) -> str:
        """Return a text with something lost, doubled, put in or exchanged, most of the time."""
        for _ in range(self._chance.choice([0, 0, 1, 1, 2, 5])):
            at, to = sorted((self._chance.randint(0, len(text)), self._chance.randint(0, len(text))))
            odd = self._chance.choice(
                ['"', "[", "]", "{", "}", ",", "-", "\\", "0", "/", "\0", "\x1e", "\u20ac", "\U0001f600"]
            )
            way = self._chance.randrange(4)
            if way == 0:
                text = text[:at] + text[to:]
            elif way == 1:
                text = text[:to] + text[at:to] + text[to:]
            elif way == 2:
                text = text[:at] + odd * self._chance.choice([1, 1, 2, 3000]) + text[at:]
            else:
                text = text[:at] + odd + text[at + 1 :]
        return text[:50_000]

    # frames

    def _frames(self) -> list[Step]:
        raw = b"".join(self.frame() for _ in range(self._chance.randint(1, 8)))
        for _ in range(self._chance.choice([0, 0, 1, 3])):
            at = self._chance.randint(0, len(raw))
            raw = raw[:at] + self._bytes(8) + raw[at + self._chance.randint(0, 8) :]
        cut = self._chance.randint(0, len(raw))
        return [Step("raw", raw[:cut]), Step("raw", raw[cut:])] if self._chance.random() < 0.5 else [Step("raw", raw)]

    def frame(self) -> bytes:
        """Return a frame: most are right, or have one thing wrong."""
        opcode = self._chance.choice([TEXT, TEXT, TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG, 3, 11])
        how: dict[str, Any] = {"fin": self._chance.random() < 0.8, "mask": self._chance.randbytes(4)}
        if self._chance.random() < 0.1:
            how["rsv"] = self._chance.randrange(8)
        if self._chance.random() < 0.1:
            how["form"] = self._chance.choice([126, 127])
        if self._chance.random() < 0.05:
            how["mask"] = b""
        if self._chance.random() < 0.05:
            return header(opcode, self._chance.choice([2**16, 2**31, 2**63 - 1, 2**64 - 1]), fin=how["fin"])
        body = self._chance.choice(
            [b"", self._bytes(130), self._text(), close_body(self._chance.choice([1000, 1005, 2999]))]
        )
        return frame(opcode, body, **how)

    def _text(self) -> bytes:
        return self._broken("4" + self.packet()).encode("utf-8", "surrogatepass")

    def _bytes(self, most: int) -> bytes:
        return self._chance.randbytes(self._chance.randint(0, most))

    # HTTP

    def _posts(self) -> list[Step]:
        bodies = [SEPARATOR.join(self._some(lambda: self._broken("4" + self.packet()))) for _ in range(2)]
        return [Step("post", self._broken(body)) for body in bodies]

    def _requests(self) -> list[Step]:
        parts = {
            "EIO": self._chance.choice(["4", "4", "4", "3", "", "4&EIO=3", "\u0664"]),
            "transport": self._chance.choice(
                ["websocket", "polling", "polling", "", "flash", "websocket&transport=polling"]
            ),
            "sid": self._chance.choice(["", "x", "a" * 20, "..", "0" * 5000, "%00", "$CODE", "abcdefgh" + "x" * 12]),
            self._chance.choice(["t", "j", "b64", "upgrade"]): self._chance.choice(["1", "", "x" * 200]),
        }
        query = "&".join(f"{name}={value}" for name, value in parts.items() if value or self._chance.random() < 0.5)
        path = self._chance.choice(
            ["/socket.io/", "/socket.io/", "/socket.io", "/socket.io/../socket.io/", "//socket.io/"]
        )
        target = f"{path}?{query}".encode().decode("latin-1")
        return [Step("request", target.replace(" ", "%20"))]
