import pytest
from classroom import authenticate
from courses.extensions import db
from courses.models import Mark

from classwaves import Account
from classwaves.testing.suites import AuthenticatorContract

ADA, BOB = Account("1", "Ada", "teacher"), Account("2", "Bob", "student")


def test_mark_course(classroom, app):
    with classroom(teacher=ADA, students=[BOB]) as room:
        room.student(0).send("markCourse", {"courseId": 1})
        room.teacher.assert_received("courseMarked", title="Frogs", userId="2")
        room.student(0).send("markCourse", {"courseId": 7})
        room.student(0).assert_error("NOT_FOUND")
    with app.app_context():
        assert [mark.user_id for mark in db.session.scalars(db.select(Mark))] == [2]


def test_a_login_of_the_courses_and_one_of_the_classroom_are_two(client, login):
    login("bob")
    answer = client.post("/api/v1/auth/login", json={"username": "ada@example.org", "password": "right horse"})
    assert answer.get_json()["user"] == {"userId": "1", "displayName": "Ada", "role": "teacher"}
    assert client.post("/courses", data={"title": "Newts"}).status_code == 403
    assert client.post("/api/v1/sessions", json={"title": "Frogs"}).status_code == 401


class TestMembers(AuthenticatorContract):
    credentials = ("ada@example.org", "right horse")

    @pytest.fixture(autouse=True)
    def in_app(self, app):
        self.context = app.app_context

    def make_authenticator(self):
        return authenticate
