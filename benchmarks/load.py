"""Messages into rooms, with every delivery counted and timed."""

import itertools
import time
from dataclasses import dataclass, field

from benchmarks.crowd import Crowd, Room
from benchmarks.servers import Measured
from benchmarks.wire import Broken, Client, event

DRAIN = 10
"""Seconds that the last deliveries may take."""

Figures = dict[str, float]


@dataclass(frozen=True)
class Pace:
    """How messages are sent.

    :param seconds: for so long
    :param in_flight: messages of a room that not everybody has yet; the next one leaves when one of them is done
    :param rate: instead of that: messages a second, of all rooms taken together, in turn
    :param speakers: clients of a room who take turns
    """

    seconds: float
    in_flight: int = 4
    rate: float = 0
    speakers: int = 1


@dataclass
class Chat:
    """A room under load."""

    clients: list[Client]
    speakers: list[Client]
    letter: bytes
    sent: int = 0
    delivered: int = 0
    times: list[float] = field(default_factory=list)
    """When each message was sent."""

    def say(self) -> None:
        """Send the next message."""
        self.times.append(time.perf_counter())
        self.speakers[self.sent % len(self.speakers)].send(self.letter)
        self.sent += 1

    def refill(self, in_flight: int) -> None:
        """Send as many messages as have been delivered to as many clients as there are."""
        while self.delivered >= len(self.clients) * (self.sent - in_flight + 1):
            self.say()


class Load:
    """A load on a server whose clients are in their rooms. Runs once."""

    def __init__(self, server: Measured, crowd: Crowd, rooms: list[Room], pace: Pace) -> None:
        self.server, self.crowd, self.pace = server, crowd, pace
        self.chats = [self._chat(room) for room in rooms]
        self.chat_of = {client.fileno: chat for chat in self.chats for client in chat.clients}
        self.latencies: list[float] = []

    def _chat(self, room: Room) -> Chat:
        for client in room.clients:
            client.received = 0
        letter = event("sendMessage", {"sessionCode": room.code, "message": "x" * 60})
        return Chat(room.clients, room.clients[: self.pace.speakers], letter)

    def run(self) -> Figures:
        """Send for the time of the pace, wait for what is on its way, and return what it cost.

        :raises Broken: when a delivery is missing, or came twice
        """
        cpu, own, start = self.server.cpu(), time.process_time(), time.perf_counter()
        self.end = start + self.pace.seconds
        (self._send_paced if self.pace.rate else self._send_in_flight)()
        while not (complete := self._complete()) and time.perf_counter() < self.end + DRAIN:
            self._take(0.05)
        took, cpu, own = time.perf_counter() - start, self.server.cpu() - cpu, time.process_time() - own
        if not complete:
            raise Broken(
                f"of {sum(chat.sent * len(chat.clients) for chat in self.chats)} deliveries not each came once"
            )
        return self._figures(cpu, took) | {"server busy": cpu / took, "load busy": own / took}

    def _figures(self, cpu: float, took: float) -> Figures:
        count, ordered = len(self.latencies), sorted(self.latencies)
        ranks = {f"p{percent} ms": ordered[count * percent // 100] * 1e3 for percent in (50, 99)}
        return {"us each": cpu / count * 1e6, "per s": count / took, **ranks}

    def _send_in_flight(self) -> None:
        for chat in self.chats:
            chat.refill(self.pace.in_flight)
        while time.perf_counter() < self.end:
            self._take(0.05, self.pace.in_flight)

    def _send_paced(self) -> None:
        due, turns = time.perf_counter(), itertools.cycle(self.chats)
        while (now := time.perf_counter()) < self.end:
            if now >= due:
                next(turns).say()
                due += 1 / self.pace.rate
            self._take(max(0.0, due - time.perf_counter()))

    def _take(self, seconds: float, refill: int = 0) -> None:
        """Count and time what has come. The load generator spends its time here."""
        clients = self.crowd.clients
        for descriptor in self.crowd.ready(seconds):
            client = clients[descriptor]
            found = client.deliveries()
            if not found:
                continue
            now, chat = time.perf_counter(), self.chat_of[descriptor]
            self.latencies += [now - then for then in chat.times[client.received - found : client.received]]
            chat.delivered += found
            if refill:
                chat.refill(refill)

    def _complete(self) -> bool:
        return all(client.received == chat.sent for chat in self.chats for client in chat.clients)
