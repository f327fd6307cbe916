"""Under gevent the reader of the feed lets everybody else have a turn, however much there is to read."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

from tests.support.processes import minimal_environ
from tests.support.redis_server import RedisServer

ROOT = Path(__file__).parent.parent


def test_others_have_a_turn_while_there_is_always_more_to_read(redis_server: RedisServer) -> None:
    """A message takes a millisecond or more, and the feed is read for two, so three at the most come in one go."""
    command = (sys.executable, "-m", "tests.support.feed_greenlets", str(redis_server.port))
    ran = subprocess.run(command, cwd=ROOT, env=minimal_environ(), capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    heard = json.loads(ran.stdout)
    assert len(heard) == 200
    in_one_go = [len(list(same)) for _, same in itertools.groupby(heard)]
    assert max(in_one_go) <= 3, in_one_go
