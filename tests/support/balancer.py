"""A TCP load balancer without stickiness: each connection goes to the next backend that takes it.

It runs as a program of its own (``balancer.py PORT CONTROL_PORT BACKEND...``), so that what goes through it does not
wait for the test's threads.
"""

import asyncio
import random
import socket
import sys
from collections.abc import Sequence
from typing import cast

HIGH_WATER = 1 << 18
"""Bytes that may wait for one side before the other is read no further."""


class Pipe(asyncio.Protocol):
    """One end of a connection through the balancer: what comes in here goes out at the other end."""

    def __init__(self, other: "Pipe | None" = None) -> None:
        self.other = other
        self.transport: asyncio.Transport | None = None
        self.early: list[bytes] = []
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        if self.other and self.other.transport:
            self.other.transport.write(data)
        else:
            self.early.append(data)  # there is no backend yet

    def pause_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.resume_reading()

    def eof_received(self) -> bool:
        self.ended = True
        if not self.other or not self.other.transport or self.other.ended:
            return False  # the end of both directions
        self.other.transport.write_eof()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        if self.other and self.other.transport:
            if error:
                self.other.transport.abort()
            else:
                self.other.transport.close()


class Front(Pipe):
    """The client's end."""

    def __init__(self, balancer: "Program") -> None:
        super().__init__()
        self.balancer = balancer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.balancer.fronts[self] = None
        self.balancer.connecting.add(task := asyncio.ensure_future(self._connect()))
        task.add_done_callback(self.balancer.connecting.discard)

    async def _connect(self) -> None:
        assert self.transport
        back = Pipe(self)
        if not await self.balancer.connect(back):
            self.transport.abort()
        elif self.transport.is_closing():
            assert back.transport
            back.transport.abort()
        else:
            assert back.transport
            self.other = back
            for data in self.early:
                back.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.balancer.fronts.pop(self, None)


class Program:
    """The balancer itself."""

    def __init__(self, backends: Sequence[int]) -> None:
        self.backends = backends
        self.turn = 0
        self.fronts: dict[Front, None] = {}
        """In the order in which they came, so that a seed cuts the same ones."""
        self.connecting: set[asyncio.Future[None]] = set()

    async def connect(self, back: Pipe) -> bool:
        """Connect to the next backend that takes it."""
        for _ in self.backends:
            self.turn += 1
            port = self.backends[self.turn % len(self.backends)]
            try:
                await asyncio.get_running_loop().create_connection(lambda: back, "127.0.0.1", port)
            except OSError:
                continue
            return True
        return False

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """``SHARE SEED`` in a line: cut this share of the connections; the answer is how many."""
        share, seed = (await reader.readline()).decode().split()
        chosen = random.Random(int(seed)).sample(list(self.fronts), round(len(self.fronts) * float(share)))
        for front in chosen:
            if front.transport:
                front.transport.abort()
        writer.write(b"%d\n" % len(chosen))
        await writer.drain()
        writer.close()

    async def run(self, port: int, control: int) -> None:
        await asyncio.start_server(self.control, "127.0.0.1", control)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Front(self), "127.0.0.1", port, backlog=512)
        await server.serve_forever()


def cut(control: int, share: float, seed: int) -> int:
    """Tell a balancer to cut a share (0 to 1) of its connections, chosen by the seed; return how many."""
    with socket.create_connection(("127.0.0.1", control), timeout=10) as wire, wire.makefile("rw") as file:
        file.write(f"{share} {seed}\n")
        file.flush()
        return int(file.readline())


if __name__ == "__main__":
    asyncio.run(Program([int(port) for port in sys.argv[3:]]).run(int(sys.argv[1]), int(sys.argv[2])))
