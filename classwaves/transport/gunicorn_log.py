"""gunicorn's logger for ClassWaves: its lines have the shape of all others, and tell no code and no token.

Imports how lines look.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from gunicorn import glogging

from .. import logs
from ..tally import LOST, add

logger = logging.getLogger(__name__)

#: What lets somebody in, or is a secret, and may be in an address.
_CODES = re.compile(r"(/sessions/)[^/?#]+")
#: Headers and other parts of a request that an access log's format may name and does not get.
_KEPT = ("authorization", "cookie", "referer", "query_string", "raw_uri", "request_uri", "path_info")


class Logger(glogging.Logger):  # type: ignore[misc] # gunicorn has no types
    """``logger_class = "classwaves.transport.gunicorn_log.Logger"``."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        logs.configure()
        for handler in [*self.error_log.handlers, *self.access_log.handlers]:
            handler.setFormatter(logs.make_formatter(logs.wanted()[0]))
            handler.addFilter(logs.Bounded())

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> dict[str, Any]:
        """What the access log may name. It is off unless ``--access-logfile`` turns it on."""
        environ = {"RAW_URI": "", **environ}  # which our worker has no use for
        found: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        path = _CODES.sub(r"\1-", environ.get("PATH_INFO") or "")
        found |= {"U": path, "q": "", "f": "-"}
        found["r"] = f"{environ['REQUEST_METHOD']} {path} {environ['SERVER_PROTOCOL']}"
        return {name: value for name, value in found.items() if not _is_kept(name)}


def write_failures(hub: Any) -> None:
    """Write down, and count, what a greenlet dies of: gevent would print it, with what its function was called with.

    :param hub: gevent's, of this thread.
    """

    def print_exception(context: Any, kind: Any, error: Any, trace: Any) -> None:
        add(LOST, "greenlet")
        logger.error("a greenlet failed", exc_info=(kind, error, trace))

    hub.print_exception = print_exception


def _is_kept(name: str) -> bool:
    return name[:1] == "{" and name[1:].rpartition("}")[0].removeprefix("http_").replace("-", "_") in _KEPT
