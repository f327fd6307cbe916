"""``flask classwaves check`` and what an operator lists, with Sentinel and with a cluster."""

import secrets

from classwaves.cli.check_redis import check_redis
from classwaves.cli.findings import Finding
from classwaves.models import new_id
from classwaves.settings import Settings
from tests.support.redis_sets import ClusterSet, SentinelSet
from tests.support.stores import join, new_session, redis_store, seat


def found(url: str) -> tuple[str, list[str]]:
    """All that is said of a Redis, and what of it is an error."""
    keys = {name: secrets.token_urlsafe(48) for name in ("JWT_SECRET_KEY", "SECRET_KEY")}
    findings: list[Finding] = list(check_redis(Settings.load({**keys, "REDIS_URL": url}, {})))
    said = "\n".join(f"{one.subject} {one.message}" for one in findings)
    return said, [one.message for one in findings if one.level == "error"]


def test_the_master_of_sentinels_is_looked_at(sentinel_set: SentinelSet) -> None:
    said, errors = found(sentinel_set.url)
    assert errors == []
    assert "Redis answers" in said
    said, errors = found(sentinel_set.url.replace("mymaster", "another") + "-one")
    assert any("the sentinels at" in error for error in errors), said


def test_every_master_of_a_cluster_is_looked_at(cluster_set: ClusterSet) -> None:
    said, errors = found(cluster_set.url)
    assert errors == []
    assert f"cluster ok, {len(cluster_set.masters())} masters" in said
    for master in cluster_set.masters():
        assert f"Redis 127.0.0.1:{master.port} answers" in said


def test_workers_and_users_are_counted_in_a_cluster(cluster_set: ClusterSet) -> None:
    store = redis_store(cluster_set.url, prefix=f"test-{new_id(6)}")
    sessions = [new_session(store) for _ in range(3)]
    for session in sessions:
        join(store, session, seat("ann", worker="w"))
        store.serve("w", session.id)
    store.renew("w", 30)
    ids = [session.id for session in sessions]
    assert store.connected(ids) == dict.fromkeys(ids, 1)
    (lease,) = store.leases()
    assert (lease.worker, lease.sessions) == ("w", tuple(sorted(ids)))
    store.close()
