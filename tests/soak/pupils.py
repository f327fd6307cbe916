"""Pupils of the soak who behave, more or less: they talk, call each other, send files, and log out."""

import hashlib
from contextlib import suppress
from typing import Any

from tests.soak.client import Client
from tests.soak.world import Guest, Lesson, World
from tests.support.protocol import Tcp
from tests.support.wires import Closed

FILE = b"Once upon a time. " * 6000


def pupil(world: World, lesson: Lesson) -> None:
    """Come, do some things, and go; sometimes from two tabs."""
    guest = world.guest(lesson)
    client = world.enter(lesson, guest)
    try:
        if world.chance.random() < 0.1:
            world.enter(lesson, guest).wire.drop()
        for _ in range(world.chance.randint(1, 6)):
            client.listen(world.moment())
            _act(world, client, lesson)
        world.leave(client, lesson)
    finally:
        client.wire.drop()


def _act(world: World, client: Client, lesson: Lesson) -> None:
    body: dict[str, Any] = {"sessionCode": lesson.code}
    heard = client.last("messageReceived")
    message = {**body, "messageId": heard["messageId"]} if heard else None
    way = world.chance.randrange(12)
    if way == 0:
        client.ask("updatePresence", {**body, "status": world.chance.choice(["active", "idle", "away"])})
    elif way == 1:
        client.ask("typing", {**body, "isTyping": True})
    elif way == 2:
        client.ask(world.chance.choice(["raiseHand", "lowerHand"]), body)
    elif way == 3 and message:
        client.ask("addReaction", {**message, "emoji": "\U0001f44d"})
    elif way == 4 and message:
        client.ask("markRead", message)
    elif way == 5 and lesson.groups:
        client.ask("joinGroup", {**body, "groupId": world.chance.choice(lesson.groups)})
    elif way == 6 and lesson.activity:
        answer = {"activityId": lesson.activity, "data": {"answer": 3}, "clientId": "a"}
        client.ask("submitActivityResponse", {**body, **answer})
    elif way == 7:
        client.ask("fetchHistory", {**body, "limit": 20})
    elif way == 8:
        call = {"callId": "c", "type": "offer", "payload": {"sdp": "v=0"}}
        client.ask("signal", {**body, "targetUserId": world.chance.choice(lesson.pupils), **call})
    else:
        key = {"clientMessageId": str(world.chance.randrange(10**9))} if way == 9 else {}
        ack = client.ask("sendMessage", {**body, "message": "May I say something? " * 3, **key})
        world.seen["message" if ack["ok"] else f"message {ack['error']['code']}"] += 1


def resumer(world: World, lesson: Lesson) -> None:
    """Lose the connection again and again, and resume."""
    guest, client = world.guest(lesson), None
    for _ in range(3):
        client = world.enter(lesson, guest)
        client.ask("syncSession", {"sessionCode": lesson.code, "sinceSeq": 1, "epoch": "?"})
        client.listen(world.moment())
        client.wire.drop()
    world.seen["resumer"] += 1


def logs_out(world: World, lesson: Lesson) -> None:
    """Log out over REST while the socket is open: the server ends it."""
    guest = world.guest(lesson)
    client = world.enter(lesson, guest, "websocket")
    try:
        client.listen(world.moment())
        client.ask("refreshAuth", {"token": guest.token})
        world.rest("POST", "/auth/logout", guest.token, None, guest.headers)
        with suppress(Closed):
            client.listen(60)
        world.seen["logged out"] += 1
    finally:
        client.wire.drop()


def uploader(world: World, lesson: Lesson) -> None:
    """Share a file, or break it off; others fetch it, and break that off."""
    guest = world.guest(lesson)
    client = world.enter(lesson, guest, "websocket")
    try:
        size, digest = len(FILE), hashlib.sha256(FILE).hexdigest()
        kind = {"fileName": "story.txt", "mimeType": "text/plain", "size": size, "sha256": digest}
        begun = client.ask("fileStart", {"sessionCode": lesson.code, "clientFileId": "f", **kind})
        if not begun["ok"]:
            return
        about = {"fileId": begun["fileId"]}
        way = world.chance.randrange(4)
        chunk = {**about, "index": 0, "data": FILE[: begun["chunkSize"]]}
        if way == 0:
            client.tell("fileChunk", {**about, "index": 0, "data": FILE[:-1]})  # cut: not all of it, and gone
            world.seen["upload cut"] += 1
            return
        client.ask("fileChunk", chunk)
        if way == 1:
            client.ask("fileCancel", about)
        elif way == 2:
            world.seen["upload left"] += 1
        elif client.ask("fileComplete", about)["ok"]:
            world.seen["upload"] += 1
            _download(world, guest, begun["fileId"])
    finally:
        client.wire.drop()


def _download(world: World, guest: Guest, file_id: str) -> None:
    path = f"/api/v1/files/{file_id}"
    world.rest("GET", f"/files/{file_id}", guest.token, None, guest.headers)
    with Tcp(world.port) as tcp:  # asks, and goes away at once
        tcp.ask("GET", path, {"Authorization": f"Bearer {guest.token}", **guest.headers})
    world.seen["download abandoned"] += 1


def reader(world: World, lesson: Lesson) -> None:
    """Look at everything over REST, also at what is not theirs or not there."""
    guest = world.guest(lesson)
    for what in ("", "/participants", "/groups", "/messages", "/transcript?format=vtt", "/ice", "/export", "/nothing"):
        world.rest("GET", f"/sessions/{lesson.code}{what}", guest.token, None, guest.headers)
        world.over.wait(world.moment(0.2))
    world.rest("GET", "/sessions/ZZZZZZ", guest.token)
    world.rest("GET", "/auth/me", "no.token.this")
    world.rest("POST", "/auth/login", "", {"username": f"nobody {world.chance.random()}", "password": "a guess at it"})
    world.seen["reader"] += 1
