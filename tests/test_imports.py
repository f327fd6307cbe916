"""Imports go one way, and what a library is called by stays in its place. The layers here are the design's."""

import ast
import functools
import re
from pathlib import Path

from scripts import docs_diagrams
from tests.support.gunicorn_server import ROOT

PACKAGE = ROOT / "classwaves"

LAYERS = [
    "explained trail brake tally codec",
    "logs refusals otel",
    "declared changes typescript pythontypes",
    "client.actions client.errors client.event client.payloads client.wire",
    "client.rest client.stream client.typed",
    "client.session",
    "client.calls",
    "client.requests",
    "client.core",
    "client.sync client.aio",
    "client",
    "releases",
    "clock errors models filenames filetypes names addresses windows web_origin",
    "tallies tracing signals",
    "metrics",
    "transport",
    "transport.adoption transport.beat",
    "transport.frames transport.http transport.outbox transport.turns transport.wheel transport.handshakes",
    "transport.door transport.drain transport.gunicorn_log transport.succession",
    "transport.packed transport.packets transport.websocket transport.worker transport.mail",
    "transport.connection transport.rooms",
    "transport.far",
    "transport.engine",
    "ice redis_url",
    "readers keys",
    "demo_keys rates token_settings",
    "settings",
    "erasure gate",
    "origins proxies limits scheduler replica ring throttle captions payloads",
    "published",
    "store.base_logins store.acts store.board store.looks",
    "store.base",
    "store.memory_base store.redis_wire store.redis_rewrite",
    "store.memory_acts store.memory_board store.memory_logins store.memory_looks store.memory_uploads",
    "store.memory_guests",
    "store.memory",
    "store.redis_feed store.redis_lane",
    "store.redis_servers",
    "store.redis_base store.redis_report store.redis_topology",
    "store.redis_cluster_feed store.redis_cluster_lane",
    "store.redis_cluster",
    "store.redis_acts store.redis_board store.redis_index store.redis_logins store.redis_looks store.redis_uploads",
    "store.redis_guests",
    "store.redis",
    "store",
    "storage.base",
    "storage.disk storage.s3",
    "storage",
    "archive.base",
    "archive.tables archive.archiver",
    "archive.rows archive.database",
    "archive.reader archive.writer",
    "archive.acts archive.removal",
    "archive.sql",
    "archive",
    "connections deadlines",
    "audit crowd lobby",
    "delivery",
    "live",
    "files",
    "past",
    "greeting",
    "watch",
    "hub history",
    "health",
    "personal",
    "rules",
    "events",
    "entrance",
    "features.activities features.attendance features.calls features.files features.groups features.hands",
    "features.connection features.membership features.presence features.waiting",
    "features.chat features.transcription",
    "features.moderation features.reactions features.signs",
    "features.core features.history",
    "features",
    "asyncapi",
    "pipeline lifecycle publisher shopcontext",
    "registry featuresets",
    "decorators",
    "auth auth.accounts auth.tokens transport.gate transport.server",
    "namespace",
    "closing samples",
    "monitor.picture",
    "monitor.desk",
    "monitor.namespace",
    "orders",
    "state",
    "latecomers",
    "headers",
    "monitor.page",
    "monitor",
    "rest.schemas rest.requests",
    "rest.common",
    "rest.auth rest.ops",
    "rest.sessions",
    "rest.audit rest.calls rest.files rest.records rest.users",
    "rest",
    "users",
    "extension",
    "demo preflight",
    "gunicorn_conf",
    "cli.findings cli.group cli.sight cli.tables cli.wire",
    "cli.accounts cli.archive cli.check_redis cli.check_server cli.check_settings cli.drain",
    "cli.bench cli.check_places cli.contract cli.fleet cli.personal cli.registry cli.replay cli.tail cli.tokens",
    "cli.audit cli.check",
    "cli",
    "app",
    "__main__",
    "testing.inbox testing.clock testing.backstage testing.waiting",
    "testing.suites.steps",
    "testing.suites.parts testing.suites.authenticator testing.suites.storage",
    "testing.suites.store_auth testing.suites.store_board testing.suites.store_checkpoints",
    "testing.suites.store_feed testing.suites.store_log testing.suites.store_presence",
    "testing.suites.store_rewrite testing.suites.store_seats_and_cursors testing.suites.store_sessions",
    "testing.suites.store_uploads",
    "testing.suites",
    "testing.stages",
    "testing.people testing.served testing.sockets",
    "testing.room testing.server",
    "testing.plugin",
    "testing",
    "",
]
"""From the bottom up; a module may import from the lines before its own. The package itself is the empty name."""

