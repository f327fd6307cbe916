"""The site of the docs is built without a warning, and loads nothing from elsewhere."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest

from scripts.docs_site import on_page_content
from tests.support.gunicorn_server import ROOT
from tests.support.processes import minimal_environ


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it as "make docs" does: a dead link, a dead anchor or a page outside of nav is a warning, and fails.

    Not with ``--quiet``: it would silence the warnings that ``--strict`` counts.
    """
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    env = minimal_environ() | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_there_and_found(site: Path) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} | {"index", "threat-model", "changes"}
    assert pages <= {path.stem for path in site.glob("*.html")}
    found = json.loads((site / "search" / "search_index.json").read_text())["docs"]
    assert pages <= {entry["location"].split(".html")[0] for entry in found}


def test_each_page_is_once_where_readers_look_for_it() -> None:
    """In the site's navigation, and in the README's table."""
    nav, readme = ((ROOT / name).read_text() for name in ("mkdocs.yml", "README.md"))
    pages = [path.name for path in (ROOT / "docs").glob("*.md")]
    assert [page for page in pages if len(re.findall(rf" {re.escape(page)}$", nav, re.MULTILINE)) != 1] == []
    assert [page for page in pages if f"](docs/{page})" not in readme] == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.glob("*.html"):
        text = page.read_text()
        loaded = re.findall(r"<(?:script|img|source|iframe)\b[^>]*?\b(?:src|srcset)=\"?([^\s\">]+)", text)
        loaded += re.findall(r"<link\b[^>]*?\bhref=\"?([^\s\">]+)", text)
        assert not [address for address in loaded if address.startswith(("http", "//"))], page


def test_each_address_on_the_site_leads_to_a_file_of_it(site: Path) -> None:
    """Also in HTML within a page, which MkDocs does not look into."""
    dead = set()
    for page in set(site.rglob("*.html")) - {site / "404.html"}:  # which does not know where it will be shown
        for address in re.findall(r"\s(?:href|src)=[\"']?([^\s\"'>]+)", page.read_text()):
            path = unquote(re.split(r"[?#]", address)[0])
            if path and not re.match(r"[a-z]+:", path) and not (page.parent / path).exists():
                dead.add(f"{page.name}: {address}")
    assert dead == set()


@pytest.mark.parametrize("text", ["<code>a</code> list:\n- one", "A [link][nowhere]."])
def test_what_the_site_would_show_as_text_is_told(text: str, caplog: pytest.LogCaptureFixture) -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri="page.md"))
    on_page_content(f"<p>{text}</p>", page)  # type: ignore[arg-type]
    assert "page.md: a li" in caplog.text


def test_what_is_outside_of_docs_is_linked(site: Path) -> None:
    """The README's links, which begin with ``docs/`` there, and those of pages to files of the repository."""
    assert 'href="configuration.html"' in (site / "index.html").read_text()
    assert 'src="images/' in (site / "index.html").read_text()
    assert 'href="threat-model.html"' in (site / "security.html").read_text()
    assert 'href="source/examples/monitoring/alerts.yml.txt"' in (site / "monitoring.html").read_text()
    assert (site / "source" / "examples" / "monitoring" / "alerts.yml.txt").exists()


def test_the_pictures_are_as_they_are_drawn() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/docs_diagrams.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr
