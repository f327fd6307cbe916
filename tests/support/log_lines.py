"""The log of a server as data."""

import json
from typing import Any

from tests.support.server_process import ServerProcess


def lines_of(*servers: ServerProcess, **fields: Any) -> list[dict[str, Any]]:
    """Return the lines of these servers' logs that have these fields. Each line must be a JSON object.

    What has no end yet is being written.
    """
    whole = [server.log().rpartition("\n")[0] for server in servers]
    lines: list[dict[str, Any]] = [json.loads(line) for log in whole for line in log.splitlines()]
    return [line for line in lines if line.items() >= fields.items()]
