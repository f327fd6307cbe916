import os

import pytest
from app import create_app
from db import ITEMS
from resources.user import REVOKED

if os.environ.get("WITH_CLASSROOM"):
    from wsgi import make_app as create_app
else:
    collect_ignore = ["test_classroom.py"]


@pytest.fixture
def app():
    ITEMS.clear()
    REVOKED.clear()
    return create_app({"TESTING": True})


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def headers(client):
    def log_in(username="root", token="access_token"):
        answer = client.post("/login", json={"username": username, "password": "right horse"})
        return {"Authorization": f"Bearer {answer.get_json()[token]}"}

    return log_in
