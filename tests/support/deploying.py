"""The files of ``examples/deploy`` at work: the service as systemd would start it, and both proxies in front of it.

Everything is as it is shipped but for paths, ports, names and certificates.
"""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gunicorn_server import ROOT, TEST_KEYS, Gunicorn
from tests.support.server_process import ServerProcess
from tests.support.waiting import eventually

DEPLOY = ROOT / "examples" / "deploy"
ACTIVATION = Path(__file__).with_name("socket_activation.py")


def tool(name: str) -> str:
    """Return the path of a program of the system, or skip the test."""
    found = shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed: scripts/test-tools")
    return found


def unit(name: str) -> dict[str, list[str]]:
    """Return what a unit of systemd's assigns; each name has all of its values, in their order."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def environment_file(name: str = "classwaves.env") -> dict[str, str]:
    """Return what the file assigns."""
    lines = (DEPLOY / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for this machine that is its own authority, and return it and its key."""
    made, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-days", "1", "-keyout", str(key), "-out", str(made), "-subj", "/CN=127.0.0.1"]
        + ["-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )
    return made, key


class Service(Gunicorn):
    """``classwaves.service`` and ``classwaves.socket``, started in the way of systemd, with demo users.

    :param socket_path: of the proxy's socket
    :param redis_url: of its store
    """

    start_timeout = 60.0
    """Three workers at once, on a machine that has other work."""

    def __init__(self, socket_path: Path, redis_url: str, **env: str) -> None:
        super().__init__(env={"REDIS_URL": redis_url, **env})
        self.socket_path = socket_path
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.settimeout(10)
        self._told.bind(str(self.directory / "notify"))

    def command(self) -> list[str]:
        (started,) = unit("classwaves.service")["ExecStart"]
        program, *arguments = started.split(" ")
        assert program == "/opt/classwaves/venv/bin/gunicorn"
        sockets = [str(self.socket_path), f"127.0.0.1:{self.port}"]
        return [sys.executable, str(ACTIVATION), *sockets, sys.executable, "-m", "gunicorn", *arguments]

    def environ(self) -> dict[str, str]:
        (own,) = unit("classwaves.service")["Environment"]
        fixed = dict(pair.split("=", 1) for pair in own.replace("%S", str(self.directory)).split(" "))
        given = {**environment_file(), **fixed, **TEST_KEYS}
        env = {**super().environ(), **given, **self.env, "NOTIFY_SOCKET": str(self.directory / "notify")}
        del env["PORT"], env["CLASSWAVES_HOST"]  # the sockets say where
        return {name: value for name, value in env.items() if value is not None}

    def start(self, wait: bool = True) -> None:
        self.socket_path.unlink(missing_ok=True)
        super().start(wait)

    def told(self) -> str:
        """Wait for what systemd is told, by ``Type=notify``."""
        return self._told.recv(4096).decode()

    def reload(self) -> None:
        """``systemctl reload``."""
        assert unit("classwaves.service")["ExecReload"] == ["/bin/kill -s HUP $MAINPID"]
        os.kill(self.pid, signal.SIGHUP)

    def has_others_than(self, old: list[int]) -> None:
        """Wait until there are three workers, and none of those."""
        eventually(lambda: len(self.worker_pids) == 3 and not {*old} & {*self.worker_pids}, 90, "other workers")

    def close(self) -> None:
        super().close()
        self._told.close()


class Proxy(ServerProcess):
    """A proxy that speaks TLS at its port and passes on to a socket.

    :param socket_path: of the service
    :param keys: the certificate and its key
    """

    file = ""

    def __init__(self, socket_path: Path, keys: tuple[Path, Path]) -> None:
        super().__init__()
        self.certificate, self.key = keys
        self.socket_path = socket_path
        self.configuration = self.directory / self.file
        self.configuration.write_text(self.adapted((DEPLOY / self.file).read_text()))

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"https://127.0.0.1:{self.port}"

    def adapted(self, text: str) -> str:
        """Return the shipped file with paths, ports, names and certificates of this machine."""
        raise NotImplementedError

    def checked(self) -> None:
        """Have the program itself look at the file. :raises AssertionError: it finds something."""
        command = self.check_command()
        done = subprocess.run(
            command, capture_output=True, text=True, env=self.environ(), cwd=self.directory, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert not re.search(r"\[warn\]|not formatted", done.stderr), done.stderr

    def check_command(self) -> list[str]:
        """Return the program's own way of checking."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.certificate))
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                context.wrap_socket(connection, server_hostname="127.0.0.1").close()
            return True
        except OSError:
            return False

    def environ(self) -> dict[str, str]:
        """Return the environment, with a home of its own: Caddy keeps things there."""
        return {**super().environ(), "HOME": str(self.directory)}


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Replace each in a text that must have it: what the tests put in place of something is to be there."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


class Nginx(Proxy):
    """nginx with ``nginx.conf``."""

    name, file = "nginx", "nginx.conf"

    def adapted(self, text: str) -> str:
        certificates = "/etc/letsencrypt/live/class.example"
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        folders = "".join(f"    {kind}_temp_path {self.directory}/{kind};\n" for kind in kinds)
        # the workers are to be who the tests are, or they may not open the socket
        user = f"user {'root' if os.getuid() == 0 else 'nobody'};"
        return replaced(
            text,
            ("user www-data;", user),
            ("/run/nginx.pid", f"{self.directory}/nginx.pid"),
            ("worker_rlimit_nofile 65536;\n", ""),
            ("/var/log/nginx", str(self.directory)),
            ("http {\n", f"http {{\n{folders}"),
            ("unix:/run/classwaves.sock", f"unix:{self.socket_path}"),
            ("listen 80;", f"listen unix:{self.directory}/http;"),
            ("        listen [::]:80;\n", ""),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("        listen [::]:443 ssl http2;\n", ""),
            ("class.example;", "127.0.0.1;"),
            (f"{certificates}/fullchain.pem", str(self.certificate)),
            (f"{certificates}/privkey.pem", str(self.key)),
        )

    def command(self) -> list[str]:
        return [tool("nginx"), "-c", str(self.configuration), "-g", "daemon off;"]

    def check_command(self) -> list[str]:
        return [tool("nginx"), "-t", "-q", "-c", str(self.configuration)]

    def reload(self) -> None:
        """``systemctl reload nginx``."""
        os.kill(self.pid, signal.SIGHUP)

    def access_log(self) -> str:
        return (self.directory / "access.log").read_text()


class Caddy(Proxy):
    """Caddy with ``Caddyfile``."""

    name, file = "caddy", "Caddyfile"

    def adapted(self, text: str) -> str:
        here = f"https://127.0.0.1:{self.port} {{\n\ttls {self.certificate} {self.key}\n\tbind 127.0.0.1\n"
        own = "{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n\tservers {\n"
        site = (("class.example {\n", here), ("/run/classwaves.sock", str(self.socket_path)))
        return replaced(text, ("{\n\tservers {\n", own), *site)

    def command(self) -> list[str]:
        return [tool("caddy"), "run", "--config", str(self.configuration), "--adapter", "caddyfile"]

    def check_command(self) -> list[str]:
        return [tool("caddy"), "adapt", "--validate", "--config", str(self.configuration), "--adapter", "caddyfile"]
