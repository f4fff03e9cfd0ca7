"""Tables of docs/performance.md are what the files beside it say."""

import json
import re
from pathlib import Path

import pytest

from trtflow.formats import FormatError
from trtflow.reporting.benchmarks import TABLES, fill_tables, read_benchmarks

ROOT = Path(__file__).resolve().parents[2]
PAGE, PUBLISHED = ROOT / "docs/performance.md", ROOT / "docs/results/bench"
MACHINE = {"processor": "Z80", "cores": 1, "load": 0.5, "date": "1976-07-01"}


def page(tmp_path, *names):
    path = tmp_path / "page.md"
    path.write_text("".join(f"# {name}\n\n<!-- bench: {name} -->\nold\n<!-- end -->\n" for name in names))
    return path


def rows(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]


def test_page_of_performance_is_up_to_date():
    text = PAGE.read_text()
    places = re.findall(r"<!-- bench: ([\w-]+) -->", text)
    assert {"int8", "accuracy"} <= set(places)
    assert fill_tables(PAGE, read_benchmarks(PUBLISHED)) == text


def test_what_make_bench_writes_is_what_tables_need():
    written = set(re.findall(r"--out results/bench/(\w+)\.json", (ROOT / "Makefile").read_text()))
    assert written == {source for source, _ in TABLES.values()}


def test_tables_are_drawn_between_their_marks_and_nothing_else_changes(tmp_path):
    starts = {"python": 0.02, "infer": 0.14, "score": 0.17, "plot": 0.55}
    (tmp_path / "workflow.json").write_text(json.dumps({"machine": MACHINE, "starts": starts}))
    text = fill_tables(page(tmp_path, "starts"), read_benchmarks(tmp_path))
    assert rows(text)[2:] == [
        ["0.0 to 0.1", "1", "python"],
        ["0.1 to 0.2", "2", "infer, score"],
        ["0.5 to 0.6", "1", "plot"],
    ]
    assert "old" not in text
    assert text.startswith("# starts\n\n<!-- bench: starts -->\n\n| processor s |")
    assert text.endswith("\nZ80, 1 cores, 0.5 processes on them at the start, 1976-07-01.\n\n<!-- end -->\n")


def test_times_are_of_the_processor_where_there_is_one_thread(tmp_path):
    sides = {"fp32": {"processor_ms": 10, "median_ms": 20}, "int8": {"processor_ms": 4.004, "median_ms": 300}}
    row = {"title": "Net", "sides": sides, "ratios": {"fp32 / int8": 2.5}, "errors": {"fp16": {}, "int8": {"y": 0.01}}}
    found = {"cpu_int8": {"machine": {**MACHINE, "vnni": False}, "threads": 1, "rows": [row]}}
    where = page(tmp_path, "int8", "accuracy")
    drawn = rows(fill_tables(where, found))
    assert drawn[2] == ["Net", "10.0", "4.00", "2.50"]
    assert drawn[-1] == ["Net, y", "overflows", "0.0100"]
    found["cpu_int8"]["threads"] = 2
    text = fill_tables(where, found)
    assert rows(text)[2] == ["Net", "20.0", "300", "2.50"]
    assert "without VNNI" in text


@pytest.mark.parametrize(
    ("name", "fault"), [("speed", "a place for a table 'speed'"), ("training", r"'training' needs training\.json")]
)
def test_a_place_that_cannot_be_filled_is_an_error_that_names_it(name, fault, tmp_path):
    with pytest.raises(FormatError, match=rf"page\.md.*{fault}"):
        fill_tables(page(tmp_path, name), {})
