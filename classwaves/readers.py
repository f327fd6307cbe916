"""What a setting is, and what its value may be: each function reads one kind and says what is wrong with it.

Beside them, what is said of names and keys that cannot be meant. Imports the parsers of Redis URLs and of origins.
Readers raise :exc:`ValueError` with the rest of a sentence; it begins with the name.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Callable
from typing import Any

from .redis_url import parse_redis_url
from .web_origin import parse_origin


class SettingsError(RuntimeError):
    """The settings do not allow a start; the message says which and how to mend them.

    :param problems: a sentence for each.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        several = f"{len(problems)} settings are wrong:\n" + "\n".join(f"- {problem}" for problem in problems)
        super().__init__(several if len(problems) > 1 else problems[0])


def unknown(name: str, known: list[str], prefix: str) -> str:
    """What to say of a name that is no setting."""
    # without the prefix, which not all names have and which would make all others look alike
    bare = {other.removeprefix(prefix): other for other in known}
    near = difflib.get_close_matches(name.removeprefix(prefix), bare, n=1, cutoff=0.0)
    return f"{name} is not a setting of ClassWaves. Did you mean {bare[near[0]]}?"


def short_key(name: str, key: str, least: int) -> str:
    """What to say of a key that is missing or too short."""
    return (
        f"{name} {'is too short' if key else 'is not set'}: give at least {least} random bytes, for example from "
        "`python -c 'import secrets; print(secrets.token_urlsafe(48))'`, or set CLASSWAVES_DEMO=1 to try."
    )


def setting(name: str, default: Any, read: Callable[[Any], Any], meaning: str) -> Any:
    """A field of the settings: its name outside, its default, what reads it, and what it means."""
    return dataclasses.field(default=default, metadata={"name": name, "read": read, "meaning": meaning})


def flag(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"", "0", "false", "no", "off"}:
        return False
    raise ValueError("is a switch: give 1 or 0")


def words(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    return tuple(word.strip().rstrip("/") for word in value if word.strip())


def origins(value: Any) -> tuple[str, ...]:
    """Origins of pages, in the form in which browsers send them; ``*`` alone: all of them."""
    found = words(value)
    for origin in found:
        if origin == "*" and len(found) > 1:
            raise ValueError("has * beside other origins: * is all of them, so give it alone or, better, leave it out")
        if origin.lower() == "null":
            raise ValueError("must not have null, which any page in a sandbox sends; demo mode allows it")
    try:
        return tuple(origin if origin == "*" else str(parse_origin(origin)) for origin in found)
    except ValueError as error:
        raise ValueError(
            f"is a list of origins such as https://school.example,https://*.school.example:8443, without paths; {error}"
        ) from None


def number(kind: Callable[[Any], Any], value: Any) -> Any:
    try:
        found = kind(value)
        if math.isfinite(found):
            return found
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError("must be a whole number" if kind is int else "must be a number")


def positive(kind: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        found = number(kind, value)
        if found <= 0:
            raise ValueError("must be above 0")
        return found

    return read


def count(value: Any) -> int:
    found: int = number(int, value)
    if found < 0:
        raise ValueError("must not be negative")
    return found


def duration(value: Any) -> float:
    found: float = number(float, value)
    if found < 0:
        raise ValueError("must not be negative")
    return found


def one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError("must be one of " + ", ".join(words))
        return str(value)

    return read


def namespace(value: Any) -> str:
    name = str(value)
    if not re.fullmatch(r"/[A-Za-z0-9_/-]*", name) or name == "/monitor":
        raise ValueError("is a namespace such as / or /classroom, and not /monitor, which is the monitor's")
    return name


def starting_with(*starts: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not str(value).startswith(starts):
            raise ValueError("must start with " + " or ".join(starts))
        return str(value)

    return read


def redis_url(value: Any) -> str:
    parse_redis_url(str(value))
    return str(value)


def archive_url(value: Any) -> str:
    """``none``, or a URL of SQLAlchemy's; ``postgres://``, as a PaaS gives it, is understood as psycopg."""
    text = str(value)
    scheme, _, rest = text.partition("://")
    if text != "none" and scheme not in ("sqlite", "postgres", "postgresql", "postgresql+psycopg"):
        raise ValueError("must be none or start with sqlite:/// or postgresql://")
    if scheme == "sqlite" and (
        len(rest.partition("?")[0]) < 2 or "memory" in rest.partition("?")[2] or ":memory:" in rest
    ):
        raise ValueError("must name a file: in memory every connection has a database of its own")
    return f"postgresql+psycopg://{rest}" if scheme.startswith("postgres") else text


def message_length(value: Any) -> int:
    number: int = positive(int)(value)
    if number > 1_000_000:
        raise ValueError("must not be above 1000000, the transport's hard cap")
    return number


def rate(value: Any) -> str:
    # imported here: the limits package is needed for nothing else in this module
    from limits import parse_many

    try:
        parse_many(str(value))
    except ValueError:
        raise ValueError("is a rate such as 10/minute or 5/second;100/minute") from None
    return str(value)


def event_rates(value: Any) -> tuple[tuple[str, str], ...]:
    """Names of events and their rates. Whether there are such events is for the pipeline to say."""
    pairs = value.items() if isinstance(value, dict) else (word.partition("=")[::2] for word in words(value))
    found = tuple((str(name).strip(), str(rates).strip()) for name, rates in pairs)
    for name, rates in found:
        try:
            rate(rates)
        except ValueError:
            raise ValueError("is a list such as addReaction=10/second,raiseHand=5/second;60/minute") from None
        if not name:
            raise ValueError("names no event: give addReaction=10/second")
    return found


def rate_items(text: str) -> list[tuple[int, int]]:
    """What a rate means: how many in how many seconds."""
    from limits import parse_many

    return [(item.amount, item.get_expiry()) for item in parse_many(text)]


def file_place(value: Any) -> str:
    text = str(value)
    if text.startswith("s3://") and not text.removeprefix("s3://").partition("/")[0]:
        raise ValueError("names no bucket: give s3://BUCKET or s3://BUCKET/PREFIX")
    return text


def mime_patterns(value: Any) -> tuple[str, ...]:
    patterns = tuple(word.lower() for word in words(value))
    for pattern in patterns:
        if not re.fullmatch(r"[a-z0-9.+*-]+/[a-z0-9.+*-]+", pattern):
            raise ValueError("is a list of MIME types such as image/*,application/pdf")
    return patterns
