def test_courses_are_for_members(client, login):
    assert client.get("/").headers["Location"].startswith("/auth/login")
    assert login("ada").status_code == 302
    assert client.get("/").get_json()["courses"] == [{"id": 1, "title": "Frogs", "teacher": "Ada"}]
    assert client.get("/auth/logout").status_code == 302
    assert client.get("/").status_code == 302


def test_teachers_make_courses(client, login):
    login("ada")
    assert client.post("/courses", data={"title": "Newts"}).get_json() == {"id": 2}
    assert [course["title"] for course in client.get("/").get_json()["courses"]] == ["Frogs", "Newts"]


def test_students_do_not(client, login):
    login("bob")
    answer = client.post("/courses", data={"title": "Newts"})
    assert (answer.status_code, answer.text) == (403, "Not yours.")


def test_wrong_passwords(client, login):
    assert login("ada", "wrong").status_code == 403
    assert login("nobody").status_code == 403
