"""What demo mode serves of the classroom pages: the files of their folder and the client, and nothing else."""

import pytest
from flask import Flask

from tests.support.apps import AppFactory
from tests.support.gunicorn_server import ROOT

FOLDER = ROOT / "examples" / "classroom"


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    return make_app(CLASSWAVES_DEMO=True)


def test_every_file_of_the_folder_is_served_with_its_type_and_a_strict_policy(app: Flask) -> None:
    names = [path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.*")]
    assert {"index.html", "page.js", "classroom.css", "icons.svg", "panels/call.js"} <= set(names)
    for name in (*names, "", "teacher", "student"):
        with app.test_client().get(f"/classroom/{name}", follow_redirects=True) as answer:
            assert answer.status_code == 200, name
            policy = answer.headers["Content-Security-Policy"]
            assert "'unsafe" not in policy and "script-src 'self' https://cdn.socket.io;" in policy, name
            assert "sha256" not in policy, "nothing is inline"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            kind = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
            assert answer.mimetype == kind.get(name.rpartition(".")[2], "text/html"), name
    assert app.test_client().get("/classroom").status_code == 308


def test_the_start_says_where_the_demo_is(make_app: AppFactory, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "classwaves.demo")
    make_app(CLASSWAVES_DEMO=True)
    assert "DEM234" in caplog.text and "/classroom/ in two windows" in caplog.text


ELSEWHERE = [
    *("../websocket-client.html", "..%2fwebsocket-client.html", "%2e%2e/websocket-client.html", "panels/../index.html"),
    *("..\\websocket-client.html", "./index.html", "//etc/passwd", "%2fetc%2fpasswd", "C:index.html", "index.html/"),
    *("index.html%00", "INDEX.HTML", "panels", "panels/", "../../clients/js/package.json", ".hidden", "page", "door"),
]


def test_nothing_else_is(app: Flask) -> None:
    client = app.test_client()
    answers = {name: client.get(f"/classroom/{name}", follow_redirects=True).status_code for name in ELSEWHERE}
    assert answers == dict.fromkeys(ELSEWHERE, 404)


def test_a_server_that_is_no_demo_has_no_classroom(make_app: AppFactory) -> None:
    assert make_app().test_client().get("/classroom/").status_code == 404
