"""List the samples of NVIDIA's guide: name, chapter, title, and in the workflow's folder how each stands.

examples:
  trtflow list
  trtflow list --folder ~/trtflow    the workflow's folder is elsewhere
  trtflow list --json
  trtflow list --times               seconds of each rule, from benchmarks/ and logs/: start of the process and work

Samples are made in the workflow's folder, a checkout of the project: snakemake results/mnist_report.json
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import trtflow
from trtflow.cli import columns, json_text
from trtflow.commands.times import print_times
from trtflow.formats import UserError

# how the docstring of each module of trtflow.samples begins
CHAPTER = re.compile(r'"""\s*(?P<title>.+): guide chapter (?P<chapter>\d+)\b')
HEADING = ("sample", "chapter", "status", "title")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--folder", type=Path, help="the workflow's folder; default: this one, if it is the workflow's")
    parser.add_argument("--times", action="store_true", help="list rules instead, and how long their jobs took")
    parser.add_argument("--json", action="store_true", help="print JSON")


def main(options: argparse.Namespace) -> None:
    """Print a line a sample, in the guide's order.

    Raises:
        UserError: the folder that was named is not the workflow's, or times are asked for where nothing was made.
    """
    folder = options.folder or Path()
    at_hand = (folder / "config/samples").is_dir() and (folder / "Snakefile").is_file()
    if options.folder is not None and not at_hand:
        raise UserError(f"{folder}: not the workflow's folder, it has no Snakefile. Name a checkout of the project.")
    if options.times:
        print_times(folder, options.json)
        return
    found = samples()
    for sample in found:
        sample["status"] = _status(folder / "results" / f"{sample['name']}_report.json") if at_hand else None
    if options.json:
        print(json_text(found))
        return
    heading = [name for name in HEADING if at_hand or name != "status"]
    keys = ["name", *heading[1:]]
    print(columns(heading, [[str(sample[key]) for key in keys] for sample in found]))
    if not at_hand:
        print("\nSamples are made in a checkout of the workflow: snakemake results/<sample>_report.json")


def samples() -> list[dict[str, Any]]:
    """Return name, chapter and title of each sample, in the guide's order, as its module's docstring has them."""
    folder, found = Path(trtflow.__file__).parent / "samples", []
    for path in (*folder.glob("*.py"), *folder.glob("*/__init__.py")):
        said = CHAPTER.match(path.read_text(encoding="utf-8"))
        if said is not None:
            name = path.parent.name if path.stem == "__init__" else path.stem
            found.append({"name": name, "chapter": int(said["chapter"]), "title": said["title"]})
    return sorted(found, key=lambda sample: sample["chapter"])


def _status(report: Path) -> str:
    """Return how a sample stands, by its report."""
    if not report.exists():
        return "not run"
    from trtflow.reporting.terminal import status_of  # noqa: PLC0415 - needs what the workflow needs

    return status_of(report)
