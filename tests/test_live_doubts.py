"""Between a store that has lost something and the worker that finds out, no entry of another history is applied."""

import threading

import pytest

from classwaves.live import LiveSession
from classwaves.models import Entry
from classwaves.replica import FOLD_VERSION
from classwaves.ring import Resume
from classwaves.store.redis import RedisStore
from tests.support.hubs import GatedStore, Sockets, Worker, enter, open_live, principal
from tests.support.hubs import workers as workers
from tests.support.losses import Backup
from tests.support.redis_server import RedisServer
from tests.support.stores import direct as direct
from tests.support.stores import message, new_session, redis_store, say, texts
from tests.support.waiting import eventually

ANN = principal()


class Room:
    """A session with Ann's socket in it, on a worker that hears only what the test tells it; "kept" was said."""

    def __init__(self, store: RedisStore, server: RedisServer) -> None:
        self.store = store
        self.session = new_session(store)
        say(store, self.session, "kept")
        self.backup = Backup(server, self.session)
        self.sockets = Sockets()
        self.live = open_live(store, self.session, self.sockets)
        enter(self.live, "ann", ANN)
        self.epoch = self.live.replica.epoch

    def say(self, *messages: str) -> list[Entry]:
        """What is said, as the feed would bring it."""
        seqs = say(self.store, self.session, *messages)
        return self.store.read(self.session.id, seqs[0] - 1, len(seqs))

    def loses(self, *messages: str) -> None:
        """The worker hears what the store then loses."""
        for entry in self.say(*messages):
            self.live.on_entry(entry)
        assert self.sockets.said("ann") == list(messages)
        self.backup.restore()

    def starts_again(self) -> None:
        """Wait for another numbering; Ann is told of it, and of nothing that does not follow what she has."""
        eventually(lambda: self.live.replica.epoch != self.epoch, what="another epoch")
        before, after = self.sockets.gets("ann", "sessionJoined", 2)
        assert (after["recovered"], after["epoch"]) == (False, self.live.replica.epoch)
        assert after["epoch"] != before["epoch"]
        assert self.live.replica.seq == self.store.positions([self.session.id])[self.session.id]


@pytest.fixture
def room(direct: RedisStore, redis_server: RedisServer) -> Room:
    return Room(direct, redis_server)


def test_the_next_number_may_be_of_another_history(room: Room) -> None:
    room.loses("lost", "lost too")
    (*_, next_one) = room.say("new", "newer", "newest")
    assert next_one.seq == room.live.replica.seq + 1
    room.live.doubt()
    room.live.on_entry(next_one)
    assert room.sockets.said("ann") == ["lost", "lost too"]
    room.live.verify()
    room.starts_again()
    assert room.sockets.said("ann") == ["lost", "lost too"]


def test_what_comes_in_doubt_comes_again_from_the_log(room: Room) -> None:
    (first,) = room.say("one")
    room.live.doubt()
    room.live.on_entry(first)
    assert room.sockets.said("ann") == []
    room.live.verify()
    (second,) = room.say("two")
    room.live.on_entry(second)
    assert room.sockets.said("ann") == ["one", "two"]
    assert room.live.replica.epoch == room.epoch


@pytest.mark.parametrize("new", [3, 4, 600], ids=["as many", "more", "pages"])
def test_reading_on_begins_with_what_the_worker_has(room: Room, new: int) -> None:
    room.loses("lost", "lost too", "and this")
    room.store.append(room.session.id, [message(str(number)) for number in range(new)], dedupe="new")
    room.live.catch_up()
    room.starts_again()
    assert room.sockets.said("ann") == ["lost", "lost too", "and this"]


def test_a_gap_may_hide_a_loss(room: Room) -> None:
    room.loses("lost", "lost too")
    (*_, beyond) = room.say("new", "newer", "next", "beyond a gap")
    room.live.on_entry(beyond)
    room.starts_again()
    assert room.sockets.said("ann") == ["lost", "lost too"]


def test_an_answer_with_a_number_that_is_taken_shows_the_loss(room: Room) -> None:
    """Its entry has not come along the feed yet."""
    room.loses("lost", "lost too")
    room.live.heard(room.store.append(room.session.id, [message("mine")], dedupe="mine"))
    room.starts_again()


