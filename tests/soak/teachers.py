"""Teachers of the soak: each gives one lesson after the other."""

from contextlib import suppress
from time import monotonic
from typing import Any

from tests.soak.client import Client
from tests.soak.world import PASSWORD, Guest, Lesson, World
from tests.support.wires import Closed


def teach(world: World, name: str, life: float) -> None:
    """Give lessons until all is over.

    :param life: seconds that one takes, on the average
    """
    while not world.over.is_set():
        with suppress(Closed, OSError):
            _lesson(world, name, life)


def _lesson(world: World, name: str, life: float) -> None:
    headers = world.address()
    status, login = world.rest("POST", "/auth/login", "", {"username": name, "password": PASSWORD}, headers)
    if status != 200:
        world.over.wait(world.pause)
        return
    token = login["accessToken"]
    waiting = world.chance.random() < 0.2
    status, made = world.rest(
        "POST", "/sessions", token, {"title": "A lesson", "settings": {"waitingRoom": waiting}}, headers
    )
    if status != 201:
        world.seen[f"no lesson: {status}"] += 1
        return
    lesson = Lesson(made["sessionCode"], token, waiting)
    try:
        world.rest("POST", f"/sessions/{lesson.code}/start", token, None, headers)
        world.lessons.append(lesson)
        world.seen["lessons"] += 1
        _give(world, lesson, Guest(token, login["user"]["userId"], headers), login["refreshToken"], life)
    finally:
        if lesson in world.lessons:
            world.lessons.remove(lesson)
        _end(world, lesson, name, headers)


def _end(world: World, lesson: Lesson, name: str, headers: dict[str, str]) -> None:
    """End the lesson, also when the server has too much to do: what never ended would be kept for weeks."""
    for _ in range(5):
        with suppress(Closed, OSError):
            status, _ = world.rest(
                "POST", f"/sessions/{lesson.code}/end", lesson.token, {"reason": "the bell"}, headers
            )
            if status == 200:
                world.seen["lessons ended"] += 1
                break
            world.seen[f"not ended: {status}"] += 1
            status, login = world.rest("POST", "/auth/login", "", {"username": name, "password": PASSWORD}, headers)
            lesson.token = login["accessToken"] if status == 200 else lesson.token
    world.rest("POST", "/auth/logout", lesson.token, None, headers)


def _give(world: World, lesson: Lesson, me: Guest, refresh: str, life: float) -> None:
    client = world.enter(lesson, me)
    try:
        refreshed = monotonic()
        bell = refreshed + world.chance.uniform(0.5, 1.5) * life
        while monotonic() < bell and not world.over.is_set():
            client.listen(world.moment(0.5))
            _admit(client, lesson)
            _lead(world, client, lesson)
            if monotonic() - refreshed > life / 3:
                refreshed, refresh = monotonic(), _refresh(world, client, lesson, me, refresh)
    finally:
        client.wire.drop()


def _refresh(world: World, client: Client, lesson: Lesson, me: Guest, refresh: str) -> str:
    """Show a new token on the open socket, and return what gets the next one."""
    status, pair = world.rest("POST", "/auth/refresh", "", {"refreshToken": refresh}, me.headers)
    if status != 200:
        world.seen[f"no new token: {status}"] += 1
        return refresh
    lesson.token = pair["accessToken"]
    world.seen[f"refreshAuth {client.ask('refreshAuth', {'token': lesson.token})['ok']}"] += 1
    return str(pair["refreshToken"])


def _admit(client: Client, lesson: Lesson) -> None:
    waiting = [data["userId"] for name, data in client.events if name == "joinRequested"]
    client.events.clear()
    for number, user_id in enumerate(waiting):
        about = {"sessionCode": lesson.code, "userId": user_id, "admitted": number % 4 < 3}
        client.ask("admitParticipant", about)


def _lead(world: World, client: Client, lesson: Lesson) -> None:
    """Do one of the things that staff may do."""
    body: dict[str, Any] = {"sessionCode": lesson.code}
    pupil = world.chance.choice(lesson.pupils or [""])
    number = str(world.chance.randrange(10**9))
    way = world.chance.randrange(9)
    if way == 0:
        ack = client.ask("createGroup", {**body, "name": f"Group {number}"})
        lesson.groups += [ack["groupId"]] if ack["ok"] else []
    elif way == 1 and lesson.groups:
        client.ask("deleteGroup", {**body, "groupId": lesson.groups.pop(0)})
    elif way == 2:
        lesson.activity = number
        client.ask("updateActivity", {**body, "activityId": number, "activityType": "poll", "status": "started"})
    elif way == 3:
        text = {"segmentId": number, "revision": 1, "text": "as I said", "isFinal": False, "startMs": 0, "endMs": 9}
        client.ask("publishTranscription", {**body, **text})
    elif way == 4:
        client.ask("muteParticipant", {**body, "userId": pupil, "muted": world.chance.random() < 0.5})
    elif way == 5 and world.chance.random() < 0.5:
        client.ask("removeParticipant", {**body, "userId": pupil})
    elif way == 6:
        client.ask("startTranscription", {**body, "streamId": number})
    elif way == 7:
        world.rest(
            "GET", f"/sessions/{lesson.code}/{world.chance.choice(['attendance', 'groups', 'export'])}", lesson.token
        )
    else:
        client.ask("sendMessage", {**body, "message": "Listen, please. " * 5})
    world.seen["led"] += 1
