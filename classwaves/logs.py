"""How log lines look: a JSON object a line where a program reads them, and text on a terminal.

Imports the trail, the brake and the tally; gunicorn's master uses it, so it imports nothing with sockets. Only who runs
a server uses it: an application with ClassWaves on it keeps its own configuration of logging, and may take
:class:`AddTrail`.
"""

from __future__ import annotations

import json
import logging
import logging.config
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from . import trail
from .brake import Brake
from .tally import LOST, add

#: What a line may have beside the trail: attribute of a record -> field. What else a record holds is not written.
FIELDS = {
    "code": "code",
    "seq": "seq",
    "recipients": "recipients",
    "duration_ms": "durationMs",
    "left_out": "leftOut",
    "status": "status",
}
#: The same for what :class:`AddTrail` puts into a record.
TRAIL_FIELDS = {
    "trace_id": "traceId",
    "event": "event",
    "route": "route",
    "session_id": "sessionId",
    "user_id": "userId",
    "request_id": "requestId",
}
#: How many lines of one kind are written in a second, at INFO and above.
MOST = 100

_COLOURS = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
_ESCAPED = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}

_worker = ""

logger = logging.getLogger(__name__)


def name_worker(name: str) -> None:
    """The name that this process has among the workers, for all its lines from now on."""
    global _worker
    _worker = name


class AddTrail(logging.Filter):
    """Gives each record the trail it was written in: ``trace_id``, ``event`` or ``route``, ``session_id``, ``user_id``.

    For handlers, of a shop's own configuration too; a filter of a logger is not asked about its children.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if (at_work := trail.current()) is not None:
            record.trace_id = at_work.id
            setattr(record, "route" if at_work.kind == trail.REQUEST else "event", at_work.event)
            record.session_id = at_work.session_id
            record.user_id = at_work.user_id
            if at_work.request_id != at_work.id:
                record.request_id = at_work.request_id
        return True


class Bounded(logging.Filter):
    """Lets so many lines of each kind through in a second, because clients cause them, and a disk is finite.

    A kind is a logger and a message without its arguments. How many were left out is told with the next line. DEBUG is
    not bounded: who turns it on wants all of it.
    """

    def __init__(self, most: int = MOST) -> None:
        super().__init__()
        self._brake = Brake(most)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.INFO:
            return True
        left_out = sum(self._brake.left_out().values())
        if not self._brake.admits((record.name, record.msg if isinstance(record.msg, str) else "")):
            return False
        if left_out:
            record.left_out = getattr(record, "left_out", 0) + left_out
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _iso(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
            **({"worker": _worker} if _worker else {}),
            **_fields(record),
        }
        if told := _exception(record):
            line["exception"] = told
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """A line for people, with colours if it goes to a terminal."""

    def __init__(self, colours: bool = False) -> None:
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        # a line's end, or a terminal's control sequence, must not come from what is written
        message = record.getMessage().translate(_ESCAPED)
        level = f"{record.levelname:<7}"
        if self._colours and (colour := _COLOURS.get(record.levelname)):
            level = f"\x1b[{colour}m{level}\x1b[0m"
        fields = " ".join(f"{name}={str(value).translate(_ESCAPED)}" for name, value in _fields(record).items())
        line = f"{_iso(record)} [{record.process}] {level} {record.name}: {message}{'  ' if fields else ''}{fields}"
        return f"{line}\n{told}" if (told := _exception(record)) else line


def _iso(record: logging.LogRecord) -> str:
    # not models.iso, which keeps times that many share
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What is known of the record beside its message; nothing that is empty."""
    held = record.__dict__
    named = ((name, held.get(attribute)) for attribute, name in (*TRAIL_FIELDS.items(), *FIELDS.items()))
    return {name: value for name, value in named if value not in (None, "")}


def _exception(record: logging.LogRecord) -> str:
    """The traceback. Its messages may repeat what clients have sent, or what was to be stored of it.

    So they are left out of ours, and of what ran for a client.
    """
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    if trail.current() is None and record.name.partition(".")[0] != "classwaves":
        return "".join(traceback.format_exception(record.exc_info[1])).rstrip()
    return "".join(_without_messages(record.exc_info[1])).rstrip()


def _without_messages(error: BaseException) -> Iterator[str]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(following.__traceback__)
        # what the operating system says is known; the file's name is not repeated
        said = f": {os.strerror(following.errno)}" if isinstance(following, OSError) and following.errno else ""
        yield f"{type(following).__module__}.{type(following).__qualname__}{said}\n"
        hidden = None if following.__suppress_context__ else following.__context__
        following = following.__cause__ or hidden


def wanted(environ: Mapping[str, str] | None = None) -> tuple[str, str]:
    """The format, ``json`` or ``text``, and the level: by the environment alone, because a log begins before the app.

    Their values were checked by whoever loads the settings; a wrong one is the default here.
    """
    environ = os.environ if environ is None else environ
    form = environ.get("CLASSWAVES_LOG_FORMAT", "")
    if form not in ("json", "text"):
        form = "text" if sys.stderr.isatty() else "json"
    level = environ.get("CLASSWAVES_LOG_LEVEL", "").upper()
    return form, level if level in ("DEBUG", "INFO", "WARNING", "ERROR") else "INFO"


def make_formatter(form: str) -> logging.Formatter:
    """The formatter of ``json`` or ``text``; colours only on a terminal, and not if ``NO_COLOR`` is set."""
    if form == "json":
        return JsonFormatter()
    return TextFormatter(colours=sys.stderr.isatty() and not os.environ.get("NO_COLOR"))


def configuration(form: str, level: str) -> dict[str, Any]:
    """For :func:`logging.config.dictConfig`: everything to stderr, of other libraries only what is a warning."""
    handler = {
        "class": "logging.StreamHandler",
        "stream": "ext://sys.stderr",
        "formatter": "classwaves",
        "filters": ["trail", "bounded"],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"classwaves": {"()": make_formatter, "form": form}},
        "filters": {"trail": {"()": AddTrail}, "bounded": {"()": Bounded}},
        "handlers": {"classwaves": handler},
        "root": {"level": "WARNING", "handlers": ["classwaves"]},
        "loggers": {"classwaves": {"level": level}},
    }


def configure() -> None:
    """Take over this process's logging, as the environment says. For who runs a server, not for a library."""
    logging.config.dictConfig(configuration(*wanted()))
    logging.captureWarnings(True)
    threading.excepthook = thread_failed


def thread_failed(failed: threading.ExceptHookArgs) -> None:
    """Write down, and count, what a thread died of."""
    if failed.exc_value is not None and failed.exc_type is not SystemExit:
        told = (failed.exc_type, failed.exc_value, failed.exc_traceback)
        add(LOST, "thread")
        logger.error("a thread failed", exc_info=told)
