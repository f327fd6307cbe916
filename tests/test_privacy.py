"""What a server logs has no names, texts, passwords and tokens, however talkative its loggers are."""

from collections.abc import Iterator

import pytest

from tests.support.apps import API
from tests.support.clients import Api
from tests.support.loud_app import LoudGunicorn
from tests.support.payloads import VALUES
from tests.support.protocol import http
from tests.support.school import School, open_school

NAME, OTHER, TITLE, TEXT = "Zanzibara Quux", "Qwertina Blorp", "Flibbertigibbet lesson", "okapis are flummoxed"
PASSWORD, USERNAME, GROUP, FILE = "xyzzy-plugh-1234", "quuxina", "Wombat group", "grumpy-platypus.txt"
ANSWER, CAPTION, REASON, KEY = "forty-two narwhals", "axolotls said so", "a tapir came in", "ocelot-key"


@pytest.fixture
def school() -> Iterator[School]:
    with open_school("redis", server=LoudGunicorn) as school:
        yield school


def lesson(school: School) -> list[str]:
    """Have a lesson in which everything is done and much goes wrong, and return the tokens that were given out."""
    api = school.api
    login = api.login("teacher")
    teacher_token = login["accessToken"]
    body = {"title": TITLE, "settings": {"waitingRoom": True}}
    code = api.ok("POST", "/sessions", teacher_token, body)["sessionCode"]
    about = {"sessionCode": code}
    api.ok("POST", f"/sessions/{code}/start", teacher_token)
    guest_token = api.guest(code, NAME)
    teacher, guest = school.connect(teacher_token), school.connect(guest_token, "polling")
    teacher.join(code)
    assert guest.ask("joinSession", code)["waiting"]
    user_id = teacher.wait_for("joinRequested", displayName=NAME)["userId"]
    assert teacher.ask("admitParticipant", {**about, "userId": user_id, "admitted": True})["ok"]
    guest.wait_for("sessionJoined")
    refused = school.connect(api.guest(code, OTHER))
    refused.ask("joinSession", code)
    other = teacher.wait_for("joinRequested", displayName=OTHER)["userId"]
    assert teacher.ask("admitParticipant", {**about, "userId": other, "admitted": False})["ok"]
    refused.wait_for("error", code="SESSION_ACCESS_DENIED")
    group = teacher.ask("createGroup", {**about, "name": GROUP, "memberIds": [user_id]})["groupId"]
    guest.say(code, TEXT, clientMessageId=KEY)
    guest.say(code, TEXT, groupId=group)
    activity = {"activityId": "a", "activityType": "poll", "data": {"q": ANSWER}}
    assert teacher.ask("updateActivity", {**about, **activity, "status": "started"})["ok"]
    answer = {**about, "activityId": "a", "clientId": KEY, "data": {"answer": ANSWER}}
    assert guest.ask("submitActivityResponse", answer)["ok"]
    caption = {**about, "segmentId": "s", "revision": 1, "isFinal": True, "startMs": 0, "endMs": 1, "text": CAPTION}
    assert teacher.ask("publishTranscription", caption)["ok"]
    sent = {name: VALUES[name] for name in ("mimeType", "size", "sha256")}
    begun = guest.ask("fileStart", {**about, **sent, "clientFileId": KEY, "fileName": FILE})
    assert guest.ask("fileChunk", {"fileId": begun["fileId"], "index": 0, "data": VALUES["fileChunk.data"]})["ok"]
    assert guest.ask("fileComplete", {"fileId": begun["fileId"]})["ok"]
    _go_wrong(school, code, guest_token)
    for wrong in (
        ("sendMessage", {**about, "message": TEXT * 1000}),
        ("sendMessage", {**about, TEXT: TEXT}),
        (TEXT, {"message": TEXT}),
        ("createGroup", {**about, "name": GROUP}),
        ("joinSession", TEXT),
    ):
        assert not guest.ask(*wrong)["ok"]
    fresh = api.ok("POST", "/auth/refresh", login["refreshToken"])
    api.ok("POST", f"/sessions/{code}/end", teacher_token, {"reason": REASON})
    for path in ("export", "transcript?format=vtt", "messages", "attendance?format=csv"):
        assert http(school.server.port, "GET", f"{API}/sessions/{code}/{path}", _bearer(teacher_token)).status == 200
    assert http(school.server.port, "GET", f"{API}/files/{begun['fileId']}", _bearer(guest_token)).status == 200
    data = f"/users/{user_id}/data"
    assert http(school.server.port, "GET", API + data, _bearer(guest_token)).status == 200
    assert http(school.server.port, "DELETE", API + data, _bearer(guest_token)).status == 200
    return [teacher_token, guest_token, login["refreshToken"], fresh["accessToken"], fresh["refreshToken"]]


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _go_wrong(school: School, code: str, token: str) -> None:
    api: Api = school.api
    assert api.call("POST", "/auth/login", body={"username": USERNAME, "password": PASSWORD})[0] == 401
    assert api.call("POST", "/auth/login", body={"username": USERNAME, PASSWORD: PASSWORD})[0] == 422
    assert api.call("POST", f"/sessions/{code}/join", body={"displayName": NAME * 10})[0] == 422
    assert api.call("POST", "/sessions", token, {"title": TITLE})[0] == 403
    assert api.call("GET", "/auth/me", token + "x")[0] == 401
    assert school.connect(token[:-4] + "AAAA").refusal["data"]["code"] == "INVALID_TOKEN"


def test_a_lesson_leaves_no_names_and_texts_in_the_log(school: School) -> None:
    tokens = lesson(school)
    log = school.server.log()
    assert "everything is logged" in log
    assert "GET /api/v1/sessions/-/export HTTP/1.1" in log and "GET /socket.io/ HTTP/1.1" in log
    assert "greenlet failed" not in log
    secrets = [NAME, OTHER, TITLE, TEXT, PASSWORD, USERNAME, GROUP, FILE, ANSWER, CAPTION, REASON, KEY]
    secrets += [word for words in (NAME, OTHER) for word in words.split()]
    secrets += [token.split(".")[part] for token in tokens for part in (1, 2)]
    found = [secret for secret in secrets if secret.lower() in log.lower()]
    lines = [line for line in log.splitlines() if any(secret.lower() in line.lower() for secret in found)]
    assert not found, lines[:5]
