"""A program: what the lane of a cluster does under gevent. Its arguments are a URL of the cluster, and keys.

With one key it appends numbers to a list, many at once, while its slot may move, and prints after each thousand how
many there are; when its input ends it prints the list, as JSON. With several keys it asks for each of them thirty times
in one turn of the loop, and prints how often each master has read from its clients meanwhile.
"""

# ruff: noqa: E402 - the patch comes first
from gevent import monkey

monkey.patch_all()

import json
import sys

import gevent
from gevent.fileobject import FileObjectThread

from classwaves.redis_url import parse_redis_url
from classwaves.store.redis_cluster import ClusterServers
from classwaves.store.redis_servers import Terms
from classwaves.store.redis_topology import slot_of

# or gevent ends a turn of its loop after 5 ms, whoever else is to run in it: on a busy machine that is nothing
sys.setswitchinterval(60)

URL, *KEYS = sys.argv[1:]


def nothing() -> None: ...


def count_reads(servers: ClusterServers) -> None:
    topology = servers.topology
    owners = [topology.node(slot_of(key)) for key in KEYS]

    def reads() -> list[int]:
        return [int(node.client.info("stats")["total_reads_processed"]) for node in owners]

    for key in KEYS:  # so that the lanes are open
        servers.lane.run("GET", key)
    before = reads()
    gevent.joinall([gevent.spawn(servers.lane.run, "GET", key) for _ in range(30) for key in KEYS], raise_error=True)
    print(json.dumps([now - then - 1 for now, then in zip(reads(), before, strict=True)]))  # one is the question


def append(servers: ClusterServers, key: str) -> None:
    ended = gevent.spawn(FileObjectThread(sys.stdin).read)  # type: ignore[arg-type, call-overload]
    asking: list[gevent.Greenlet[..., object]] = []
    while not ended.ready():
        for _ in range(5):
            asking.append(gevent.spawn(servers.lane.run, "RPUSH", key, len(asking)))
        if len(asking) % 1000 == 0:
            print(len(asking), flush=True)
        gevent.sleep(0.001)
    gevent.joinall(asking, raise_error=True)
    print(json.dumps([int(number) for number in servers.client.lrange(key, 0, -1)]))


def main() -> None:
    servers = ClusterServers(parse_redis_url(URL), Terms(5.0, 4, nothing, nothing))
    if len(KEYS) == 1:
        append(servers, KEYS[0])
    else:
        count_reads(servers)
    servers.close()


main()
