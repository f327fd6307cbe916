"""A program: the order of what greenlets ask a cluster for while a slot moves. Its argument is a URL of the cluster.

It appends numbers to a list, many at once, and prints after each thousand how many there are; when its input ends it
prints the list, as JSON.
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

URL, KEY = sys.argv[1:]


def nothing() -> None: ...


def main() -> None:
    servers = ClusterServers(parse_redis_url(URL), Terms(5.0, 4, nothing, nothing))
    ended = gevent.spawn(FileObjectThread(sys.stdin).read)  # type: ignore[arg-type, call-overload]
    asking: list[gevent.Greenlet[..., object]] = []
    while not ended.ready():
        for _ in range(5):
            asking.append(gevent.spawn(servers.lane.run, "RPUSH", KEY, len(asking)))
        if len(asking) % 1000 == 0:
            print(len(asking), flush=True)
        gevent.sleep(0.001)
    gevent.joinall(asking, raise_error=True)
    print(json.dumps([int(number) for number in servers.client.lrange(KEY, 0, -1)]))
    servers.close()


main()
