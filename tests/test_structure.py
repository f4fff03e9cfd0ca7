"""Where things are: imports point one way, no rule names a sample, files are of a size that one can read."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from pathlib import Path

import pytest

from trtflow.workflow.digest import IMPORT

ROOT = Path(__file__).resolve().parents[1]
BELOW = {  # what each part of trtflow may import of the others; modules beside them, such as cli, every part may
    "formats": set(),
    "workflow": set(),
    "reference": {"formats"},
    "metrics": {"formats"},
    "datasets": {"formats", "metrics"},
    "decoders": {"formats", "runtime"},
    "graphsurgeon": {"formats"},
    "nvidia": {"formats", "reference", "runtime"},
    "converters": {"formats", "graphsurgeon", "nvidia", "reference", "runtime"},
    "runtime": {"formats", "reference"},
    "calibration": {"formats", "runtime", "reference"},
    "reporting": {"formats", "metrics", "datasets", "runtime"},
    "inspection": {"formats", "reference", "converters", "calibration"},
    "migration": {"formats", "reference", "converters", "runtime", "graphsurgeon", "reporting"},
}
SIZE = 500  # lines of a file of the library


def modules() -> list[Path]:
    return [path for path in sorted((ROOT / "trtflow").rglob("*.py")) if not path.name.endswith("_pb2.py")]


def imported(path: Path) -> set[str]:
    """Return the parts of trtflow that a module imports."""
    found = set()
    for match in IMPORT.finditer(path.read_text(encoding="utf-8")):
        names = [match["base"] or ""] if match["base"] else [part.strip() for part in match["plain"].split(",")]
        if match["base"] == "trtflow":
            names = [
                f"trtflow.{name.split()[0]}" for name in (match["one"] or match["many"]).split(",") if name.split()
            ]
        found |= {name.split(".")[1] for name in names if name.startswith("trtflow.")}
    return {part for part in found if (ROOT / "trtflow" / part).is_dir()}


@pytest.mark.parametrize("part", BELOW)
def test_imports_point_one_way(part: str) -> None:
    allowed = BELOW[part] | {part}
    wrong = {
        (str(path.relative_to(ROOT)), name)
        for path in modules()
        if path.relative_to(ROOT / "trtflow").parts[0] == part
        for name in imported(path) - allowed
    }
    assert wrong == set()


def test_no_module_but_the_loader_imports_a_sample() -> None:
    samples = {path.stem for path in (ROOT / "config/samples").glob("*.yaml")}
    pattern = re.compile(
        rf"trtflow\.samples\.({'|'.join(samples)})\b|from trtflow\.samples import ({'|'.join(samples)})\b"
    )
    wrong = [
        str(path.relative_to(ROOT))
        for path in [*modules(), *(ROOT / "scripts").glob("*.py")]
        if "samples" not in path.relative_to(ROOT).parts
        and not path.name.startswith(("bench_", "_bench"))  # benches are of one network each
        and pattern.search(path.read_text())
    ]
    assert wrong == []


def test_no_rule_names_a_sample_or_a_network() -> None:
    names = {path.stem for folder in ("samples", "families") for path in (ROOT / "config" / folder).glob("*.yaml")}
    names -= {"plugin", "own", "digits", "int8"}  # words of their own too
    for path in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]:
        code = "\n".join(line.split("#")[0] for line in path.read_text().splitlines()[1:])
        code = code.replace("snakemake results/ssd_report.json", "").replace("yolov3.cfg", "")  # a command, a file
        found = {name for name in names if re.search(rf"\b{name}\b", code)}
        assert found == set(), path


def test_scripts_of_stages_name_no_sample() -> None:
    stages = ("make_data", "train", "predict", "export", "infer", "score", "compare", "measure", "profile", "draw")
    names = {path.stem for folder in ("samples", "families") for path in (ROOT / "config" / folder).glob("*.yaml")}
    for stage in stages:
        code = (ROOT / f"scripts/{stage}.py").read_text().split('"""', 2)[2]
        code = "\n".join(line.split("#")[0] for line in code.splitlines())
        assert not any(re.search(rf"\b{name}\b", code) for name in names), stage


def test_rules_are_few_and_short() -> None:
    files = sorted((ROOT / "rules").glob("*.smk"))
    texts = [path.read_text() for path in files]
    assert sum(text.count("\n") for text in texts) <= 2200
    assert sum(len(re.findall(r"^ *def ", text, re.MULTILINE)) for text in texts) <= 30
    lengths = [
        sum(1 for line in block.splitlines() if line.strip() and not line.startswith("#"))
        for text in texts
        for block in re.split(r"(?m)^(?= *(?:use )?(?:rule|checkpoint)\b)", text)[1:]
    ]
    assert statistics.median(lengths) <= 22
    assert len(list((ROOT / "scripts").glob("*.py"))) <= 60


def test_files_of_the_library_can_be_read() -> None:
    long = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in modules()}
    assert {name: lines for name, lines in long.items() if lines > SIZE} == {}


def test_files_of_tests_have_names_of_their_own() -> None:
    """pytest imports them by these alone, and leaves out the second of a name where it imports several folders."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert names["test_structure.py"] == 1
    assert [name for name, count in names.items() if count > 1] == []
