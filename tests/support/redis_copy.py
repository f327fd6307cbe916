"""A Redis that comes back as it was before, without what it has acknowledged since."""

import shutil
from pathlib import Path

from tests.support.redis_server import RedisServer


class Copy:
    """What Redis has on disk now, to go back to."""

    def __init__(self, redis: RedisServer, directory: Path) -> None:
        self._redis = redis
        self._kept = directory / "copy"
        shutil.copytree(redis.directory, self._kept)

    def restore(self) -> None:
        """Restart Redis as it was then."""
        self._redis.kill()
        self._redis.forget()
        for path in self._kept.glob(self._redis.data_files):
            (shutil.copytree if path.is_dir() else shutil.copy)(path, self._redis.directory / path.name)
        self._redis.start()
