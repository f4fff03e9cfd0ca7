"""docs/ as a site: every page is in its navigation, links lead somewhere, API pages name what there is; it builds."""

from __future__ import annotations

import re
import subprocess
from functools import reduce
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PYTHON = ROOT / ".docs/bin/python"  # `make docs` makes it
SITE: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
BESIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "config/README.md", "profiles/README.md")  # docs/hooks.py adds them
PAGES = [path for path in sorted(DOCS.rglob("*.md")) if DOCS / "results" not in path.parents]  # there: parts of pages
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")


def pages(entries: list[Any]) -> list[str]:
    """Return the pages of a navigation."""
    found: list[str] = []
    for entry in entries:
        found += [entry] if isinstance(entry, str) else [page for part in entry.values() for page in pages(part)]
    return found


def test_every_page_is_in_the_navigation_once() -> None:
    there = [path.relative_to(DOCS).as_posix() for path in PAGES]
    assert sorted(pages(SITE["nav"])) == sorted([*there, *BESIDE])


@pytest.mark.parametrize("page", [*PAGES, *(ROOT / name for name in BESIDE), ROOT / "README.md"], ids=str)
def test_links_lead_to_files(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    missing = [target for target in LINK.findall(text) if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", sorted((DOCS / "api").glob("*.md")), ids=lambda path: path.stem)
def test_api_pages_name_what_there_is_and_has_a_docstring(page: Path) -> None:
    for name, options in re.findall(r"^::: (\S+)\n((?:    .*\n)*)", page.read_text(), re.MULTILINE):
        found = look_up(name)
        assert found.__doc__, name
        members = re.findall(r"members: \[([^]]*)\]", options)
        for member in ", ".join(members).split(", ") if members else ():
            assert getattr(found, member).__doc__, f"{name}.{member}"


def look_up(name: str) -> Any:
    """Return a module, or what is in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            return reduce(getattr, parts[count:], import_module(".".join(parts[:count])))
        except ModuleNotFoundError:
            continue
    raise AssertionError(f"no module {name}")


class Page(HTMLParser):
    """Headings, tables and links of a page of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.links += [value or "" for name, value in attrs if (tag, name) == ("a", "href")]


@pytest.mark.skipif(not PYTHON.exists(), reason="no .docs: `make docs` makes it")
def test_site_builds_without_a_warning_and_its_pages_hang_together(tmp_path: Path) -> None:
    command = [str(PYTHON), "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    built = {path: Page(path.read_text()) for path in tmp_path.rglob("*.html")}
    assert len(built) == len(pages(SITE["nav"])) + 1  # and what is not found
    for path, page in built.items():
        assert page.tags["h1"] == 1, path
        if path.name != "404.html":
            local = [link.partition("#")[0] for link in page.links if not re.match(r"[a-z]+:|#", link)]
            assert [link for link in local if link and not (path.parent / link).exists()] == [], path
    reference = (tmp_path / "api/reference.html").read_text()
    for name in ("Builder", "OnnxParser", "IExecutionContext", "build_serialized_network"):
        assert f"{name}</span>" in reference or f'.{name}"' in reference, name
    assert built[tmp_path / "index.html"].tags["table"] == 1
