"""A shop's own policy, authenticator, store and storage, in the places of ours."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from classwaves import FEATURES, Account, ClassWaves, EventContext, Feature, Settings
from classwaves.features import chat
from classwaves.storage import TemporaryStorage
from classwaves.store import MemoryStore, Store
from classwaves.store.base import Limits
from tests.support.apps import API, state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.tabs import Classroom, open_classroom

Mount = Callable[..., Flask]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Return a factory of applications with an extension object that has these options."""
    made: list[Flask] = []

    def mount(classwaves: ClassWaves | None = None, **options: Any) -> Flask:
        app = Flask("shop")
        app.config.update(TEST_KEYS, TESTING=True, CLASSWAVES_RATELIMIT_ENABLED=False)
        (classwaves or ClassWaves(**options)).init_app(app)
        made.append(app)
        return app

    yield mount
    for app in made:
        state_of(app).close()


def said(room: Classroom, name: str) -> Any:
    """Have somebody write into the chat, and return the error, ``None`` if there is none."""
    error = room.joined(name).ask("sendMessage", {"sessionCode": room.code, "message": "Hello"}).get("error")
    return error and (error["code"], error.get("details"))


def test_a_policy_forbids_more_and_allows_nothing(mount: Mount, caplog: pytest.LogCaptureFixture) -> None:
    classwaves = ClassWaves()
    asked: list[tuple[str, str, dict[str, Any]]] = []

    @classwaves.policy
    def policy(ctx: EventContext, event: str, data: dict[str, Any]) -> bool:
        asked.append((ctx.user_id, event, data))
        answers: dict[str, Any] = {"ada": True, "bob": None, "cyd": False, "grace": True}
        if ctx.user_id == "eve":
            raise classwaves.Error("CONFLICT", details={"reason": "eve"})
        allowed: bool = answers[ctx.user_id]  # Dan is not in it
        return allowed

    room = open_classroom(mount(classwaves))
    by_policy = ("FORBIDDEN", {"reason": "policy"})
    assert [said(room, name) for name in ("Ada", "Bob", "Cyd", "Dan")] == [None, by_policy, by_policy, by_policy]
    assert said(room, "Eve") == ("CONFLICT", {"reason": "eve"})
    assert "the policy failed" in caplog.text
    assert asked[0] == ("ada", "sendMessage", {"sessionCode": room.code, "message": "Hello"})
    before = len(asked)
    assert (
        room.joined("Ada").ask("createGroup", {"sessionCode": room.code, "name": "A"})["error"]["code"] == "FORBIDDEN"
    )
    assert len(asked) == before, "the rule has refused it already"
    with pytest.raises(RuntimeError, match="there is a policy already"):
        classwaves.policy(policy)
    with pytest.raises(TypeError, match="the policy takes ctx and event and data"):
        ClassWaves(policy=lambda ctx, event: True)  # type: ignore[misc, arg-type]


class Accounts:
    """A shop's own accounts."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store

    def authenticate(self, username: str, password: str) -> Account | None:
        return Account("7", "Ada", "student") if (username, password) == ("ada@shop", "tea") else None


AS_ADA = Accounts().authenticate


@pytest.mark.parametrize(
    "authenticator",
    [
        Accounts,
        Accounts(),
        lambda store: Accounts(store),
        Accounts().authenticate,
        lambda user, word: AS_ADA(user, word),
    ],
    ids=["class", "object", "factory", "method", "function"],
)
def test_an_authenticator(mount: Mount, authenticator: Any) -> None:
    client = mount(authenticator=authenticator).test_client()
    answers = [
        client.post(f"{API}/auth/login", json={"username": "ada@shop", "password": word}) for word in ("tea", "coffee")
    ]
    assert answers[0].get_json()["user"] == {"userId": "7", "displayName": "Ada", "role": "student"}
    assert answers[1].get_json()["error"]["code"] == "INVALID_CREDENTIALS"


@pytest.mark.parametrize(
    "authenticator",
    [None, 7, "accounts", object, lambda: None, lambda store: None],
    ids=["none", "number", "text", "class", "factory of nothing", "factory of none"],
)
def test_what_is_no_authenticator(mount: Mount, authenticator: Any) -> None:
    with pytest.raises(TypeError, match="logs nobody in; give an object with authenticate"):
        mount(authenticator=authenticator)


def test_an_authenticator_that_returns_its_model(mount: Mount, caplog: pytest.LogCaptureFixture) -> None:
    client = mount(authenticator=lambda name, word: {"id": 7}).test_client()
    answer = client.post(f"{API}/auth/login", json={"username": "ada", "password": "tea"})
    assert answer.get_json()["error"]["code"] == "INTERNAL_ERROR"
    assert "returned a dict; return a classwaves.Account, or None" in caplog.text


def test_a_store_and_a_storage(mount: Mount) -> None:
    made: list[Any] = []

    def store(settings: Settings) -> Store:
        made.append(MemoryStore(Limits(settings.log_entries, settings.log_bytes, settings.dedupe_keys)))
        return made[-1]  # type: ignore[no-any-return]

    def storage(settings: Settings) -> TemporaryStorage:
        made.append(TemporaryStorage())
        return made[-1]  # type: ignore[no-any-return]

    app = mount(store=store, storage=storage)
    assert [state_of(app).store, state_of(app).hub.files.storage] == made
    assert said(open_classroom(app), "Ada") is None


def test_a_feature_of_ones_own_in_the_place_of_one_of_ours(mount: Mount) -> None:
    quiet = Feature("chat")
    app = mount(features=[quiet if feature is chat else feature for feature in FEATURES])
    assert said(open_classroom(app), "Ada") == ("UNKNOWN_EVENT", None)


def test_a_feature_is_left_out(mount: Mount) -> None:
    app = mount(features=[feature for feature in FEATURES if feature.name not in ("hands", "calls")])
    room = open_classroom(app)
    ada = room.joined("Ada")
    assert ada.ask("raiseHand", {"sessionCode": room.code})["error"]["code"] == "UNKNOWN_EVENT"
    assert said(room, "Ada") is None
