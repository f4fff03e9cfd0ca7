"""What documents tell a reader to do: files to save, commands to run, and what these print."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ANY = "…"  # in what a command prints: anything


class Commands(NamedTuple):
    """The lines of a block, and what they print together; None where the document does not say."""

    lines: list[str]
    printed: str | None


def files_of(text: str) -> dict[str, str]:
    """Return the files of a document by name: blocks of Python and YAML that begin with `# NAME`."""
    blocks = [content for kind, content in BLOCK.findall(text) if kind in ("python", "yaml")]
    return {content.split("\n", 1)[0][2:]: content for content in blocks if content.startswith("# ")}


def commands_of(text: str) -> list[Commands]:
    """Return the blocks of commands of a document, each with the block of text behind it, if one follows."""
    blocks = BLOCK.findall(text)
    return [
        Commands(content.splitlines(), after[1] if after is not None and after[0] == "text" else None)
        for (kind, content), after in zip(blocks, [*blocks[1:], None], strict=True)
        if kind == "sh"
    ]


def agrees(printed: str, documented: str) -> bool:
    """Return whether a command prints what a document says, blanks at ends of lines aside."""
    pattern = ".*".join(map(re.escape, documented.strip().split(ANY)))
    text = "\n".join(line.rstrip() for line in printed.strip().splitlines())
    return re.fullmatch(pattern, text, re.DOTALL) is not None


def main(page: Path) -> None:
    """Save the files of a page in this folder, and print its commands: `python documents.py PAGE | bash -e`."""
    text = page.read_text(encoding="utf-8")
    for name, content in files_of(text).items():
        Path(name).write_text(content, encoding="utf-8")
    print("\n".join(line for block in commands_of(text) for line in block.lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
