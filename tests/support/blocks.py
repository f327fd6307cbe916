"""The code blocks of the Markdown pages: where they are, what they are in, and what their writer says of them.

How a writer marks a block is told in ``docs/contributing.md``.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.gunicorn_server import ROOT

FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*([\w+-]*)[^`]*$")
ITEM = re.compile(r"^\s*([-*+]|\d+[.)])\s")
MARK = re.compile(r"^\s*<!-- run: (\w+)(?:, (.+))? -->$")
NAMED = re.compile(r"^(?:#|//|--|;|<!--) ([\w./-]+\.\w+|Caddyfile|Dockerfile|Procfile)(?: -->)?\n")

WAYS = ("no", "apart", "output")
"""What a mark may say: is not run, and why; is run by itself; is what the block before it writes."""


@dataclass(frozen=True)
class Block:
    """One block of a page."""

    page: str
    """The path of the page in the repository."""
    line: int
    """Of its first line of code."""
    language: str
    """Empty for a block that is indented or names none."""
    text: str
    way: str = ""
    """One of :data:`WAYS`, if its mark says so."""
    reason: str = ""

    @property
    def place(self) -> str:
        """Where it is, for a failure."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str:
        """The name of the file that it is, if its first line is a comment with nothing but that."""
        found = NAMED.match(self.text)
        return found[1] if found else ""


def pages() -> list[Path]:
    """Return every page that people read: the README and its like, the docs, those of clients and examples."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    for folder in ("clients", "examples", "deploy"):
        found += [page for page in (ROOT / folder).rglob("*.md") if "node_modules" not in page.parts]
    return sorted(found)


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    return _Reader(page.relative_to(ROOT).as_posix(), page.read_text().splitlines()).read()


class _Reader:
    def __init__(self, page: str, lines: list[str]) -> None:
        self._page = page
        self._lines = lines
        self._found: list[Block] = []
        self._mark: re.Match[str] | None = None

    def read(self) -> list[Block]:
        """Go through the lines; a mark holds for the block that follows it, with empty lines between or none."""
        at, in_list, in_comment, after_empty = 0, False, False, True
        while at < len(self._lines):
            line = self._lines[at]
            if in_comment:
                in_comment = "-->" not in line
            elif opened := FENCE.match(line):
                at = self._fenced(at, opened)
            elif not line.strip():
                after_empty = True
                at += 1
                continue
            elif after_empty and _is_code(line, in_list):
                at = self._indented(at)
            else:
                in_list = bool(ITEM.match(line)) or (in_list and (line.startswith(" ") or not after_empty))
                in_comment = line.lstrip().startswith("<!--") and "-->" not in line
                self._mark = MARK.match(line)
            after_empty = False
            at += 1
        return self._found

    def _fenced(self, at: int, opened: re.Match[str]) -> int:
        indent, fence, language = opened.groups()
        end = at + 1
        while end < len(self._lines) and not re.fullmatch(rf"\s*{fence[0]}{{{len(fence)},}}\s*", self._lines[end]):
            end += 1
        assert end < len(self._lines), f"{self._page}:{at + 1} is not closed"
        self._add(at + 2, language.lower(), [line.removeprefix(indent) for line in self._lines[at + 1 : end]])
        return end

    def _indented(self, at: int) -> int:
        end = at
        while end < len(self._lines) and (self._lines[end].startswith("    ") or not self._lines[end].strip()):
            end += 1
        self._add(at + 1, "", [line[4:] for line in self._lines[at:end]])
        return end - 1

    def _add(self, line: int, language: str, lines: list[str]) -> None:
        way, reason = self._mark.groups(default="") if self._mark else ("", "")
        self._mark = None
        self._found.append(Block(self._page, line, language, "\n".join(lines).rstrip() + "\n", way, reason))


def _is_code(line: str, in_list: bool) -> bool:
    return line.startswith(" " * (8 if in_list else 4))
