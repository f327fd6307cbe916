"""classwaves.client, with threads and with asyncio, in an ordinary lesson on a real server."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from classwaves.client import ClassWavesError, Client
from tests.support.ports import free_port
from tests.support.python_clients import KINDS, AnyClient, AnyRoom, Clients
from tests.support.school import School, open_school
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("client")


@pytest.fixture(scope="module")
def school() -> Iterator[School]:
    with open_school() as school:
        yield school


@pytest.fixture(params=KINDS)
def clients(request: pytest.FixtureRequest) -> Iterator[Clients]:
    clients = Clients(request.param)
    yield clients
    clients.close()


def refused(ask: Any, *args: Any, **how: Any) -> ClassWavesError:
    with pytest.raises(ClassWavesError) as caught:
        ask(*args, **how)
    return caught.value


def test_everybody_hears_everything_in_order(school: School, clients: Clients) -> None:
    code = school.session()
    teacher, ann = clients.teacher(school.url).join(code), clients.guest(school.url, code).join(code.lower())
    assert (teacher.snapshot["self"]["role"], ann.snapshot["self"]["displayName"]) == ("teacher", "Ann")
    acks = [teacher.send(f"{number}") for number in range(110)]
    ann.send("thanks", reply_to=acks[0]["messageId"])
    for room in (teacher, ann):
        assert room.texts("thanks") == [*map(str, range(110)), "thanks"]
        assert [one["message"] for one in room.messages()] == [*map(str, range(110)), "thanks"], "over two pages"
    assert [one["message"] for one in ann.messages(after_seq=acks[-1]["seq"])] == ["thanks"]
    assert teacher.call("raiseHand")["seq"] > acks[-1]["seq"]
    assert ann.next("handStatusChanged").data["raised"] is True


def test_handlers_hear_in_order_and_may_ask(school: School, clients: Clients, caplog: Any) -> None:
    code = school.session()
    teacher = clients.teacher(school.url).join(code)
    room = clients.guest(school.url, code).room(code)
    heard: list[str] = []

    @room.on("messageReceived")
    def fail(event: Any) -> None:
        raise RuntimeError("on purpose")

    @room.on("*")
    def note(event: Any) -> None:
        heard.append(event.data.get("message", event.name))

    room.join()
    for number in range(50):
        teacher.send(str(number))
    eventually(lambda: heard[-1:] == ["49"], what="the last message")
    assert heard == [*map(str, range(50))]
    assert "a handler of messageReceived has failed" in caplog.text


def test_a_refusal_has_its_code(school: School, clients: Clients) -> None:
    code = school.session()
    client = clients.guest(school.url, code)
    room = client.join(code)
    assert refused(room.call, "setSessionMode", {"mode": "quiz"}).code == "FORBIDDEN"
    assert refused(room.send, "").code == "INVALID_PAYLOAD"
    assert refused(room.call, "fly").code == "UNKNOWN_EVENT"
    assert refused(client.join, "ABCDEF").code in ("SESSION_ACCESS_DENIED", "SESSION_NOT_FOUND")
    assert room.send("still here")["ok"]


def test_what_is_no_json_is_refused_and_the_client_goes_on(school: School, clients: Clients) -> None:
    room = clients.guest(school.url, code := school.session()).join(code)
    endless: list[Any] = []
    endless.append(endless)
    for unfit in ({1, 2}, endless):
        assert refused(room.call, "sendMessage", {"message": unfit}).code == "INVALID_PAYLOAD"
    assert room.send("still here")["ok"]


def test_a_message_of_one_key_is_stored_once(school: School, clients: Clients) -> None:
    code = school.session()
    room = clients.guest(school.url, code).join(code)
    first, second = (room.send(text, client_message_id="one") for text in ("first", "second"))
    assert first == second
    assert [one["message"] for one in room.messages()] == ["first"]


def test_one_client_in_two_sessions_leaves_one(school: School, clients: Clients) -> None:
    client = clients.teacher(school.url)
    here, there = client.join(school.session()), client.join(school.session())
    here.send("here")
    there.send("there")
    here.leave()
    assert [event.data["message"] for event in here.events(None)] == ["here"], "and then it ends"
    assert refused(here.send, "gone").code == "CLOSED"
    assert there.texts("there") == ["there"]
    again = client.join(here.room.code)
    again.send("again")
    assert again.texts("again") == ["again"]


def test_the_end_of_a_session_ends_the_iterator(school: School, clients: Clients) -> None:
    code = school.session()
    room = clients.guest(school.url, code).join(code)
    school.api.step(school.teacher, code, "end")
    assert [event.name for event in room.events(None)][-1] == "sessionEnded"
    assert room.room.ended
    assert refused(room.send, "late").code == "SESSION_ENDED"
    assert room.messages() == [], "reading goes on"


def test_who_is_removed_is_told_why(school: School, clients: Clients) -> None:
    code = school.session()
    teacher, ann = clients.teacher(school.url).join(code), clients.guest(school.url, code).join(code)
    teacher.call("removeParticipant", {"userId": ann.snapshot["self"]["userId"]})
    assert refused(lambda: list(ann.events(20))).code == "SESSION_ACCESS_DENIED"
    assert refused(ann.send, "but").code == "SESSION_ACCESS_DENIED"


def test_a_guest_waits_to_be_let_in(school: School, clients: Clients) -> None:
    code = school.session(waitingRoom=True)
    teacher = clients.teacher(school.url).join(code)
    client = clients.guest(school.url, code)
    assert refused(client.join, code, 0.2).code == "TIMEOUT"
    waits = threading.Event()
    found: list[AnyRoom] = []
    joins = threading.Thread(target=lambda: found.append(client.join(code, None, on_waiting=waits.set)))
    joins.start()
    assert waits.wait(10)
    teacher.call("admitParticipant", {"userId": teacher.next("joinRequested").data["userId"], "admitted": True})
    joins.join(10)
    found[0].send("hello")
    assert teacher.texts("hello") == ["hello"]


def test_a_guest_is_turned_away(school: School, clients: Clients) -> None:
    code = school.session(waitingRoom=True)
    teacher = clients.teacher(school.url).join(code)
    room = clients.guest(school.url, code).room(code)
    assert refused(room.join, 0.2).code == "TIMEOUT"
    teacher.call("admitParticipant", {"userId": teacher.next("joinRequested").data["userId"], "admitted": False})
    assert refused(room.join, 20).code == "SESSION_ACCESS_DENIED"


def test_a_slow_reader_starts_again_from_a_snapshot(school: School, clients: Clients) -> None:
    code = school.session()
    teacher = clients.teacher(school.url).join(code)
    slow = clients.guest(school.url, code, queue=10).join(code)
    for number in range(30):
        last = teacher.send(str(number))
    eventually(lambda: slow.room._session.seq == last["seq"], what="everything has come")
    event = next(iter(slow.events(20)))
    assert (event.name, event.seq) == ("snapshot", last["seq"])
    assert len(slow.messages()) == 30
    teacher.send("and on")
    assert slow.texts("and on") == ["and on"]


def test_closing_ends_what_waits(school: School, clients: Clients) -> None:
    code = school.session()
    client = clients.guest(school.url, code)
    room = client.join(code)
    ended: list[str] = []
    listens = threading.Thread(target=lambda: ended.extend(event.name for event in room.events(None)))
    listens.start()
    client.run(client.client.close())
    listens.join(10)
    assert not listens.is_alive()
    assert ended == []
    assert refused(room.send, "late").code == "CLOSED"
    assert not client.client.connected


def closed_while(client: AnyClient, wait: Any, begun: Any) -> None:
    told: list[ClassWavesError] = []
    waits = threading.Thread(target=lambda: told.append(refused(wait)))
    waits.start()
    eventually(begun, what="it waits")
    client.run(client.client.close())
    waits.join(10)
    assert [error.code for error in told] == ["CLOSED"]


def test_closing_is_told_to_who_waits_for_a_connection(clients: Clients) -> None:
    client = clients.new(f"http://127.0.0.1:{free_port()}", "token")
    closed_while(client, lambda: client.connect(None), lambda: client.client._core.trouble)
    assert refused(client.connect).code == "CLOSED"


def test_closing_is_told_to_who_waits_to_be_let_in(school: School, clients: Clients) -> None:
    code = school.session(waitingRoom=True)
    client = clients.guest(school.url, code)
    room = client.room(code)
    closed_while(client, lambda: room.join(None), lambda: room.room.waiting)


class Slow:
    """A serializer that is slow to be chosen, once it is asked to be."""

    def __init__(self) -> None:
        self.held, self.go = threading.Event(), threading.Event()
        self.go.set()

    def __eq__(self, other: object) -> bool:
        self.held.set()
        self.go.wait(10)
        return False

    __hash__ = object.__hash__


def test_closing_while_a_connection_is_begun_leaves_none() -> None:
    slow = Slow()
    client = Client(f"http://127.0.0.1:{free_port()}", "token", options={"serializer": slow})
    slow.go.clear()
    slow.held.clear()
    with pytest.raises(ClassWavesError):
        client.connect(0)
    assert slow.held.wait(10)
    closing = threading.Thread(target=client.close)
    closing.start()
    closing.join(0.3)  # where it could not see what is begun, it would be done now
    slow.go.set()
    closing.join(10)
    eventually(lambda: not any(one.name == "classwaves-errand" for one in threading.enumerate()), 10, "no thread")
    assert not client._wires


def test_options_that_there_are_not_are_told_at_once() -> None:
    with pytest.raises(TypeError):
        Client("http://127.0.0.1:1", "token", options={"colour": "red"})


def test_a_token_that_is_none_is_final(school: School, clients: Clients) -> None:
    assert refused(clients.new(school.url, "no token").connect).code == "INVALID_TOKEN"


def test_no_server_is_told_by_the_deadline(clients: Clients) -> None:
    client = clients.new(f"http://127.0.0.1:{free_port()}", "token")
    refused(client.connect, 0)  # goes on in the background
    eventually(lambda: client.client._core.trouble, what="the first failure")
    assert refused(client.connect, 0.3).code == "CONNECTION_FAILED"


def test_what_is_about_no_session(school: School, clients: Clients) -> None:
    client = clients.guest(school.url, school.session())
    assert refused(lambda: client.run(client.client.call("fileCancel", {"fileId": "none"}))).code == "FILE_NOT_FOUND"
    assert client.client.ready["role"] == "student"
