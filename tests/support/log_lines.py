"""The log of a server as data."""

import json
from typing import Any

from tests.support.server_process import ServerProcess


def lines_of(*servers: ServerProcess, **fields: Any) -> list[dict[str, Any]]:
    """Return the lines of these servers' logs that have these fields. Each line must be a JSON object."""
    lines: list[dict[str, Any]] = [json.loads(line) for server in servers for line in server.log().splitlines()]
    return [line for line in lines if line.items() >= fields.items()]
