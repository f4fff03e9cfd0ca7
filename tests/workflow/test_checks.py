"""`make lint` and the hooks before a commit run the same."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def test_hooks_run_what_make_lint_runs():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    commands = [line.split()[:2] for line in recipe[1].splitlines()]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    entries = [hook["entry"].removeprefix(".venv/bin/").split()[:2] for hook in hooks]
    assert entries == commands


def test_tools_of_the_hooks_are_pinned():
    pinned = (ROOT / "requirements-dev.txt").read_text() + (ROOT / "requirements.txt").read_text()
    for tool in ("ruff", "snakefmt", "mypy", r"snakemake\[reports\]"):
        assert re.search(rf"^{tool}==\d", pinned, re.MULTILINE), tool
