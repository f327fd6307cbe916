"""The code of ``docs/extending.md``, run from the top to the bottom, and used."""

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from classwaves import signals
from classwaves.replica import FOLDS, SNAPSHOTS
from tests.support.apps import API, state_of
from tests.support.gunicorn_server import ROOT, TEST_KEYS
from tests.support.tabs import Classroom, open_classroom

PAGE = (ROOT / "docs" / "extending.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Return what the page defines. What it registers for the whole process is taken back."""
    # its feature puts something into sessionJoined that ours do not declare
    monkeypatch.setattr("tests.support.tabs.check_event", lambda name, payload: None)
    pytest.importorskip("flask_sqlalchemy")
    names: dict[str, Any] = {"__name__": "shop", "school": SimpleNamespace(is_closed=lambda: True)}
    exec("\n".join(BLOCKS), names)
    yield names
    signals.participant_joined.disconnect(names["welcome"])
    signals.message_sent.disconnect(names["count"])
    del FOLDS["pollAnswered"], SNAPSHOTS["poll"]


def app_of(classwaves: Any, **config: Any) -> Flask:
    app = Flask("shop")
    app.config.update(TEST_KEYS, CLASSWAVES_RATELIMIT_ENABLED=False, **config)
    classwaves.init_app(app)
    return app


def test_the_shop_of_the_page(names: dict[str, Any]) -> None:
    app = names["create_app"]({**TEST_KEYS, "CLASSWAVES_RATELIMIT_ENABLED": False})
    room = open_classroom(app)
    teacher, ada = room.teacher(), room.joined("Ada")
    teacher.take()
    here = {"sessionCode": room.code}
    assert ada.ask("boardStroke", {**here, "points": [1, 2]})["seq"]
    told = teacher.take_only("boardStroked")
    assert (told["points"], told["userId"]) == ([1, 2], "ada")
    ada.take()
    assert ada.refused("boardStroke", {**here, "points": []})["code"] == "INVALID_PAYLOAD"
    assert ada.refused("boardClear", here)["code"] == "FORBIDDEN"
    assert teacher.ask("boardClear", here)["ok"]
    ada.take()
    assert ada.refused("sendMessage", {**here, "message": "Hi"})["details"] == {"reason": "policy"}
    assert teacher.say(room.code, "Hi")
    assert names["arrivals"] == [(room.code, "Grace"), (room.code, "Ada")]
    state_of(app).close()


def test_the_feature_of_the_page(names: dict[str, Any]) -> None:
    app = app_of(names["with_polls"])
    room: Classroom = open_classroom(app)
    teacher, ada = room.teacher(), room.joined("Ada")
    teacher.take()
    assert ada.ask("pollAnswer", {"sessionCode": room.code, "answer": True})["ok"]
    assert teacher.take_only("pollAnswered")["answer"] is True
    assert room.tab("Bob").join(room.code)["poll"] == {"yes": 1, "no": 0}
    assert ada.ask("raiseHand", {"sessionCode": room.code})["error"]["code"] == "UNKNOWN_EVENT"
    state_of(app).close()


def test_the_accounts_of_the_page(names: dict[str, Any]) -> None:
    app = app_of(names["with_accounts"], SQLALCHEMY_DATABASE_URI="sqlite://")
    db, user = names["db"], names["User"]
    db.init_app(app)
    with app.app_context():
        db.create_all()
        hashed = names["generate_password_hash"]("tea time")
        db.session.add(user(email="ada@shop.example", password=hashed, name="Ada", teaches=True))
        db.session.commit()
    client = app.test_client()
    answers = [
        client.post(f"{API}/auth/login", json={"username": name, "password": "tea time"}).get_json()
        for name in ("ada@shop.example", "eve@shop.example")
    ]
    assert answers[0]["user"] == {"userId": "1", "displayName": "Ada", "role": "teacher"}
    assert answers[1]["error"]["code"] == "INVALID_CREDENTIALS"
    with app.app_context():
        db.engine.dispose()
    state_of(app).close()


def test_the_page_names_what_there_is() -> None:
    told = {
        name for row in re.findall(r"^\| (`\w+_\w+`.*?) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert {signal.name.removeprefix("classwaves.") for signal in signals.ALL} <= told
    for link in re.findall(r"\]\(([\w-]+\.md)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
