"""ClassWaves in somebody else's application, and in several at once."""

import re
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from flask import Blueprint, Flask, abort, request
from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required
from flask_smorest import Api
from marshmallow import fields
from werkzeug.exceptions import HTTPException

from classwaves import FEATURES, ClassWaves, Context, EventSchema, Feature, SettingsError
from classwaves.state import current_state
from tests.support.apps import (
    API,
    AppFactory,
    bearer,
    guest,
    headers_for,
    new_session,
    sign_in,
    state_of,
)
from tests.support.gunicorn_server import ROOT, TEST_KEYS

Shop = Callable[..., Flask]
Before = Callable[[Flask], Any]


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Return a factory of shops: Flask applications with routes of their own and ClassWaves on them.

    ``before`` is called with the application before ClassWaves is registered on it.
    """
    made: list[Flask] = []

    def make(
        classwaves: ClassWaves | None = None, before: Callable[[Flask], Any] | None = None, **config: Any
    ) -> Flask:
        app = Flask("shop")
        app.config.update(TEST_KEYS, **config)
        if before:
            before(app)
        app.get("/")(front_page)
        (classwaves or ClassWaves()).init_app(app)
        app.get("/gone")(gone)
        app.get(f"{API}/products")(no_products)
        made.append(app)
        return app

    yield make
    for app in made:
        state_of(app).close()


def front_page() -> dict[str, str | None]:
    return {"address": request.remote_addr, "root": request.url_root}


def gone() -> str:
    abort(410)


def no_products() -> str:
    abort(404)


def error_code(answer: Any) -> Any:
    return answer.get_json()["error"]["code"]


def test_the_example_of_the_readme_works(monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for name, key in TEST_KEYS.items():
        monkeypatch.setenv(name, key)
    names: dict[str, Any] = {"__name__": "example"}
    exec(example, names)
    app: Flask = names["create_app"]()
    assert len(example.strip().splitlines()) <= 10
    assert app.test_client().get("/readyz").status_code == 200
    assert new_session(app.test_client(), headers_for(app, "Ada", "teacher"))
    state_of(app).close()


def test_a_second_registration_is_refused(shop: Shop) -> None:
    classwaves = ClassWaves()
    app = shop(classwaves)
    for again in (classwaves, ClassWaves()):
        with pytest.raises(RuntimeError, match="registered on this app already"):
            again.init_app(app)


def test_a_registration_that_failed_can_be_repeated() -> None:
    app, classwaves = Flask("shop"), ClassWaves()
    with pytest.raises(SettingsError):
        classwaves.init_app(app)
    app.config.update(TEST_KEYS)
    classwaves.init_app(app)
    state_of(app).close()


def test_an_application_without_it_is_told_what_to_do() -> None:
    with Flask("bare").app_context(), pytest.raises(RuntimeError, match="init_app"):
        current_state()


def test_two_applications_of_one_object_know_nothing_of_each_other(shop: Shop) -> None:
    classwaves = ClassWaves()
    one, other = shop(classwaves), shop(classwaves, JWT_SECRET_KEY="x" * 40)
    ada = headers_for(one, "Ada", "teacher")
    code = new_session(one.test_client(), ada)
    assert error_code(other.test_client().get(f"{API}/auth/me", headers=ada)) == "INVALID_TOKEN"
    root = headers_for(other, "Root", "admin")
    assert error_code(other.test_client().get(f"{API}/sessions/{code}", headers=root)) == "SESSION_NOT_FOUND"
    for name in ("settings", "store", "hub", "socketio", "pipeline", "limits"):
        assert getattr(state_of(one), name) is not getattr(state_of(other), name)


def test_the_same_key_does_not_make_it_the_same_login(shop: Shop) -> None:
    one, other = shop(), shop()
    ada = headers_for(one, "Ada", "teacher")
    assert error_code(other.test_client().get(f"{API}/auth/me", headers=ada)) == "SESSION_EXPIRED"


def test_the_sockets_of_two_applications_are_apart(shop: Shop) -> None:
    apps, sockets = [shop(), shop()], []
    for app in apps:
        client, pair = app.test_client(), sign_in(app, "Ada", "teacher")
        code = new_session(client, bearer(pair.access))
        socket = state_of(app).socketio.test_client(app, auth={"token": pair.access})
        assert socket.emit("joinSession", code, callback=True)["ok"]
        socket.get_received()
        sockets.append((socket, code))
    (one, code), (other, _) = sockets
    assert one.emit("sendMessage", {"sessionCode": code, "message": "Hello"}, callback=True)["ok"]
    assert [packet["name"] for packet in one.get_received()] == ["messageReceived"]
    assert other.get_received() == []
    for socket, _ in sockets:
        socket.disconnect()


def test_two_applications_on_one_redis_are_one_classroom(make_app: AppFactory, redis_url: str) -> None:
    one, other = make_app(REDIS_URL=redis_url), make_app(REDIS_URL=redis_url)
    stranger = make_app(REDIS_URL=redis_url, CLASSWAVES_REDIS_PREFIX="other")
    ada = headers_for(one, "Ada", "teacher")
    code = new_session(one.test_client(), ada)
    assert other.test_client().get(f"{API}/sessions/{code}", headers=ada).get_json()["sessionCode"] == code
    assert error_code(stranger.test_client().get(f"{API}/auth/me", headers=ada)) == "SESSION_EXPIRED"


def test_routes_blueprints_and_apis_of_the_shop_stay(shop: Shop) -> None:
    def furnish(app: Flask) -> None:
        blueprint = Blueprint("auth", __name__, url_prefix="/account")
        blueprint.get("/orders")(lambda: {"orders": []})
        app.register_blueprint(blueprint)
        app.config.update(API_TITLE="Shop", API_VERSION="v7", OPENAPI_VERSION="3.0.3", OPENAPI_URL_PREFIX="/shop")
        Api(app)

    client = shop(before=furnish).test_client()
    assert client.get("/").status_code == 200
    assert client.get("/account/orders").get_json() == {"orders": []}
    assert client.get("/shop/openapi.json").get_json()["info"] == {"title": "Shop", "version": "v7"}
    assert client.get(f"{API}/openapi.json").get_json()["info"]["title"] == "ClassWaves"


def test_errors_elsewhere_are_flasks_own(shop: Shop) -> None:
    client = shop().test_client()
    for path, status in {"/no": 404, "/gone": 410, "/api/v2/no": 404, "/api/v1": 404, f"{API}/products": 404}.items():
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert (client.post("/gone").status_code, client.post("/gone").mimetype) == (405, "text/html")


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("handled", [404, HTTPException, Exception], ids=str)
def test_the_shops_error_handlers_work_outside_the_api(shop: Shop, handled: Any, first: bool) -> None:
    def handle(app: Flask) -> None:
        app.register_error_handler(handled, lambda error: ("Nothing here, says the shop", 404))

    app = shop(before=handle if first else None)
    if not first:
        handle(app)
    client = app.test_client()
    for path in ("/no", f"{API}/products"):
        assert client.get(path).text == "Nothing here, says the shop"
    for path, code in {"/no": "NOT_FOUND", "/auth/me": "AUTH_REQUIRED", "/auth/login": "METHOD_NOT_ALLOWED"}.items():
        assert error_code(client.get(API + path)) == code


@pytest.mark.parametrize("managed", [False, True], ids=["our manager", "the shop's manager"])
def test_the_shops_protected_routes_honour_a_logout(shop: Shop, managed: bool) -> None:
    app = shop(before=JWTManager if managed else None)
    app.get("/orders")(jwt_required()(lambda: {"of": get_jwt_identity()}))
    client, pair = app.test_client(), sign_in(app, "Ada")
    assert client.get("/orders", headers=bearer(pair.access)).get_json() == {"of": "ada"}
    assert client.get("/orders", headers=bearer(pair.refresh or "")).status_code == 422
    assert client.post(f"{API}/auth/logout", headers=bearer(pair.access)).status_code == 204
    assert client.get("/orders", headers=bearer(pair.access)).status_code == 401
    assert client.get("/orders").status_code == 401


def test_tokens_and_blocklist_of_the_shop_stay_its_own(shop: Shop) -> None:
    def block(app: Flask) -> None:
        JWTManager(app).token_in_blocklist_loader(lambda header, claims: claims["sub"] == "mallory")

    app = shop(before=block)
    app.get("/orders")(jwt_required()(lambda: {"of": get_jwt_identity()}))
    with app.app_context():
        theirs, blocked = create_access_token("bob"), create_access_token("mallory")
    client = app.test_client()
    assert client.get("/orders", headers=bearer(theirs)).get_json() == {"of": "bob"}
    assert client.get("/orders", headers=bearer(blocked)).status_code == 401
    assert error_code(client.get(f"{API}/auth/me", headers=bearer(theirs))) == "INVALID_TOKEN"


def test_a_shop_adds_an_event_of_its_own(shop: Shop) -> None:
    bell = Feature("bell")

    class RingSchema(EventSchema):
        sessionCode = fields.String(required=True)

    @bell.event("ringBell", schema=RingSchema, allow="staff")
    def ring(context: Context, data: dict[str, Any]) -> dict[str, Any]:
        return context.publish("bellRang", {"by": context.principal.user_id, "from": context.request.headers["X-Room"]})

    app = shop(ClassWaves(features=[*FEATURES, bell]))
    client, pair = app.test_client(), sign_in(app, "Ada", "teacher")
    code = new_session(client, bearer(pair.access))
    teacher, student = (
        state_of(app).socketio.test_client(app, auth={"token": token}, headers={"X-Room": "B12"})
        for token in (pair.access, guest(client, code, "Gus")[0])
    )
    for socket in (teacher, student):
        socket.emit("joinSession", code, callback=True)
    assert student.emit("ringBell", {"sessionCode": code}, callback=True)["error"]["code"] == "FORBIDDEN"
    student.get_received()
    assert teacher.emit("ringBell", {"sessionCode": code}, callback=True)["seq"] > 0
    (packet,) = student.get_received()
    assert (packet["name"], packet["args"][0]["by"]) == ("bellRang", "ada")
    assert packet["args"][0]["from"] == "B12", "the handshake's request"
    for socket in (teacher, student):
        socket.disconnect()


@pytest.mark.parametrize(("hops", "address"), [(0, "127.0.0.1"), (1, "203.0.113.9"), (2, "198.51.100.7")])
def test_only_trusted_proxies_say_where_a_request_is_from(shop: Shop, hops: int, address: str) -> None:
    forwarded = {"X-Forwarded-For": "6.6.6.6, 198.51.100.7, 203.0.113.9"}
    answer = shop(CLASSWAVES_TRUSTED_PROXIES=hops).test_client().get("/", headers=forwarded)
    assert answer.get_json()["address"] == address


@pytest.mark.parametrize(("hops", "welcome"), [(0, False), (1, True)])
def test_behind_a_proxy_the_own_origin_is_the_public_one(shop: Shop, hops: int, welcome: bool) -> None:
    client = shop(CLASSWAVES_TRUSTED_PROXIES=hops).test_client()
    headers = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "class.example",
        "Origin": "https://class.example",
    }
    rest = client.get(f"{API}/auth/me", headers=headers)
    assert ("Access-Control-Allow-Origin" in rest.headers) is welcome
    socket = client.get("/socket.io/?EIO=4&transport=polling", headers=headers)
    assert (socket.status_code == 200) is welcome


def test_another_worker_of_gunicorn_is_warned_of(
    make_app: AppFactory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "classwaves.transport.worker", raising=False)
    make_app()
    assert "another worker class" not in caplog.text, "no gunicorn"
    monkeypatch.setenv("SERVER_SOFTWARE", "gunicorn/23.0.0")  # as gunicorn's master does
    make_app()
    assert "another worker class" in caplog.text and "--config python:classwaves.gunicorn_conf" in caplog.text
    caplog.clear()
    monkeypatch.setitem(sys.modules, "classwaves.transport.worker", ModuleType("worker"))  # as "worker_class" does
    make_app()
    assert "another worker class" not in caplog.text
