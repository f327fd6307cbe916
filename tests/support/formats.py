"""Whether a text is what it claims to be: the languages of the docs that are no programs, asked of who reads them."""

import configparser
import json
import os
import re
import shutil
import sqlite3
import subprocess
import tomllib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import yaml


def json_text(text: str, folder: Path) -> None:
    """Read every document of a text: one, or one a line."""
    try:
        json.loads(text)
    except json.JSONDecodeError:
        for line in text.splitlines():
            json.loads(line)


def html_text(text: str, folder: Path) -> None:
    """Read it as a browser does, which takes anything."""
    HTMLParser().feed(text)


def toml_text(text: str, folder: Path) -> None:
    tomllib.loads(text)


def yaml_text(text: str, folder: Path) -> None:
    list(yaml.safe_load_all(text))


def ini_text(text: str, folder: Path) -> None:
    """Read it as systemd and setup.cfg do; without a section it is one."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    parser.read_string(text if re.search(r"^\[", text, re.MULTILINE) else f"[all]\n{text}")


def env_text(text: str, folder: Path) -> None:
    for line in text.splitlines():
        assert re.fullmatch(r"\s*|#.*|[A-Z_][A-Z0-9_]*=\S*|[A-Z_][A-Z0-9_]*=([\"']).*\1", line), line


def nginx_text(text: str, folder: Path) -> None:
    """Ask nginx, for which an excerpt may stand in any of its contexts."""
    if not (program := shutil.which("nginx", path=f"/usr/sbin:{os.environ['PATH']}")):
        assert text.count("{") == text.count("}")
        return
    contexts = ("%s", "events {} http { %s }", "events {} http { server { listen 127.0.0.1:1; %s } }")
    said = ""
    for context in (*contexts, contexts[2] % "location / { %s }"):
        config = folder / "nginx-page.conf"
        config.write_text(f"pid {folder}/nginx.pid; error_log stderr;\n" + context.replace("%s", text))
        done = subprocess.run(
            [program, "-t", "-p", str(folder), "-c", str(config)], capture_output=True, text=True, timeout=20
        )
        if not done.returncode:
            return
        said += done.stderr
    raise AssertionError(said)


def caddy_text(text: str, folder: Path) -> None:
    if program := shutil.which("caddy"):
        config = folder / "Caddyfile-page"
        config.write_text(text)
        command = [program, "adapt", "--adapter", "caddyfile", "--config", str(config)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, env=os.environ | {"HOME": str(folder)}
        )
        assert done.returncode == 0, done.stderr
    assert text.count("{") == text.count("}")


def promql_text(text: str, folder: Path) -> None:
    """Ask Prometheus' own tool for each expression, one a paragraph."""
    rules = [{"record": f"a:b{at}", "expr": one.strip()} for at, one in enumerate(re.split(r"\n\s*\n", text))]
    file = folder / "rules-page.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "page", "rules": rules}]}))
    if program := shutil.which("promtool"):
        done = subprocess.run([program, "check", "rules", str(file)], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stdout + done.stderr


def sql_text(text: str, folder: Path) -> None:
    """Prepare it on an empty archive in SQLite."""
    from sqlalchemy import create_engine

    from classwaves.archive.tables import metadata

    file = folder / "page.sqlite3"
    engine = create_engine(f"sqlite:///{file}")
    metadata.create_all(engine)
    engine.dispose()
    with sqlite3.connect(file) as database:
        for statement in filter(str.strip, text.split(";")):
            database.execute(f"EXPLAIN {statement}", [None] * statement.count("?"))
    database.close()


FORMATS: dict[str, Callable[[str, Path], None]] = {
    "json": json_text,
    "jsonl": json_text,
    "html": html_text,
    "toml": toml_text,
    "yaml": yaml_text,
    "yml": yaml_text,
    "ini": ini_text,
    "systemd": ini_text,
    "env": env_text,
    "dotenv": env_text,
    "nginx": nginx_text,
    "caddy": caddy_text,
    "caddyfile": caddy_text,
    "promql": promql_text,
    "sql": sql_text,
}
