"""The floor: upgrades, and for each message one bare ``send`` to each socket of the room. It parses next to nothing.

What it says has the form that the load generator looks for; nothing else of Socket.IO is there.
"""

import base64
import hashlib
import os
import select
import socket
import struct

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


def frame(text: bytes) -> bytes:
    """Return an unmasked text frame (RFC 6455, section 5.2) of less than 64 KiB."""
    length = len(text)
    return (bytes((0x81, length)) if length < 126 else struct.pack("!BBH", 0x81, 126, length)) + text


OPEN, CONNECTED = frame(b'0{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":1}'), frame(b'40{"sid":"x"}')
JOINED = frame(b'42["sessionJoined",{}]')
MESSAGE = frame(b'42["messageReceived",{"message":"%b"}]' % (b"x" * 150))

Rooms = dict[bytes, list[socket.socket]]


def packets(data: bytes) -> list[bytes]:
    """Return the packets of masked frames, each shorter than 64 KiB and complete."""
    found = []
    while data:
        length, start = data[1] & 0x7F, 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        body, mask = data[start + 4 : start + 4 + length], data[start : start + 4]
        repeated = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
        found.append((int.from_bytes(body, "big") ^ repeated).to_bytes(length, "big"))
        data = data[start + 4 + length :]
    return found


def answer_http(client: socket.socket, head: bytes) -> None:
    """Upgrade the connection, or tell a plain request that the server is there."""
    if b"Sec-WebSocket-Key: " not in head:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    client.sendall(upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + OPEN)


def answer(client: socket.socket, packet: bytes, rooms: Rooms) -> None:
    """CONNECT, ``joinSession``, or a message for the room."""
    if packet.startswith(b"40"):
        client.send(CONNECTED)
    elif packet.startswith(b'42["joinSession"'):
        rooms.setdefault(packet.split(b'"')[3], []).append(client)
        client.send(JOINED)
    elif packet.startswith(b"42"):
        for member in rooms[packet.split(b'"sessionCode":"')[1].split(b'"')[0]]:
            member.send(MESSAGE)


def serve(port: int) -> None:
    """Serve until killed."""
    server, loop, clients = socket.create_server(("127.0.0.1", port), backlog=2048), select.epoll(), {}
    rooms: Rooms = {}
    loop.register(server.fileno(), select.EPOLLIN)
    while True:
        for descriptor, _ in loop.poll():
            if descriptor == server.fileno():
                client = server.accept()[0]
                clients[client.fileno()] = client
                loop.register(client.fileno(), select.EPOLLIN)
                continue
            client = clients[descriptor]
            data = client.recv(65536)
            if data.startswith(b"GET "):
                answer_http(client, data)
            elif data:
                for packet in packets(data):
                    answer(client, packet, rooms)
            else:
                loop.unregister(client)
                clients.pop(descriptor).close()


if __name__ == "__main__":
    serve(int(os.environ["PORT"]))
