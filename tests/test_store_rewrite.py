"""What both stores promise of a log that is rewritten: everything in its place, and nobody goes on with the old."""

import redis

from classwaves.models import Entry
from classwaves.store.base import Edit
from classwaves.store.redis import RedisStore
from classwaves.testing.suites.store_rewrite import RewriteContract, checkpoint_of, log, tell, without
from tests.support.stores import EveryStore, new_session
from tests.support.stores import direct as direct


class TestRewrite(EveryStore, RewriteContract):
    """Every kind of store keeps them."""


def test_no_key_of_redis_has_it_and_none_outlives_its_session(direct: RedisStore, redis_url: str) -> None:
    session = new_session(direct)
    tell(direct, session, "ann", "unheard-of words", "my own unheard-of key")
    assert direct.save_checkpoint(session.id, checkpoint_of(direct, session))
    direct.expire(session, 1000)
    direct.rewrite(session.id, without("ann"))
    with redis.Redis.from_url(redis_url) as client:
        keys = [key for key in client.scan_iter() if session.id.encode() in key]
        assert len(keys) >= 5
        for key in keys:
            kept = {b"stream": client.xrange, b"hash": client.hgetall}.get(
                client.type(key), lambda key: client.zrange(key, 0, -1)
            )(key)
            assert b"unheard-of" not in repr(kept).encode()
            assert client.pttl(key) > 0, key


def test_a_copy_that_comes_to_nothing_is_no_place_for_words(direct: RedisStore, redis_url: str) -> None:
    """Two users of a session are erased at the same time, and the one is quicker than the other."""
    session = new_session(direct)
    tell(direct, session, "eve", "unheard-of words")
    tell(direct, session, "ann", "secret")
    edit, looks = without("ann"), [0]

    def entry(old: Entry) -> Entry:
        looks[0] += old.draft.author == "ann"
        if looks[0] == 3:  # the first page of the copy is made
            looks[0] += 1
            direct.rewrite(session.id, without("eve"))
        return edit.entry(old)

    for number in range(600):
        tell(direct, session, "bob", f"{number}")
    tell(direct, session, "ann", "one more secret")
    assert direct.rewrite(session.id, Edit(entry, edit.checkpoint, edit.version, edit.forget)) == 2
    assert looks[0] > 3
    with redis.Redis.from_url(redis_url) as client:
        logs = [key for key in client.scan_iter() if f"{{{session.id}}}:log".encode() in key]
        assert "unheard-of" not in str([client.xrange(key) for key in logs])
        assert len(logs) == 1


def test_a_copy_that_redis_has_lost_some_of_takes_nobodys_place(direct: RedisStore, redis_url: str) -> None:
    """As after a failover in the middle of it."""
    session = new_session(direct)
    tell(direct, session, "ann", "secret")
    for number in range(600):
        tell(direct, session, "bob", f"{number}")
    edit, looks = without("ann"), [0]

    with redis.Redis.from_url(redis_url) as client:

        def entry(old: Entry) -> Entry:
            looks[0] += 1
            if looks[0] == 550:  # it copies the second page
                for key in client.scan_iter():
                    if f"{{{session.id}}}:log-".encode() in key:
                        client.xtrim(key, maxlen=400)
            return edit.entry(old)

        assert direct.rewrite(session.id, Edit(entry, edit.checkpoint, edit.version, edit.forget)) == 1
    assert [e.seq for e in log(direct, session)] == list(range(1, 603))
    assert "secret" not in str(log(direct, session))