#: library -> the modules that may import it
RESERVED = {
    "classwaves": set(),  # relative imports only, so that the other tests see them
    "socketio": {"client.wire", "testing.sockets", "transport.packets", "transport.rooms", "transport.server"},
    "engineio": {"client.wire", "transport.engine", "transport.rooms", "transport.server"},
    "flask_socketio": {
        "transport.adoption",
        "transport.gate",
        "transport.server",
        "namespace",
        "state",
        "monitor",
        "monitor.namespace",
    },
    "geventwebsocket": {"transport.worker"},
    "sqlalchemy": {
        "archive.acts",
        "archive.database",
        "archive.reader",
        "archive.removal",
        "archive.sql",
        "archive.tables",
        "archive.writer",
    },
    "gevent": {
        "archive.database",
        "auth.accounts",
        "cli.check_server",
        "transport.beat",
        "transport.connection",
        "transport.door",
        "transport.engine",
        "transport.far",
        "transport.http",
        "transport.outbox",
        "transport.server",
        "transport.turns",
        "transport.websocket",
        "transport.wheel",
        "transport.worker",
    },
    "gunicorn": {"testing.served", "transport.gunicorn_log", "transport.worker"},
    "opentelemetry": {"otel"},
    "orjson": {"codec"},
    "redis": {
        "limits",
        "store.redis_base",
        "store.redis_cluster",
        "store.redis_cluster_feed",
        "store.redis_cluster_lane",
        "store.redis_feed",
        "store.redis_lane",
        "store.redis_report",
        "store.redis_servers",
        "store.redis_topology",
        "store.redis_wire",
    },
    "blinker": {"signals"},
    "boto3": {"storage.s3"},
    "botocore": {"storage.s3"},
    "apispec": {"asyncapi"},
    "filetype": {"filetypes"},
    "prometheus_client": {"metrics"},
    "limits": {"limits", "readers"},
    "flask_smorest": {
        "rest",
        "rest.audit",
        "rest.calls",
        "rest.common",
        "rest.files",
        "rest.records",
        "rest.sessions",
        "rest.users",
    },
    "flask_jwt_extended": {"auth.tokens"},
}

#: what knows no Flask, and nothing that brings it along
FLASKLESS = {
    "archive",
    "asyncapi",
    "changes",
    "client",
    "declared",
    "releases",
    "typescript",
    "errors",
    "models",
    "settings",
    "replica",
    "ring",
    "tallies",
    "tally",
    "store",
    "storage",
    "live",
    "greeting",
    "watch",
    "hub",
    "events",
    "features",
    "files",
    "filenames",
    "filetypes",
    "erasure",
    "gate",
    "entrance",
    "audit",
    "lobby",
    "past",
    "personal",
    "pipeline",
    "published",
    "publisher",
    "pythontypes",
    "shopcontext",
    "signals",
    "registry",
    "featuresets",
    "decorators",
    "explained",
    "trail",
    "tracing",
    "otel",
    "brake",
    "refusals",
}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


@functools.cache
def imports(name: str) -> set[str]:
    """What a module imports, also inside functions: names of our modules with a full stop in front, and libraries.

    Imports for the type checker only do not count.
    """
    path = MODULES[name]
    package = ["", *name.split(".")] if path.name == "__init__.py" and name else ["", *name.split(".")[:-1]]
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                inner = ".".join([*base, alias.name])
                found.add(inner if inner[1:] in MODULES else ".".join(base) or ".")
        todo.extend(ast.iter_child_nodes(node))
    return found


def rank(name: str) -> int:
    (line,) = [number for number, names in enumerate(LAYERS) if name in (names.split() or [""])]
    return line


def test_every_module_has_its_layer_and_every_layer_its_modules() -> None:
    assert sorted(MODULES) == sorted(name for names in LAYERS for name in names.split() or [""])


def test_imports_go_one_way() -> None:
    wrong = [
        f"classwaves.{name} imports classwaves{other}"
        for name in MODULES
        for other in imports(name)
        if other.startswith(".") and rank(other[1:]) >= rank(name)
    ]
    assert not wrong


def test_the_architecture_has_every_module_in_a_layer_and_imports_go_down() -> None:
    """The table of docs/architecture.md, which is coarser: modules and packages, and layers that may import within."""
    table = (ROOT / "docs" / "architecture.md").read_text().partition("## Modules and their direction")[2]
    rows = re.findall(r"^\| (\d) \| ([^|]*) \|", table, re.MULTILINE)
    layers = [(name, int(layer)) for layer, names in rows for name in re.findall(r"`(\w+)`", names)]
    assert sorted(name for name, _ in layers) == sorted({name.split(".")[0] for name in MODULES} - {""})
    of = dict(layers)
    for layer, names, _ in docs_diagrams.LAYERS:
        assert {of[name] for name in names.split(", ")} == {int(layer)}, names
    up = {
        f"{mine} ({of[mine]}) imports {other} ({of[other]})"
        for name in MODULES
        for found in imports(name)
        if (mine := name.split(".")[0]) and (other := found[1:].split(".")[0]) and found.startswith(".")
        if of[other] > of[mine]
    }
    assert up == set()


def test_libraries_stay_where_they_belong() -> None:
    users = {library: {name for name in MODULES if library in imports(name)} for library in RESERVED}
    assert users == RESERVED


def test_the_core_knows_no_flask() -> None:
    for name in MODULES:
        if name.split(".")[0] in FLASKLESS:
            assert not {library for library in imports(name) if library.startswith("flask")}, name
            assert all(other[1:].split(".")[0] not in ("auth", "rest", "transport") for other in imports(name)), name


def test_the_check_sees_relative_and_late_imports() -> None:
    assert {".store.redis_servers", ".errors", "redis", "json"} <= imports("store.redis_base")
    assert ".store.redis" in imports("store"), "an import inside a function"
    assert ".live" not in imports("connections"), "an import for the type checker only"
    assert ".lifecycle" in imports("rest.sessions"), "a module imported from the package"
