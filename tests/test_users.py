"""What is decided about a user: a block, the end of logins, another role; over REST, the CLI and the extension."""

from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from classwaves import Account, ClassWaves, ClassWavesError
from classwaves.auth.accounts import StoreAuthenticator
from classwaves.cli import cli
from classwaves.store.base import Store
from classwaves.users import Users
from tests.support.apps import API, PASSWORD, AppFactory, add_user, bearer, new_session, sign_in, state_of


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    return make_app()


def log_in(app: Flask, name: str, password: str = PASSWORD) -> Any:
    return app.test_client().post(f"{API}/auth/login", json={"username": name, "password": password})


def code_of(app: Flask, token: str, path: str = "/auth/me", method: str = "GET") -> str | None:
    answer = app.test_client().open(f"{API}{path}", method=method, headers=bearer(token))
    return None if answer.status_code < 300 else answer.get_json()["error"]["code"]


def test_a_block_looks_like_a_wrong_password(app: Flask) -> None:
    account = add_user(app, "ada")
    wrong = log_in(app, "ada", "wrong password")
    Users(state_of(app).store).block(account.user_id)
    for password in (PASSWORD, "wrong password"):
        answer = log_in(app, "ada", password)
        assert (answer.status, answer.data) == (wrong.status, wrong.data)
        headers, theirs = dict(answer.headers), dict(wrong.headers)
        assert headers.pop("X-Request-Id") != theirs.pop("X-Request-Id")
        assert headers == theirs


