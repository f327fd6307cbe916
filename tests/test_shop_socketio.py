"""An application that has a SocketIO object and handlers of its own, and a classroom beside them or elsewhere."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, request
from flask_socketio import Namespace, SocketIO, emit

from classwaves import ClassWaves, SettingsError
from tests.support.apps import headers_for, new_session, sign_in, state_of
from tests.support.gunicorn_server import TEST_KEYS

Shops = Callable[..., Flask]


@pytest.fixture
def shops() -> Iterator[Shops]:
    """Return a factory of applications; ``before`` and ``after`` see them before and after ClassWaves."""
    made: list[Flask] = []

    def make(classwaves: ClassWaves, before: Any = None, **options: Any) -> Flask:
        app = Flask("shop")
        app.config.update(TEST_KEYS)
        if before:
            before(app)
        classwaves.init_app(app, **options)
        made.append(app)
        return app

    yield make
    for app in made:
        state_of(app).close()


def talks(app: Flask, namespace: str) -> bool:
    """Return whether the shop's handlers answer in a namespace."""
    client = state_of(app).socketio.test_client(app, namespace=namespace)
    assert client.is_connected(namespace)
    answer = client.emit("price", "tea", namespace=namespace, callback=True)
    told = client.get_received(namespace)
    client.disconnect(namespace)
    return bool(answer == "tea: 3" and [one["name"] for one in told] == ["welcome"])


def classroom_works(app: Flask, namespace: str = "/") -> bool:
    """Return whether a teacher comes in and is heard."""
    pair = sign_in(app, "Grace", "teacher")
    code = new_session(app.test_client(), headers_for(app, "Grace", "teacher"))
    client = state_of(app).socketio.test_client(app, namespace=namespace, auth={"token": pair.access})
    acks = [
        client.emit("joinSession", code, namespace=namespace, callback=True),
        client.emit("sendMessage", {"sessionCode": code, "message": "Hi"}, namespace=namespace, callback=True),
        client.emit("connect", {}, namespace=namespace, callback=True),
    ]
    heard = [one["name"] for one in client.get_received(namespace)]
    client.disconnect(namespace)
    return [ack["ok"] for ack in acks] == [True, True, False] and "messageReceived" in heard


def furnish(socketio: SocketIO, namespace: str) -> None:
    """Register a shop's handlers."""
    socketio.on("connect", namespace=namespace)(lambda auth=None: emit("welcome"))
    socketio.on("price", namespace=namespace)(lambda what: f"{what}: 3" if request.sid else None)  # type: ignore[attr-defined]


@pytest.mark.parametrize("when", ["handlers first", "app first", "handlers last"])
@pytest.mark.parametrize("told", [True, False], ids=["told", "found"])
def test_their_handlers_stay(shops: Shops, when: str, told: bool) -> None:
    socketio = SocketIO()

    def before(app: Flask) -> None:
        if when == "handlers first":
            furnish(socketio, "/shop")
        socketio.init_app(app)
        if when == "app first":
            furnish(socketio, "/shop")

    app = shops(ClassWaves(socketio=socketio) if told else ClassWaves(), before)
    assert state_of(app).socketio is socketio
    if when == "handlers last":
        furnish(socketio, "/shop")
    assert talks(app, "/shop") and classroom_works(app)


def test_one_that_is_on_no_app_yet(shops: Shops) -> None:
    socketio = SocketIO(async_mode="threading", logger=False)
    furnish(socketio, "/shop")
    app = shops(ClassWaves(), socketio=socketio)
    assert talks(app, "/shop") and classroom_works(app)


def test_class_based_namespaces_stay(shops: Shops) -> None:
    class Prices(Namespace):  # type: ignore[misc] # flask-socketio has no types
        def on_connect(self) -> None:
            emit("welcome")

        def on_price(self, what: str) -> str:
            return f"{what}: 3"

    def before(app: Flask) -> None:
        SocketIO(app).on_namespace(Prices("/shop"))

    assert talks(shops(ClassWaves(), before), "/shop")


def test_the_classroom_in_a_namespace_of_its_own(shops: Shops) -> None:
    """Their handlers are on ``/``, where a client may not call them by the name ``connect``."""
    app = shops(ClassWaves(namespace="/classroom"), lambda app: furnish(SocketIO(app), "/"))
    assert talks(app, "/") and classroom_works(app, "/classroom")
    assert state_of(app).settings.namespace == "/classroom"


def test_another_prefix(shops: Shops) -> None:
    client = shops(ClassWaves(url_prefix="/live/v1")).test_client()
    assert client.get("/live/v1/auth/me").status_code == 401
    assert client.get("/api/v1/auth/me").status_code == 404


@pytest.mark.parametrize("namespace", ["/", "*"])
def test_their_handlers_in_our_namespace_are_refused(shops: Shops, namespace: str) -> None:
    sentence = (
        r"the namespace / is the classroom's, .*\(connect, price\).*/shop.*ClassWaves\(namespace=\"/classroom\"\)"
    )
    with pytest.raises(ValueError, match=sentence):
        shops(ClassWaves(), lambda app: furnish(SocketIO(app), namespace))
    app = shops(ClassWaves())
    with pytest.raises(ValueError, match="is the classroom's"):
        furnish(state_of(app).socketio, namespace)
    with pytest.raises(ValueError, match="has a handler of yours .Namespace."):
        state_of(app).socketio.on_namespace(Namespace(namespace))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"cors_allowed_origins": "*"}, "set CLASSWAVES_ORIGINS. Leave cors_allowed_origins out"),
        ({"async_mode": "eventlet"}, "async_mode='eventlet'.* leave async_mode out"),
        ({"path": "/ws"}, "it is /socket.io. Leave path out"),
        ({"ping_interval": 5}, "set CLASSWAVES_PING_INTERVAL"),
        ({"cookie": "io"}, "cookie=….*a transport of its own"),
    ],
)
def test_options_that_contradict_are_refused(shops: Shops, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        shops(ClassWaves(socketio=SocketIO(**options)))


def test_one_object_for_two_apps_is_refused(shops: Shops) -> None:
    classwaves = ClassWaves(socketio=SocketIO())
    shops(classwaves)
    with pytest.raises(ValueError, match="serves another app already; make one for each app"):
        shops(classwaves)


def test_one_that_comes_later_is_told_of(shops: Shops) -> None:
    app = shops(ClassWaves())
    SocketIO(app, async_mode="threading")
    app.testing = True
    with pytest.raises(RuntimeError, match="after ClassWaves.*init_app"):
        app.test_client().get("/healthz")


@pytest.mark.parametrize("namespace", ["classroom", "/monitor", "/a b"])
def test_what_is_no_namespace(shops: Shops, namespace: str) -> None:
    with pytest.raises(SettingsError, match="CLASSWAVES_NAMESPACE.*is a namespace such as / or /classroom"):
        shops(ClassWaves(namespace=namespace))
