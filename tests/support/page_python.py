"""Runs the Python blocks of one page, in one namespace, in this process: a JSON line of orders, a JSON line of answer.

The names of ``given()`` in ``tests/docs/PAGE.py`` are there from the start; its functions ``check_…(page)`` are called
at the end with the namespace, to look whether what the page has defined does what the page says.
"""

import ast
import asyncio
import contextlib
import importlib
import importlib.util
import inspect
import io
import json
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any


class Page:
    """What one page has defined so far."""

    def __init__(self, beside: str) -> None:
        self.names: dict[str, Any] = {"__name__": "page"}
        self._beside = _load(beside) if beside else None
        if self._beside and hasattr(self._beside, "given"):
            self.names |= self._beside.given()
        self._loop = asyncio.Runner()

    def run(self, text: str, place: str, apart: bool = False) -> None:
        """Run a block; ``await`` may stand outside of functions, as in a notebook."""
        page, _, line = place.rpartition(":")
        names = dict(self.names) if apart else self.names
        # empty lines before it: a traceback names the line of the page
        source = "\n" * (int(line) - 1) + text
        code = compile(source, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        result = eval(code, names)
        if inspect.iscoroutine(result):
            self._loop.run(result)

    def check(self) -> None:
        """Look at what there is now."""
        for name, look in vars(self._beside).items() if self._beside else ():
            if name.startswith("check_"):
                look(self.names)

    def do(self, order: dict[str, Any]) -> None:
        """Do what one line asks for."""
        match order.pop("do"):
            case "run":
                self.run(**order)
            case "load":
                importlib.import_module(order["module"])
            case "check":
                self.check()


def _load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"beside_{Path(path).stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Answer each line with what the code has written and what went wrong, if anything."""
    answers = sys.stdout
    page = None
    for line in sys.stdin:
        written, wrong = io.StringIO(), ""
        with contextlib.redirect_stdout(written):
            try:
                page = page or Page(sys.argv[1])
                page.do(json.loads(line))
            except (Exception, SystemExit):
                wrong = traceback.format_exc()
        print(json.dumps({"output": written.getvalue(), "error": wrong}), file=answers, flush=True)


if __name__ == "__main__":
    main()
