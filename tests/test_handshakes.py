"""What is kept of a handshake's environ."""

from typing import Any

from classwaves.transport.handshakes import Handshakes

APP = object()


def environ(**more: Any) -> dict[str, Any]:
    own = {"wsgi.input": object(), "gunicorn.sock": object()}
    return {"flask.app": APP, "wsgi.version": (1, 0), "PATH_INFO": "/socket.io/", **own, **more}


def test_texts_come_back_and_the_request_is_let_go() -> None:
    kept = Handshakes()
    kept["one"] = environ(HTTP_COOKIE="a=b", REMOTE_ADDR="")
    kept["two"] = environ(HTTP_COOKIE="", QUERY_STRING="EIO=4\0x")
    common = {"flask.app": APP, "wsgi.version": (1, 0), "PATH_INFO": "/socket.io/"}
    assert kept["one"] == common | {"HTTP_COOKIE": "a=b", "REMOTE_ADDR": ""}
    assert kept.get("two") == common | {"HTTP_COOKIE": "", "QUERY_STRING": "EIO=4\0x"}


def test_what_differs_between_two_is_not_shared() -> None:
    kept, first, second = Handshakes(), object(), object()
    kept["one"], kept["two"] = environ(**{"shop.user": first}), environ(**{"shop.user": second})
    assert (kept["one"]["shop.user"], kept["two"]["shop.user"]) == (first, second)


def test_it_ends_with_the_connection() -> None:
    kept = Handshakes()
    kept["one"] = environ()
    del kept["one"]
    assert "one" not in kept
    assert kept.get("one") is None
    assert len(kept) == 0
