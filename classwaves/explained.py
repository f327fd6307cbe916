"""Mistakes of who programs, said so that they know what to do.

Imports nothing of the package.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def nearest(name: str, names: Iterable[str]) -> str:
    """ "Did you mean …?", or nothing where no name is like this one."""
    near = difflib.get_close_matches(name, names, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def explained(**missing: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Have a function say what is wrong with its options: which one it does not know, and what one that lacks is for.

    :param missing: what is said where an option is not given.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)
        known = [name for name, one in signature.parameters.items() if one.kind is one.KEYWORD_ONLY]
        name = function.__qualname__.split(".")[-2 if function.__name__ == "__init__" else -1]

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            for option in kwargs:
                if option not in signature.parameters:
                    options = ", ".join(known)
                    near = nearest(option, known)
                    raise TypeError(f"{name}() has no option {option}.{near} Its options are {options}.")
            for option, sentence in missing.items():
                if option not in kwargs:
                    raise TypeError(f"{name}({_first(args[1:])}…) lacks {option}: {sentence}")
            return function(*args, **kwargs)

        return call

    return decorate


def _first(args: tuple[Any, ...]) -> str:
    return f"{args[0]!r}, " if args and isinstance(args[0], str) else ""


def check_takes(function: Any, what: str, *parameters: str) -> None:
    """Refuse what cannot be called with these arguments, or would give back something that has to be awaited.

    :raises TypeError: with a sentence that names what it is for.
    """
    name = getattr(function, "__name__", repr(function))
    example = f"def {name if name.isidentifier() else 'it'}({', '.join(parameters)})"
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"{what} is a function: {example}")
    plain = function
    while isinstance(plain, functools.partial | staticmethod):
        plain = plain.func if isinstance(plain, functools.partial) else plain.__func__
    called = plain if inspect.isroutine(plain) else type(plain).__call__
    if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
        raise TypeError(f"{what} cannot be async: handlers run in greenlets, which wait by themselves. Write {example}")
    if inspect.isgeneratorfunction(called):
        raise TypeError(f"{what} cannot be a generator: return what goes into the ack. Write {example}")
    try:
        signature = inspect.signature(function)
    except ValueError:  # of something built in, which does not tell
        return
    try:
        signature.bind(*parameters)
    except TypeError:
        raise TypeError(f"{what} takes {' and '.join(parameters)}: write {example}") from None


def check_callable(given: Any, option: str, what: str) -> None:
    """:raises TypeError: something is given that is no function."""
    if given is not None and not callable(given):
        raise TypeError(f"{option}={given!r} cannot be called; give {what}")


def is_timeout(error: BaseException) -> bool:
    """Whether it is what ``with gevent.Timeout(2):`` raises, which is no :exc:`Exception`."""
    gevent = sys.modules.get("gevent")
    return gevent is not None and isinstance(error, gevent.Timeout)
