"""Sends an input to a server, sees that all of it is answered or ends the connection, and looks at the answers."""

import json
import re
import socket
from contextlib import suppress
from typing import Any

from classwaves.errors import ERROR_CODES
from tests.fuzz.inputs import Input, Step, filled, packets, polled, written
from tests.support.bystanders import PLAIN
from tests.support.bystanders import event as event_frame
from tests.support.bystanders import packet as text_frame
from tests.support.protocol import BINARY, CLOSE, PATH, TEXT, Frame, Tcp, WebSocket, frame, http
from tests.support.school import School
from tests.support.wires import SEPARATOR, Closed

FIRST_ACK = 7000
BAD = re.compile(r"Traceback \(most recent call last\)|\bERROR\b|\bCRITICAL\b|INTERNAL_ERROR|Internal Server Error")
"""What a server never writes into its log, nor into an answer, whatever it is sent."""


class Player:
    """Sends inputs. The senders of one player are in a session of their own.

    :raises AssertionError: by all methods, with the input as text
    """

    def __init__(self, school: School) -> None:
        self.school = school
        self._read = 0
        self.renew()

    def renew(self) -> None:
        """Begin another session with other people, since what inputs leave adds up."""
        teacher = self.school.teacher
        self._code = self.school.session()
        self._tokens = {"staff": teacher, "student": self.school.api.guest(self._code, "Mallory"), "stranger": ""}
        self.school.api.step(teacher, self._code, "start")

    def play(self, given: Input) -> None:
        """Send an input on connections of its own, which have ended when this returns."""
        values = {"$CODE": self._code, "$TOKEN": self._tokens[given.who]}
        steps = [Step(step.kind, filled(step.content, values)) for step in given.steps]
        try:
            run = self._over_websocket if given.over == "websocket" else self._over_polling
            with suppress(Closed):
                run(given, steps)
            self.look_at_log()
        except (AssertionError, TimeoutError, OSError, ValueError) as error:
            raise AssertionError(f"{error!r}\n{written(given)}") from error

    def look_at_log(self) -> None:
        """See that the server has written nothing bad since the last look."""
        with self.school.server.log_path.open(errors="replace") as log:
            log.seek(self._read)
            new = log.read()
            self._read = log.tell()
        found = BAD.search(new)
        assert found is None, new[-5000:]

    # WebSocket

    def _over_websocket(self, given: Input, steps: list[Step]) -> None:
        with WebSocket(self.school.server.port) as ws:
            assert ws.frame().payload.startswith(b"0{")
            if given.who != "stranger":
                self._enter(ws, given.who)
            asked = 0
            for step in steps:
                if step.kind == "event":
                    for one in packets(FIRST_ACK + asked, step.content):
                        ws.send(_framed(one))
                    asked += 1
                elif step.kind == "request":
                    self._request(step.content)
                elif step.kind != "post":
                    ws.send(step.content if step.kind == "raw" else _framed(step.content))
            if given.must_be_acked:
                acks: set[int] = set()
                while len(acks) < asked:
                    self._heard(_text_of(ws.frame()), acks)
            ws.socket.shutdown(socket.SHUT_WR)
            while (last := ws.frame()).opcode != CLOSE:
                self._heard(_text_of(last), set())
            ws.rest()

    def _enter(self, ws: WebSocket, who: str) -> None:
        ws.send(text_frame("40" + json.dumps({"token": self._tokens[who]})))
        ws.send(event_frame("joinSession", self._code, ack=0))
        answer = b""
        while not answer.startswith(b"430["):
            answer = ws.frame().payload
            assert not answer.startswith(b"44"), answer
        assert json.loads(answer[3:])[0]["ok"] or who == "student", answer  # staff may have removed or erased them

    # polling

    def _over_polling(self, given: Input, steps: list[Step]) -> None:
        port = self.school.server.port
        opened = http(port, "GET", f"{PATH}polling")
        target = f"{PATH}polling&sid={json.loads(opened.text[1:])['sid']}"
        asked = 0
        if given.who != "stranger":
            self._post(target, "40" + json.dumps({"token": self._tokens[given.who]}))
            self._post(target, f'420["joinSession",{json.dumps(self._code)}]')
        for step in steps:
            if step.kind == "event":
                self._post(target, SEPARATOR.join(map(polled, packets(FIRST_ACK + asked, step.content))))
                asked += 1
            elif step.kind == "request":
                self._request(step.content)
            elif step.kind != "raw":
                self._post(target, polled(step.content))
        acks: set[int] = set()
        while given.must_be_acked and len(acks) < asked:
            answer = http(port, "GET", target)
            assert answer.status == 200, answer
            for packet in answer.body.split(SEPARATOR.encode()):
                self._heard(packet, acks)
        self._post(target, "1")
        assert http(port, "GET", target).status == 400, "a connection that was closed goes on"

    def _post(self, target: str, body: str) -> None:
        data = body.encode("utf-8", "surrogatepass")
        answer = http(self.school.server.port, "POST", target, body=data)
        assert answer.status in (200, 400, 413), answer

    def _request(self, target: str) -> None:
        with Tcp(self.school.server.port) as tcp:
            tcp.ask("GET", target, {"Connection": "close"})
            try:
                answer = tcp.answer()
            except Closed:  # a head that cannot be read is not always answered
                return
        assert answer.status < 500, answer
        if answer.body.startswith(b"0{"):  # it has opened a connection
            self._post(f"{PATH}polling&sid={json.loads(answer.text[1:])['sid']}", "1")

    def _heard(self, payload: bytes, acks: set[int]) -> None:
        """Take note of what the server has sent. It must be right, whatever it was sent."""
        assert not BAD.search(payload.decode("utf-8", "replace")), payload
        if match := re.match(rb"43(\d+)\[", payload):
            number = int(match[1])
            (answer,) = json.loads(payload[match.end() - 1 :])
            if number >= FIRST_ACK:
                assert number not in acks, f"a second ack: {payload!r}"
                acks.add(number)
            if isinstance(answer, dict) and not answer["ok"]:
                _is_error(answer["error"])
        elif payload.startswith(b'42["'):
            name, data = json.loads(payload[2:])
            if name == "error":
                _is_error(data)


def _text_of(found: Frame) -> bytes:
    """Return the packet in a frame, and nothing of a pong, which has what the client sent."""
    return found.payload if found.opcode == TEXT else b""


def _is_error(error: dict[str, Any]) -> None:
    assert error["code"] in ERROR_CODES, error
    assert error["code"] not in ("INTERNAL_ERROR", "SERVICE_UNAVAILABLE"), error
    assert len(json.dumps(error)) < 10_000, "an error that repeats too much"


def _framed(packet: str | bytes) -> bytes:
    if isinstance(packet, bytes):
        return frame(BINARY, packet, mask=PLAIN)
    return frame(TEXT, packet.encode("utf-8", "surrogatepass"), mask=PLAIN)