def test_answers_that_come_late_or_twice_show_nothing(room: Room) -> None:
    others = set(threading.enumerate())  # that of the test before may not have ended
    answers = [room.store.append(room.session.id, [message(text)], dedupe=text) for text in ("a", "b", "a")]
    room.live.catch_up()
    for answer in answers:
        room.live.heard(answer)
    assert not [thread for thread in {*threading.enumerate()} - others if thread.name == "classwaves-repair"]
    assert room.live.replica.epoch == room.epoch


def test_a_replica_from_a_checkpoint_alone_knows_its_newest_entry(room: Room) -> None:
    """It is in no tail, and the log has grown past it since."""
    room.live.on_entry(*room.say("lost"))
    room.live.write_checkpoint()
    late = open_live(room.store, room.session, Sockets())
    assert late.replica.seq == room.live.replica.seq
    room.backup.restore()
    room.say("new", "newer")
    late.verify()
    assert late.replica.epoch != room.epoch


def test_who_resumes_in_doubt_is_told_the_truth(room: Room) -> None:
    """Its number exists here, and is another entry's in the store."""
    room.loses("lost", "lost too")
    room.say("new", "newer", "newest")
    room.live.doubt()
    at = Resume(room.live.replica.seq, room.epoch)
    room.live.reach(1)
    assert enter(room.live, "ben", principal("ben"), at)["recovered"] is False


def test_a_checkpoint_of_what_is_lost_is_not_kept(room: Room) -> None:
    """Somebody who loads it would believe in it, where the log has no beginning any more."""
    room.loses("lost", "lost too")
    room.say("new", "newer", "newest")
    room.live.write_checkpoint()
    loaded = room.store.load(room.session.id, FOLD_VERSION)
    assert loaded
    assert loaded.checkpoint is None


def test_doubts_that_come_while_the_log_is_read_stay() -> None:
    """What was read may be of before them."""
    store, sockets = GatedStore(), Sockets()
    session = new_session(store)
    live = open_live(store, session, sockets)
    enter(live, "ann", ANN)
    say(store, session, "one")
    store.open.clear()
    reading = threading.Thread(target=live.catch_up)
    reading.start()
    assert store.asked.wait(10)
    (two, three) = (store.read_back(session.id, seq + 1, 1)[0] for seq in say(store, session, "two", "three"))
    live.on_entry(two)
    live.doubt()
    store.open.set()
    reading.join(10)
    live.on_entry(three)
    assert sockets.said("ann") == ["one"]
    live.verify()
    assert sockets.said("ann") == ["one", "two", "three"]


def holds_up(worker: Worker) -> threading.Event:
    """Keep the worker from everything that it does later, until the event is set."""
    held, go = threading.Event(), threading.Event()

    def wait() -> None:
        held.set()
        go.wait(10)

    worker.hub.scheduler.after(0, wait)
    assert held.wait(10)
    return go


def test_a_worker_that_has_not_looked_yet_delivers_nothing_of_a_new_connection(
    redis_server: RedisServer, redis_url: str, direct: RedisStore, workers: list[Worker]
) -> None:
    """The whole way: the feed is back before anybody has asked for what may be lost."""
    workers.append(worker := Worker(redis_store(redis_url)))
    session = new_session(direct)
    worker.joined(session, "ann")
    backup = Backup(redis_server, session)
    say(direct, session, "lost")
    worker.sockets.hears("ann", "lost")
    go = holds_up(worker)
    backup.restore()
    with redis_server.client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        eventually(lambda: client.pubsub_numsub(f"test:{{{session.id}}}:feed")[0][1], what="the feed")
    say(direct, session, "new", "newer")
    direct.end_auth(worker.connect("a mark in the feed").principal.auth.id)
    eventually(lambda: "login of a mark in the feed" in worker.ended, what="the mark")
    assert worker.sockets.said("ann") == ["lost"]
    go.set()
    told = worker.sockets.gets("ann", "sessionJoined", 2)[-1]
    assert told["recovered"] is False
    assert texts(direct.read(session.id, 0, 100)) == ["new", "newer"]


def test_after_a_loss_everybody_goes_on(room: Room) -> None:
    room.loses("lost")
    room.live.verify()
    room.starts_again()
    other = LiveSession(room.session.id, room.store, Sockets(), room.live.settings)
    other.load()
    for entry in room.say("goes on"):
        room.live.on_entry(entry)
        other.on_entry(entry)
    assert room.sockets.said("ann") == ["lost", "goes on"]
    assert other.replica.dump() == room.live.replica.dump()
