import os

import notebook
import pytest

if os.environ.get("WITH_CLASSROOM"):
    import wsgi  # noqa: F401 - mounts it
else:
    collect_ignore = ["test_classroom.py"]


@pytest.fixture
def app(tmp_path):
    notebook.app.config.update(TESTING=True, DATABASE=str(tmp_path / "test.sqlite"))
    with notebook.app.app_context():
        notebook.init_db()
    return notebook.app


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def auth(client):
    credentials = {"username": "ada", "password": "right horse"}
    client.post("/register", data=credentials)
    return lambda **other: client.post("/login", data={**credentials, **other})
