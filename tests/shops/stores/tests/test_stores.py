from datetime import timedelta

from flask_jwt_extended import create_access_token


def test_items(client, headers):
    root, ann = headers(), headers("ann")
    assert client.post("/item", json={"name": "Chair", "price": 9.5}, headers=root).get_json()["id"] == 1
    assert client.post("/item", json={"name": "Chair", "price": 9.5}, headers=ann).status_code == 403
    assert client.post("/item", json={"name": "Chair"}, headers=root).status_code == 422
    assert client.get("/item", headers=ann).get_json() == [{"id": 1, "name": "Chair", "price": 9.5}]


def test_what_is_said_about_tokens(app, client, headers):
    assert client.get("/item").get_json()["error"] == "authorization_required"
    wrong = {"Authorization": "Bearer x.y.z"}
    assert client.get("/item", headers=wrong).get_json()["error"] == "invalid_token"
    with app.app_context():
        old = create_access_token("1", expires_delta=timedelta(seconds=-60))
    answer = client.get("/item", headers={"Authorization": f"Bearer {old}"})
    assert (answer.status_code, answer.get_json()["error"]) == (401, "token_expired")


def test_refresh_and_logout(client, headers):
    fresh = client.post("/refresh", headers=headers(token="refresh_token")).get_json()["access_token"]
    assert client.post("/refresh", headers=headers()).status_code in (401, 422)
    bearer = {"Authorization": f"Bearer {fresh}"}
    assert client.get("/item", headers=bearer).status_code == 200
    assert client.post("/logout", headers=bearer).status_code == 200
    assert client.get("/item", headers=bearer).status_code == 401


def test_wrong_passwords(client):
    answer = client.post("/login", json={"username": "root", "password": "wrong"})
    assert (answer.status_code, answer.get_json()["message"]) == (401, "Invalid credentials.")


def test_its_document(client):
    document = client.get("/openapi.json").get_json()
    assert document["info"] == {"title": "Stores REST API", "version": "v1"}
    assert set(document["paths"]) == {"/login", "/refresh", "/logout", "/item"}
