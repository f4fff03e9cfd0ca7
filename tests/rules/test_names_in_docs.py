"""Rules that documents and profiles name are rules."""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = [path for path in sorted((ROOT / "docs").glob("*.md")) if "| rule |" in path.read_text()]
OMITTED = re.compile(r"--omit-from ((?:\w+ ?)+)")


@pytest.fixture(scope="module")
def rules() -> set[str]:
    """The names of all rules, with either data."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--list-rules", "--config"]
    listed = [
        subprocess.run([*command, f"data={data}"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for data in ("mini", "full")
    ]
    return {name for text in listed for name in text.split()}


def named(page: Path) -> list[str]:
    """Return what stands in backticks in the columns `rule` of the tables of a page; `*` is any part of a name."""
    found: list[str] = []
    column = None
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if "rule" in cells:
            column = cells.index("rule")
        elif not cells:
            column = None
        elif column is not None:
            found += re.findall(r"`([a-z0-9_*]+)`", cells[column])
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_rules_of_tables(page: Path, rules: set[str]) -> None:
    names = named(page)
    assert names
    assert [name for name in names if not any(fnmatchcase(rule, name) for rule in rules)] == []


def test_rules_that_are_omitted(rules: set[str]) -> None:
    names = OMITTED.findall((ROOT / "docs/tensorrt.md").read_text())[0].split()
    assert names
    assert set(names) <= rules


def test_rules_of_groups(rules: set[str]) -> None:
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    assert profile["groups"]
    assert set(profile["groups"]) <= rules
