"""What MkDocs is told besides mkdocs.yml: documents that lie beside docs/ are pages of the site too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
# where documents of the project lie that are no pages in docs/, and which files of the project pages link to
PAGES = ("CONTRIBUTING.md", "CHANGELOG.md", "config/README.md", "profiles/README.md")
LINKED = ("config/schema/own.schema.json",)
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")


def on_files(files: Any, config: Any) -> Any:
    """Add them to the pages."""
    for name in (*PAGES, *LINKED):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links between docs/ and the project's other folders lead to where the site has them."""
    name = page.file.src_uri
    folder = ROOT / name if name in PAGES else ROOT / "docs" / name

    def lead(match: re.Match[str]) -> str:
        target = (folder.parent / match[1]).resolve()
        if not target.is_relative_to(ROOT):
            return match[0]
        found = target.relative_to(ROOT).as_posix()
        if found.startswith("docs/"):
            found = found.removeprefix("docs/")
        elif found == "README.md":
            found = "index.md"
        return f"]({'../' * name.count('/')}{found}"

    return LINK.sub(lead, markdown)