def test_a_block_asks_the_store_the_same_for_a_wrong_password(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its time tells nothing either: as many round trips, and one password hash."""
    account, store = add_user(app, "ada"), state_of(app).store
    Users(store).block(account.user_id)
    asked: list[list[str]] = []
    for password in (PASSWORD, "wrong password"):
        steps: list[str] = []

        class Counting:
            def __getattr__(self, name: str, steps: list[str] = steps) -> Any:
                steps.append(name)
                return getattr(store, name)

        counting: Any = Counting()
        monkeypatch.setattr("classwaves.auth.accounts.check_password_hash", counted(steps))
        assert StoreAuthenticator(counting).authenticate("ada", password) is None
        asked.append(steps)
    assert asked[0] == asked[1] == ["account", "user_standing", "hash"]


def counted(steps: list[str]) -> Any:
    from werkzeug.security import check_password_hash

    def check(*args: Any) -> bool:
        steps.append("hash")
        return check_password_hash(*args)

    return check


def test_a_block_ends_all_logins_and_no_others(app: Flask) -> None:
    store = state_of(app).store
    phone, laptop, other = sign_in(app, "Ada"), sign_in(app, "Ada"), sign_in(app, "Ben")
    assert Users(store).block("ada") == 2
    for pair in (phone, laptop):
        assert code_of(app, pair.access) == "SESSION_EXPIRED"
        assert code_of(app, pair.refresh or "", "/auth/refresh", "POST") == "SESSION_EXPIRED"
    assert code_of(app, other.access) is None


def test_who_is_unblocked_logs_in_again(app: Flask) -> None:
    account, users = add_user(app, "ada"), Users(state_of(app).store)
    users.block(account.user_id)
    users.unblock(account.user_id)
    assert log_in(app, "ada").status_code == 200


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_a_login_that_is_under_way_while_its_user_is_blocked_comes_to_nothing(
    make_app: AppFactory, redis_url: str, kind: str
) -> None:
    """The password was right before the block; the login is kept after it."""
    app = make_app(REDIS_URL=redis_url, CLASSWAVES_STORE=kind)
    store = state_of(app).store
    store.set_blocked("ada", True)
    with app.app_context(), pytest.raises(ClassWavesError, match="INVALID_CREDENTIALS"):
        state_of(app).tokens.login(Account("ada", "Ada", "student"))
    assert store.auths(store.auths_of("ada")) == {}


def test_a_login_that_is_under_way_while_the_role_changes_has_the_new_one(app: Flask) -> None:
    store = state_of(app).store
    store.set_role("ada", "teacher")
    pair = sign_in(app, "Ada", "student")
    assert pair.auth.role == "teacher"
    assert list(store.auths(store.auths_of("ada"))) == [pair.auth.id]


def test_a_role_counts_at_once_also_for_tokens_that_say_another_one(app: Flask) -> None:
    client, pair = app.test_client(), sign_in(app, "Ada", "teacher")
    new_session(client, bearer(pair.access))
    users = Users(state_of(app).store)
    users.set_role("ada", "student")
    refused = client.post(f"{API}/sessions", json={"title": "Mine"}, headers=bearer(pair.access))
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (403, "FORBIDDEN")
    fresh = client.post(f"{API}/auth/refresh", headers=bearer(pair.refresh or "")).get_json()
    assert fresh["user"]["role"] == "student"


def test_a_role_stays_with_the_account(app: Flask) -> None:
    account = add_user(app, "ada")
    assert Users(state_of(app).store).set_role(account.user_id, "admin") == 1
    assert log_in(app, "ada").get_json()["user"]["role"] == "admin"


def test_there_is_no_other_role(app: Flask) -> None:
    with pytest.raises(ClassWavesError, match="INVALID_PAYLOAD"):
        Users(state_of(app).store).set_role("ada", "king")


class TheirUsers:
    """A shop's own accounts."""

    def __init__(self, store: Store) -> None:
        pass

    def authenticate(self, username: str, password: str) -> Account | None:
        return Account("shop-1", "Ada", "teacher") if password == "right" else None


def test_a_shop_decides_about_its_own_users(make_app: AppFactory) -> None:
    theirs = Flask("shop")
    theirs.config.update(make_app().config)
    waves = ClassWaves(theirs, authenticator=TheirUsers)
    try:
        with theirs.app_context():
            first = waves.log_in(Account("shop-1", "Ada", "teacher"))
            assert first["user"] == {"userId": "shop-1", "displayName": "Ada", "role": "teacher"}
            assert waves.end_logins("shop-1") == 1
            assert code_of(theirs, first["accessToken"]) == "SESSION_EXPIRED"
            second = log_in(theirs, "ada", "right").get_json()
            waves.set_role("shop-1", "student")
            waves.block("shop-1")
            assert code_of(theirs, second["accessToken"]) == "SESSION_EXPIRED"
            assert log_in(theirs, "ada", "right").data == log_in(theirs, "ada", "wrong").data
            waves.unblock("shop-1")
            assert log_in(theirs, "ada", "right").status_code == 200
    finally:
        state_of(theirs).close()


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(cli, arguments)


def test_an_operator_decides_in_a_shell(make_app: AppFactory, redis_url: str) -> None:
    app = make_app(REDIS_URL=redis_url)
    account = add_user(app, "ada")
    assert run(app, "set-role", "Ada", "teacher").output == "Ada is teacher now\n"
    login = log_in(app, "ada").get_json()
    assert login["user"]["role"] == "teacher"
    assert run(app, "block-user", "ada").output == "Blocked ada: 1 logins ended\n"
    assert log_in(app, "ada").status_code == 401
    assert run(app, "unblock-user", "--id", account.user_id).exit_code == 0
    assert log_in(app, "ada").status_code == 200


@pytest.mark.parametrize("command", [["block-user"], ["unblock-user"], ["set-role"]], ids=str)
def test_a_user_whom_nobody_knows_is_told_in_a_sentence(
    make_app: AppFactory, redis_url: str, command: list[str]
) -> None:
    role = ["teacher"] if command == ["set-role"] else []
    refused = run(make_app(REDIS_URL=redis_url), *command, "nobody", *role)
    assert (refused.exit_code, refused.output) == (1, "Error: There is no account nobody.\n")
    memory = run(make_app(), *command, "nobody", *role)
    assert (memory.exit_code, "REDIS_URL" in memory.output) == (1, True)
