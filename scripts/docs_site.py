"""A hook of MkDocs: brings what lies outside of docs/ into the site, so that a link works there and in the repository.

The README is its first page; SECURITY.md and CHANGES.md are pages. What else a page links to in the repository is put
under ``source/``: pages as pages, everything else as plain text. A link to what is not there is left, and MkDocs warns.
"""

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
DOCS = "docs/"
OUTSIDE = {"README.md": "README.md", "SECURITY.md": "threat-model.md", "CHANGES.md": "changes.md"}
"""Pages of the repository's root, and what they are called in docs/ as far as MkDocs knows."""

LINK = re.compile(r"""(\]\(|(?:href|src|srcset)=")([^)\s"#:]+)(?=[)#"\s])""")
LIST_IN_TEXT = re.compile(r"<p>(?:(?!</p>).)*?\n((?:- |\d+\. ).*)", re.DOTALL)
CODE = re.compile(r"<(pre|code)\b.*?</\1>", re.DOTALL)
LINK_IN_TEXT = re.compile(r"\S*\](?:\[|\()\S*")

log = logging.getLogger("mkdocs.hooks.docs_site")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root, and all that pages link to, directly or over others."""
    waiting = [*OUTSIDE, *(DOCS + file.src_uri for file in files.documentation_pages())]
    seen = set(waiting)
    for path in waiting:
        if not path.startswith(DOCS):
            content = (ROOT / path).read_text(errors="replace")
            files.append(File.generated(config, _in_site(path), content=content))
        if not path.endswith(".md"):
            continue
        for target in LINK.findall((ROOT / path).read_text()):
            linked = posixpath.normpath(posixpath.join(posixpath.dirname(path), target[1]))
            if linked not in seen and not linked.startswith((DOCS, "..")) and (ROOT / linked).is_file():
                seen.add(linked)
                waiting.append(linked)
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Point links out of docs/, and those of pages from there, to where the site has them."""
    here = _in_repository(page.file.src_uri)

    def moved(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), link[2]))
        if path.startswith("..") or not (ROOT / path).is_file():
            return link[0]
        return link[1] + posixpath.relpath(_in_site(path), posixpath.dirname(page.file.src_uri) or ".")

    return LINK.sub(moved, markdown)


def on_page_content(html: str, page: Page, **_: Any) -> None:
    """Warn of what the site shows as text: a list without an empty line before it, and a link to nothing."""
    html = CODE.sub("", html)
    for found in LIST_IN_TEXT.findall(html):
        log.warning("%s: a list without an empty line before it: %s", page.file.src_uri, found.partition("\n")[0])
    for found in LINK_IN_TEXT.findall(html):
        log.warning("%s: a link that is none: %s", page.file.src_uri, found)


def _in_site(path: str) -> str:
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    return OUTSIDE.get(path) or f"source/{path}" + ("" if path.endswith(".md") else ".txt")


def _in_repository(src_uri: str) -> str:
    for path, name in OUTSIDE.items():
        if name == src_uri:
            return path
    if src_uri.startswith("source/"):
        return src_uri.removeprefix("source/")
    return DOCS + src_uri
