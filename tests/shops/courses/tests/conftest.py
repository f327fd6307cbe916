import os

import pytest
from courses import create_app
from courses.extensions import db
from courses.models import Course, User
from werkzeug.security import generate_password_hash

if os.environ.get("WITH_CLASSROOM"):
    from wsgi import make_app as create_app
else:
    collect_ignore = ["test_classroom.py"]


@pytest.fixture
def app():
    app = create_app({"TESTING": True, "SQLALCHEMY_DATABASE_URI": "sqlite://"})
    with app.app_context():
        for name, is_teacher in (("Ada", True), ("Bob", False)):
            user = User(name=name, email=f"{name.lower()}@example.org", is_teacher=is_teacher)
            user.password_hash = generate_password_hash("right horse", "pbkdf2:sha256:1000")  # fast
            db.session.add(user)
        db.session.add(Course(title="Frogs", teacher_id=1))
        db.session.commit()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def login(client):
    return lambda name, password="right horse": client.post(
        "/auth/login", data={"email": f"{name}@example.org", "password": password}
    )
