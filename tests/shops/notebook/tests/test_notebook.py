def test_notes_are_for_who_is_logged_in(client, auth):
    assert client.post("/notes", data={"body": "x"}).status_code == 401
    assert auth().status_code == 302
    assert client.post("/notes", data={"body": "Frogs jump"}).status_code == 302
    assert "Frogs jump" in client.get("/").text
    client.post("/logout")
    assert "Frogs jump" not in client.get("/").text


def test_wrong_passwords(client, auth):
    answer = auth(password="wrong")
    assert (answer.status_code, answer.text) == (401, "Log in first.")
    assert auth(username="nobody").status_code == 401


def test_names_are_taken_once(client, auth):
    assert client.post("/register", data={"username": "ada", "password": "x"}).status_code == 409
    assert client.post("/register", data={"username": " ", "password": "x"}).status_code == 400


def test_own_pages_of_errors(client):
    assert client.get("/nothing").status_code == 404
    assert client.get("/notes").status_code == 405
