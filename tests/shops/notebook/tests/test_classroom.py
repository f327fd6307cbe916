import pytest


def test_show_note(classroom):
    with classroom(students=2) as room:
        room.student(0).send("showNote", {"body": "Frogs jump"})
        room.teacher.assert_received("noteShown", body="Frogs jump", by="Student 0")
        room.student(1).send("showNote", {"body": 7})
        room.student(1).assert_error("INVALID_PAYLOAD")


def test_an_account_of_the_notebook_teaches(client, auth):
    answer = client.post("/api/v1/auth/login", json={"username": "ada", "password": "right horse"})
    assert answer.get_json()["user"]["displayName"] == "ada"
    headers = {"Authorization": f"Bearer {answer.get_json()['accessToken']}"}
    assert client.post("/api/v1/sessions", json={"title": "Frogs"}, headers=headers).status_code == 201


@pytest.mark.classwaves_server("wsgi:app", env={"NOTEBOOK_DATABASE": ":memory:"})
def test_on_a_real_server(classroom):
    with classroom(students=1) as room:
        room.student(0).send("showNote", {"body": "Frogs jump"})
        room.teacher.assert_received("noteShown", body="Frogs jump")
        assert room.teacher.rest.post("/logout").headers["Location"] == "/"
