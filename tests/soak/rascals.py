"""Those of the soak who do what nobody should: each visit harms nobody but who makes it."""

from contextlib import suppress

from tests.soak.client import LiveWire, Polling, frame
from tests.soak.world import Lesson, World
from tests.support.protocol import PATH, TEXT, Tcp, header
from tests.support.wires import Closed

FLOOD = 80
"""Events in one go: more than a user may send in a second."""


def flooder(world: World, lesson: Lesson) -> None:
    """Send far more than is allowed, at once, and go."""
    client = world.enter(lesson, world.guest(lesson), "websocket")
    try:
        for _ in range(FLOOD):
            client.tell("sendMessage", {"sessionCode": lesson.code, "message": "!"})
        ack = client.ask("fetchHistory", {"sessionCode": lesson.code, "limit": 100})
        world.seen[f"flood {'let through' if ack['ok'] else ack['error']['code']}"] += 1
    finally:
        client.wire.drop()


def stranger(world: World, lesson: Lesson) -> None:
    """Show tokens that are wrong."""
    guest = world.guest(lesson)
    head, body, signature = guest.token.split(".")
    guest.token = world.chance.choice(["", "x", f"{head}.{body}.", f"{head}.{body}.{signature[::-1]}", "a" * 5000])
    client = world.connect(guest)
    world.seen[f"refused {client.refusal}"] += 1
    with suppress(Closed):
        client.tell("joinSession", lesson.code)
        world.over.wait(world.moment())
    client.wire.drop()


def vandal(world: World, lesson: Lesson) -> None:
    """Join, and then break the protocol."""
    client = world.enter(lesson, world.guest(lesson), "websocket")
    wire = client.wire
    assert isinstance(wire, LiveWire)
    way = world.chance.randrange(8)
    ways = [
        header(TEXT, 2**31) + b"x" * 5000,  # a frame that is too large, by its header
        header(TEXT, 5, mask=b"") + b"hello",
        header(3, 0),
        frame(TEXT, b"\xff\xfe\xfd"),
        frame(TEXT, b"4" + b"[" * 30_000),
        frame(TEXT, b'452-["fileChunk",{"_placeholder":true,"num":0}]'),  # its attachments never come
        frame(TEXT, b'42["sendMessage",{"sessionCode":"' + b"A" * 60_000 + b'"}]'),
        header(TEXT, 1000) + b"4",  # the rest never comes
    ]
    try:
        wire.send_raw(ways[way])
        world.seen[f"vandal {way}"] += 1
        with suppress(Closed):
            client.listen(2 * world.moment())
    finally:
        client.wire.drop()


def sloth(world: World, lesson: Lesson) -> None:
    """Ask for much, and read nothing of it."""
    client = world.enter(lesson, world.guest(lesson), "websocket", room=4096)
    try:
        with suppress(Closed, TimeoutError):
            for _ in range(40):
                client.tell("fetchHistory", {"sessionCode": lesson.code, "limit": 100})
                client.tell("sendMessage", {"sessionCode": lesson.code, "message": "z" * 3000})
                world.over.wait(world.moment(0.1))
        world.seen["sloth"] += 1
    finally:
        client.wire.drop()


def loiterer(world: World, lesson: Lesson) -> None:
    """Begin something with the server and do not go on."""
    way = world.chance.randrange(6)
    world.seen[f"loiterer {way}"] += 1
    headers = world.address()
    if way == 0:  # a socket that never says who it is
        wire = LiveWire(world.port, headers)
        world.over.wait(2 * world.pause)
        wire.drop()
    elif way == 1:  # a polling handshake, and no more
        Polling(f"http://127.0.0.1:{world.port}", headers)
    elif way == 5:  # an upgrade that is probed and never made
        polling = Polling(f"http://127.0.0.1:{world.port}", headers)
        sid = polling._path.rpartition("&sid=")[2]
        wire = LiveWire(world.port, headers, f"&sid={sid}")
        wire.send("2probe")
        world.over.wait(world.pause)
        wire.drop()
    else:
        with Tcp(world.port) as tcp:
            if way == 2:  # half a head
                tcp.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-")
            elif way == 3:  # half a body
                tcp.ask("POST", "/api/v1/auth/login", {"Content-Type": "application/json", "Content-Length": "99"})
            else:  # a poll that nobody waits for
                opened = Polling(f"http://127.0.0.1:{world.port}", headers)
                tcp.ask("GET", opened._path or PATH, headers)
            world.over.wait(world.moment())
