"""Build the distributions and run the wheel in empty environments, outside this repository; ``make package``.

One environment for each Python 3.11 or newer that is found: on PATH, in ~/.pyenv, or given as arguments.
"""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEWEST = 20
SHOP = """\
from flask import Flask
from classwaves import ClassWaves

app = Flask(__name__)
classwaves = ClassWaves(app)
"""

#: What the wheel must be able to do without anything of this repository.
IMPORTS = """
import importlib.metadata, importlib.resources, pathlib, pkgutil, sys
import classwaves
assert pathlib.Path(classwaves.__file__).is_relative_to(sys.prefix), classwaves.__file__
files = importlib.resources.files("classwaves")
assert all(files.joinpath(name).is_file() for name in ("py.typed", "store/lua/append.lua", "static/monitor.js"))
assert files.joinpath("templates/classwaves-monitor.html").is_file()
try:
    import tests
except ImportError:
    pass
else:
    raise AssertionError("a package of tests is installed")
print("classwaves", importlib.metadata.version("classwaves"), "on Python", sys.version.split()[0])
"""


def tracked() -> list[Path]:
    """What git has, by its path in the repository."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return [Path(name) for name in done.stdout.split("\0") if name and (ROOT / name).exists()]


def copy_tracked(directory: Path) -> None:
    """Copy what git has: what else lies about here must not get into a distribution."""
    for path in tracked():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target)


def build(directory: Path, *options: str, python: str = sys.executable) -> list[Path]:
    """Build both distributions of what git has; the source distribution comes first."""
    source, made = directory / "source", directory / "made"
    copy_tracked(source)
    run(python, "-m", "build", "--outdir", str(made), *options, str(source), cwd=directory)
    return sorted(made.iterdir(), key=lambda path: path.suffix == ".whl")


def run(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command to its end and return what it said. :raises RuntimeError: it failed."""
    done = subprocess.run(  # noqa: S603 - ours
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}\nended with {done.returncode}")
    return done.stdout


def interpreters() -> list[str]:
    """Each Python 3.11 or newer that is there, once a minor version."""
    found: dict[str, str] = {}
    names = [f"python3.{minor}" for minor in range(11, NEWEST)]
    places = [shutil.which(name) for name in ("python3", *names)]
    places += [str(path) for path in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"))]
    for place in [place for place in places if place]:
        told = subprocess.run(  # noqa: S603 - an interpreter
            [place, "-c", "import sys, ensurepip, venv; print('3.%d' % sys.version_info[1])"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
        if re.fullmatch(r"3\.\d+", told) and int(told[2:]) >= 11:
            found.setdefault(told, place)
    return [found[version] for version in sorted(found, key=lambda version: int(version[2:]))]


def try_wheel(wheel: Path, python: str, directory: Path) -> None:
    """Install the wheel into an empty environment, and serve an application with it."""
    directory.mkdir()
    run(python, "-m", "venv", "venv", cwd=directory)
    inside = str(directory / "venv" / "bin" / "python")
    run(inside, "-m", "pip", "install", "-q", "--disable-pip-version-check", str(wheel), cwd=directory)
    run(inside, "-m", "pip", "check", cwd=directory)
    (directory / "shop.py").write_text(SHOP)
    keys = {name: secrets.token_hex(32) for name in ("JWT_SECRET_KEY", "SECRET_KEY")}
    env = {"PATH": os.environ["PATH"], "HOME": str(directory), **keys}
    print(run(inside, "-W", "error", "-c", IMPORTS, cwd=directory, env=env), end="")
    run(inside, "-m", "flask", "--app", "shop", "classwaves", "check", cwd=directory, env=env)
    types = run(inside, "-m", "flask", "--app", "shop", "classwaves", "types", cwd=directory, env=env)
    if "interface ClientToServerEvents" not in types:
        raise RuntimeError(f"no types:\n{types}")
    serve(inside, directory, env)


def serve(python: str, directory: Path, env: dict[str, str]) -> None:
    """Have gunicorn serve the application until it says that it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["-k", "classwaves.transport.worker.Worker", "--bind", f"127.0.0.1:{port}", "shop:app"]
    with (directory / "log").open("w") as log:
        server = subprocess.Popen(  # noqa: S603 - ours
            [python, "-m", "gunicorn", *options], cwd=directory, env=env, stdout=log, stderr=log
        )
    try:
        for path in ("/readyz", "/api/v1/asyncapi.json", "/socket.io/?EIO=4&transport=polling"):
            answer(f"http://127.0.0.1:{port}{path}", server)
    except OSError as error:
        raise RuntimeError((directory / "log").read_text()) from error
    finally:
        server.terminate()
        server.wait(30)


def answer(url: str, server: subprocess.Popen[bytes]) -> bytes:
    """What is at an address, once something answers there. :raises OSError: nothing does, or it is an error."""
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - ours
                return bytes(response.read())
        except urllib.error.HTTPError:
            raise
        except OSError:
            if server.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.2)


def main() -> int:
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        sdist, wheel = build(directory)
        print(f"{sdist.name}: {sdist.stat().st_size // 1024} KiB, {wheel.name}: {wheel.stat().st_size // 1024} KiB")
        for number, python in enumerate(sys.argv[1:] or interpreters()):
            try_wheel(wheel, python, directory / f"try{number}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
