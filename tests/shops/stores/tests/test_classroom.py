def test_guess_price(classroom, client, headers):
    client.post("/item", json={"name": "Chair", "price": 9.5}, headers=headers())
    with classroom(students=2) as room:
        room.student(0).send("guessPrice", {"itemId": 1, "price": 10})
        room.teacher.assert_received("priceGuessed", userId="student-0", off=0.5)
        room.student(1).refute_received("priceGuessed")
        room.teacher.send("guessPrice", {"itemId": 1, "price": 10})
        room.teacher.assert_error("FORBIDDEN")


def test_each_takes_its_own_tokens_only(client, headers):
    """The stores' tokens are no logins of the classroom; its tokens are without the stores' rights."""
    assert client.get("/api/v1/auth/me", headers=headers()).status_code == 401
    answer = client.post("/api/v1/auth/login", json={"username": "root", "password": "right horse"})
    ours = {"Authorization": f"Bearer {answer.get_json()['accessToken']}"}
    assert client.get("/api/v1/auth/me", headers=ours).get_json()["userId"] == "1"
    assert client.post("/api/v1/auth/logout", headers=ours).status_code == 204
    assert client.get("/item", headers=ours).status_code == 401
