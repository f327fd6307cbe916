"""A repeated ``clientMessageId`` returns the first result and stores nothing twice, whatever has happened since."""

from typing import Any

import pytest

from classwaves.models import Draft
from tests.support.apps import AppFactory, headers_for, new_session
from tests.support.hubs import Worker
from tests.support.redis_server import RedisServer
from tests.support.stores import new_session as new_stored_session
from tests.support.stores import redis_store
from tests.support.tabs import Classroom, Tab, open_classroom


@pytest.fixture
def classroom(make_app: AppFactory) -> Classroom:
    return open_classroom(make_app())


def hello(classroom: Classroom, **more: Any) -> dict[str, Any]:
    return {"sessionCode": classroom.code, "message": "hello", "clientMessageId": "m1", **more}


def history(classroom: Classroom) -> list[str]:
    """Return the texts of all messages, as the teacher reads them."""
    grace = headers_for(classroom.app, "Grace", "teacher")
    answer = classroom.app.test_client().get(f"/api/v1/sessions/{classroom.code}/messages", headers=grace)
    return [message["message"] for message in answer.get_json()["messages"]]


def sent_once(classroom: Classroom) -> tuple[Tab, dict[str, Any]]:
    """Return a student's socket, after it has sent the message, and the ack."""
    tab = classroom.joined("Ada")
    ack = tab.ask("sendMessage", hello(classroom))
    assert ack["ok"]
    tab.take()
    return tab, ack


def test_a_repeat_gets_the_first_ack_and_nobody_hears(classroom: Classroom) -> None:
    witness = classroom.teacher()
    tab, first = sent_once(classroom)
    witness.take()
    tab.say(classroom.code, "something else")
    assert tab.ask("sendMessage", hello(classroom)) == first
    assert tab.ask("sendMessage", hello(classroom, message="not the first text")) == first
    assert [name for name, _ in witness.take()] == ["messageReceived"]
    assert history(classroom) == ["hello", "something else"]


def test_from_another_tab_and_after_a_new_login(classroom: Classroom) -> None:
    _, first = sent_once(classroom)
    assert classroom.joined("Ada").ask("sendMessage", hello(classroom)) == first
    del classroom.tokens["Ada"]
    assert classroom.joined("Ada").ask("sendMessage", hello(classroom)) == first
    assert history(classroom) == ["hello"]


def test_an_id_is_of_one_user(classroom: Classroom) -> None:
    _, first = sent_once(classroom)
    other = classroom.joined("Bob").ask("sendMessage", hello(classroom))
    assert other["ok"]
    assert other["messageId"] != first["messageId"]
    assert history(classroom) == ["hello", "hello"]


def test_an_id_is_of_one_session(classroom: Classroom) -> None:
    app = classroom.app
    tab, first = sent_once(classroom)
    elsewhere = new_session(app.test_client(), headers_for(app, "Grace", "teacher"))
    tab.join(elsewhere)
    other = tab.ask("sendMessage", hello(classroom, sessionCode=elsewhere))
    assert other["ok"]
    assert other["messageId"] != first["messageId"]


def test_users_cannot_reach_each_others_keys(classroom: Classroom) -> None:
    """User ids and client ids may hold whatever separates them in the store."""
    one = Tab(classroom.app, classroom.token("a:b"))
    two = Tab(classroom.app, classroom.token("a"))
    one.join(classroom.code)
    two.join(classroom.code)
    one.take()
    first = one.ask("sendMessage", hello(classroom, clientMessageId="c"))
    assert two.ask("sendMessage", hello(classroom, clientMessageId="b:c"))["messageId"] != first["messageId"]
    assert history(classroom) == ["hello", "hello"]


def test_after_leaving(classroom: Classroom) -> None:
    tab, first = sent_once(classroom)
    tab.ask("leaveSession", classroom.code)
    tab.take()
    assert tab.ask("sendMessage", hello(classroom)) == first
    assert tab.take() == []
    assert tab.refused("sendMessage", hello(classroom, clientMessageId="m2"))["code"] == "NOT_IN_SESSION"


def test_from_a_socket_that_never_joined(classroom: Classroom) -> None:
    _, first = sent_once(classroom)
    assert classroom.tab("Ada").ask("sendMessage", hello(classroom)) == first


def test_after_the_end(classroom: Classroom) -> None:
    tab, first = sent_once(classroom)
    classroom.step("end")
    tab.take()
    assert tab.ask("sendMessage", hello(classroom)) == first
    assert classroom.tab("Ada").ask("sendMessage", hello(classroom)) == first
    assert tab.take() == []
    assert tab.refused("sendMessage", hello(classroom, clientMessageId="m2"))["code"] == "SESSION_ENDED"


def test_a_refused_message_does_not_take_its_id(classroom: Classroom) -> None:
    tab = classroom.tab("Ada")
    assert tab.refused("sendMessage", hello(classroom))["code"] == "NOT_IN_SESSION"
    tab.join(classroom.code)
    assert tab.refused("sendMessage", hello(classroom, message=" "))["code"] == "INVALID_PAYLOAD"
    assert tab.ask("sendMessage", hello(classroom))["ok"]
    assert history(classroom) == ["hello"]


def test_a_resumed_client_sees_its_own_message_with_the_id(classroom: Classroom) -> None:
    tab = classroom.tab("Ada")
    joined = tab.join(classroom.code)
    ack = tab.ask("sendMessage", hello(classroom))
    tab.vanish()
    back = classroom.tab("Ada").join(classroom.code, {"sinceSeq": joined["seq"], "epoch": joined["epoch"]})
    (missed,) = back["missed"]
    assert (missed["data"]["clientMessageId"], missed["data"]["messageId"]) == ("m1", ack["messageId"])


def test_while_the_store_is_away_nobody_is_refused_what_may_be_stored(redis_server: RedisServer) -> None:
    """The answer to the first try was lost; then the sender was muted. Only the store knows."""
    worker = Worker(redis_store(redis_server.url))
    session = new_stored_session(worker.store)
    ada = worker.joined(session, "ada")
    data = {"sessionCode": session.code, "message": "hello", "clientMessageId": "m1"}
    first = worker.send(ada, "sendMessage", data)
    assert first["ok"]
    muted = Draft("participantMuted", {"userId": "ada", "muted": True}, session.owner_id, bumps=("user:ada",))
    worker.hub.view(session.id).reach(worker.store.append(session.id, [muted], dedupe="mute").seq)
    redis_server.kill()
    assert worker.send(ada, "sendMessage", data)["error"]["code"] == "SERVICE_UNAVAILABLE"
    redis_server.start()
    worker.close()
