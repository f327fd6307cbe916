"""Every code block of the README, the docs and the READMEs beside clients and examples is run, or says why not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.blocks import Block, blocks, pages
from tests.support.docs_page import PageRun, expect
from tests.support.docs_stage import Stage, plain
from tests.support.gunicorn_server import ROOT

PAGES = {page.relative_to(ROOT).as_posix(): blocks(page) for page in pages()}
UNRUN = [block for found in PAGES.values() for block in found if block.way == "no"]
MOST_UNRUN = 15


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("docs"))
    with stage.stack:
        yield stage


@pytest.mark.parametrize("page", [name for name, found in PAGES.items() if found])
def test_the_blocks_of(page: str, stage: Stage) -> None:
    PageRun(stage, page, PAGES[page]).run()


def test_few_blocks_are_not_run_and_each_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    """Pictures and formulas in plain text are no code: they say so, and are not counted."""
    code = [block for block in UNRUN if block.language != "text"]
    with capsys.disabled():
        total = sum(len(found) for found in PAGES.values())
        print(f"\n{len(code)} of {total} blocks of the docs are not run:")
        for block in code:
            print(f"  {block.place}: {block.reason}")
    assert len(code) <= MOST_UNRUN


def test_what_lies_beside_a_page_has_one() -> None:
    names = {plain(name) for name in PAGES}
    beside = {path.name.split(".")[0] for path in (ROOT / "tests" / "docs").iterdir() if path.is_file()}
    assert beside - names == {"shop", "room"}


def test_blocks_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fenced, in a list, marked, indented; what only continues an item of a list is none."""
    monkeypatch.setattr("tests.support.blocks.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "```python\na = 1\n```\n\n- an item\n\n  ```sh\n  ls\n  ```\n\n    goes on\n\nText\n\n    code\n\n    more\n\n"
        "<!-- run: no, there is no such thing -->\n```console\n$ heroku\n```\n<!--\n\n    hidden\n-->\n"
    )
    assert blocks(page) == [
        Block("page.md", 2, "python", "a = 1\n"),
        Block("page.md", 8, "sh", "ls\n"),
        Block("page.md", 15, "", "code\n\nmore\n"),
        Block("page.md", 21, "console", "$ heroku\n", "no", "there is no such thing"),
    ]


def test_output_is_compared() -> None:
    expect("seq …\n…\nend\n", "seq 5\na\nb\nend\n")
    with pytest.raises(AssertionError, match="the page says"):
        expect("seq 5\n", "seq 6\n")
