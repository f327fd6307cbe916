"""Runs a page of the docs from the top to the bottom: each block as a reader would, in the order of the page."""

import re
import subprocess
import sys
from pathlib import Path

from classwaves import FEATURES
from classwaves.asyncapi import described
from classwaves.typescript import typescript
from tests.support.blocks import WAYS, Block
from tests.support.browser import Window, started_chromium
from tests.support.contract import compiled
from tests.support.docs_stage import PageFolder, Stage
from tests.support.formats import FORMATS
from tests.support.gunicorn_server import ROOT
from tests.support.page_shell import commands, serves
from tests.support.tools import node

SHELL = ("console", "bash", "sh", "shell")
PYTHON = ("python", "py", "pycon")
SCRIPT = ("js", "javascript", "mjs")
HERE = "// the page"
"""The line of ``tests/docs/PAGE.mjs`` in whose place the page's JavaScript is put."""


class PageRun:
    """One page, its blocks and what they have written."""

    def __init__(self, stage: Stage, page: str, found: list[Block]) -> None:
        self.at = PageFolder(stage, page)
        self._blocks = found
        self._written = ""
        self._tests = False
        self._python = False

    def run(self) -> None:
        """Run all of it.

        :raises AssertionError: at the first block that is wrong, with its place
        """
        try:
            for block in self._blocks:
                try:
                    self._run(block)
                except AssertionError as error:
                    raise AssertionError(f"{block.place}: {error}") from None
            if self._python:
                self.at.python("check")
            if self._tests:
                self._pytest()
            self._scripts([block for block in self._blocks if block.language in SCRIPT and not block.file])
            self._types([block for block in self._blocks if block.language in ("ts", "typescript") and not block.way])
        finally:
            self.at.close()

    def _run(self, block: Block) -> None:
        assert block.way in ("", *WAYS), f"no such mark: {block.way}"
        if block.way == "no":
            assert block.reason, "a block that is not run has a reason"
            self._look(block)
        elif block.way == "output":
            expect(block.text, self._written)
        elif block.file:
            self._file(block)
        elif block.language in SHELL:
            for command, output in commands(block.text):
                self.at.serves = self.at.serves or serves(command) == "web"
                self._written = self.at.shell.run(self.at.ours(command))
                if output:
                    expect(self.at.ours(output), self._written)
        elif block.language in PYTHON:
            self._python = True
            text = self.at.ours(block.text)
            self._written = self.at.python("run", text=text, place=block.place, apart=block.way == "apart")
        elif block.language == "html":
            self._html(block, self.at.folder / "page.html")
        elif block.language == "lua":
            with self.at.stage.redis.client() as redis:
                redis.script_load(block.text)
        elif block.language not in (*SCRIPT, "ts", "typescript"):
            self._look(block)

    def _look(self, block: Block) -> None:
        """Read it as its language, without running it."""
        match block.language:
            case "text" if block.way == "no":
                return
            case language if language in SHELL:
                for command, _ in commands(block.text):
                    done = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True)
                    assert done.returncode == 0, done.stderr
            case language if language in PYTHON:
                compile(block.text, block.page, "exec")
            case language if language in SCRIPT:
                self._node("--check", self._write("look.mjs", block.text))
            case language if language in FORMATS:
                try:
                    FORMATS[language](block.text, self.at.folder)
                except Exception as error:
                    raise AssertionError(f"this is no {language}: {error}") from error
            case language:
                raise AssertionError(
                    f"how is a block of {language!r} run? See docs/contributing.md; an indented block needs a fence "
                    "that says what it is in"
                )

    def _file(self, block: Block) -> None:
        path = self.at.write(block)
        if path.suffix == ".py":
            if path.name.startswith("test_") or path.name == "conftest.py":
                self._tests = True
            elif path.stem.isidentifier():
                self._python = True
                self.at.python("load", module=".".join(path.relative_to(self.at.folder).with_suffix("").parts))
            else:
                compile(block.text, block.place, "exec")
        elif block.language in SCRIPT:
            self._node("--check", self._write("look.mjs", block.text))  # a module, whatever its name ends with
        elif block.language == "html":
            self._html(block, path)
        elif block.language not in ("ts", "typescript"):
            self._look(block)

    def _pytest(self) -> None:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "classwaves.testing.plugin", "-p", "no:cacheprovider"]
        options = ["-W", "error", "--strict-markers", "--rootdir", str(self.at.folder), *self._test_files()]
        env = self.at.env | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        env = {name: value for name, value in env.items() if name not in ("CLASSWAVES_DEMO", "REDIS_URL")}
        done = subprocess.run(
            [*command, *options], cwd=self.at.folder, env=env, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"\d+ passed", done.stdout)

    def _test_files(self) -> list[str]:
        return sorted(path.name for path in self.at.folder.glob("test_*.py"))

    def _scripts(self, found: list[Block]) -> None:
        """Run the JavaScript of a page as one module, and what is marked ``apart`` by itself."""
        for together in [[block for block in found if not block.way], *[[one] for one in found if one.way == "apart"]]:
            if not together:
                continue
            beside = self.at.beside(".mjs")
            frame = beside.read_text() if beside.exists() else f"{HERE}\n"
            assert f"{HERE}\n" in frame, f"{beside} has no line {HERE!r}"
            text = "\n".join(f"// {block.place}\n{block.text}" for block in together)
            program = frame.replace(f"{HERE}\n", text) + "\nprocess.exit(0);\n"
            self._node(self._write("page.mjs", self.at.ours(program)))

    def _types(self, found: list[Block]) -> None:
        if found:
            self._write("classwaves.ts", typescript(described(FEATURES)))
            given = self.at.beside(".d.ts")
            frame = given.read_text() if given.exists() else ""
            files = [self._write("page.ts", "\n".join(block.text for block in found) + "\nexport {};\n")]
            files += [self._write("given.d.ts", frame)]
            assert not (said := compiled(self.at.folder, *(file.name for file in files))), said

    def _html(self, block: Block, path: Path) -> None:
        """Open it in a browser, as a page of the server, and see that nothing on it goes wrong."""
        path.write_text(self.at.ours(block.text))
        url = f"http://127.0.0.1:{self.at.ours('8000')}"
        with started_chromium() as browser:
            window = Window(browser, f"{url}/healthz")
            window.page.route(f"{url}/{path.name}", lambda route: route.fulfill(path=path))
            window.page.goto(f"{url}/{path.name}", wait_until="networkidle")
            assert not window.faults, window.faults

    def _write(self, name: str, text: str) -> Path:
        path = self.at.folder / name
        path.write_text(text)
        return path

    def _node(self, *arguments: str | Path) -> None:
        command = [node(), *map(str, arguments)]
        env = {**self.at.env, "CLASSWAVES_URL": f"http://127.0.0.1:{self.at.ours('8000')}", "CHECKOUT": str(ROOT)}
        done = subprocess.run(command, cwd=self.at.folder, env=env, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr
        self._written = done.stdout


def expect(told: str, written: str) -> None:
    """Compare what a page says that comes with what came; ``…`` stands for anything on its line, alone for lines.

    :raises AssertionError: when they differ
    """
    pattern = r"\n".join(_pattern(line.rstrip()) for line in told.strip().splitlines())
    came = "\n".join(line.rstrip() for line in written.strip().splitlines())
    assert re.fullmatch(pattern, came), f"the page says\n{told}\nwhat came is\n{written}"


def _pattern(line: str) -> str:
    if line.strip() in ("…", "..."):
        return r"(?:.*\n?)*?"
    return ".*".join(map(re.escape, re.split(r"…|\.\.\.", line)))
