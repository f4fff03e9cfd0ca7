"""Pages of all samples, of one and of two runs: what stands on them, for whom they can be read, what they refuse."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pages import CPU, H200, ROOT, Outline, make_run

from trtflow.formats import FormatError
from trtflow.reporting.page.differences import Run, compare_runs, summarise
from trtflow.reporting.page.pages import TEMPLATES, comparison_page, index_page, sample_page
from trtflow.reporting.page.results import read_result, read_run
from trtflow.reporting.page.words import FIGURES, number, without_markup
from trtflow.workflow.digest import Code
from trtflow.workflow.plan import make_plan

PUBLISHED = sorted([*CPU.glob("*_report.json"), *H200.glob("*_report.json")])


def page_script(name, *arguments):
    command = [sys.executable, ROOT / "scripts" / name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_published_report_has_a_page_that_all_can_read(path):
    report = json.loads(path.read_text())
    outline = Outline(sample_page(read_result(path)))
    assert outline.accessibility_faults() == []
    assert outline.title == f"{report['sample']}: passed · trtflow"
    assert report["provenance"]["config_sha256"] in outline.text


def test_page_of_all_samples():
    results = read_run(H200)
    outline = Outline(index_page(results, linked={"ssd"}, comparison="comparison.html"))
    assert outline.accessibility_faults() == []
    assert outline.title == f"{len(results)} of {len(results)} samples passed · trtflow"
    assert {"ssd/index.html", "comparison.html"} <= {link["href"] for link in outline.all("a")}
    assert "mnist/index.html" not in {link["href"] for link in outline.all("a")}
    assert next(iter(results)) == "mnist"
    assert list(results)[-1] == "engine_refit_mnist"


def test_page_of_two_runs():
    without = {name: result for name, result in read_run(CPU).items() if name != "char_rnn"}
    outline = Outline(comparison_page(Run("CPU", without), Run("H200", read_run(H200))))
    assert outline.accessibility_faults() == []
    assert "Only H200 has char_rnn" in outline.text
    assert "× faster" in outline.text  # noqa: RUF001 - the sign of multiplication


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", failed="int8_top1_drop")


def test_page_shows_what_lies_beside_the_report(run):
    page = sample_page(read_result(run))
    outline = Outline(page)
    assert outline.accessibility_faults() == []
    assert [picture["alt"] for picture in outline.all("img")] == [
        "int8: ten digits",
        "int8: precisions",
        "int8: layer times",
        "int8: training",
    ]
    assert "The other 9 layers" in outline.text
    assert "± 3" in outline.text
    assert "name: int8" in outline.text
    assert "&lt;0&gt;" in page  # a layer's name is text


def test_failed_gate_is_told_first(run):
    outline = Outline(index_page({"int8": read_result(run)}))
    assert outline.accessibility_faults() == []
    assert outline.title.startswith("0 of 1 samples passed")
    assert outline.text.index("Failed gates") < outline.text.index("All samples")
    assert "int8_top1_drop is" in outline.text


def test_missing_pictures_are_told(run):
    (run.parent / "int8/figures/training.png").unlink()
    assert "1 of the report’s pictures is not beside it" in sample_page(read_result(run))  # noqa: RUF001


def test_same_run_gives_same_page(run):
    assert sample_page(read_result(run)) == sample_page(read_result(run))


def test_captions_and_labels_are_those_of_the_report_of_snakemake():
    rules = "".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    marked = re.findall(
        r'figures/(\w+)\.png",\s+caption="\.\./report/(\w+)\.rst".*?"what": "([^"]+)"', rules, re.DOTALL
    )
    for path in [*(ROOT / "config/families").glob("*.yaml"), *(ROOT / "config/tasks").glob("*.yaml")]:
        for step in yaml.safe_load(path.read_text())["steps"].values():
            if "caption" in step:
                stem = Path(step["output"]["picture"]).stem
                marked.append((stem, step["caption"]["name"], step["caption"]["what"]))
    assert {stem: label for stem, _, label in marked} == FIGURES
    assert all(stem == caption for stem, caption, _ in marked)
    assert all((ROOT / f"report/{caption}.rst").exists() for _, caption, _ in marked)


def test_caption_without_markup():
    assert without_markup("A **bold** and\n``code`` word.\n") == "A bold and code word."


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "–"), (3, "3"), (2003.4, "2003"), (0.98765, "0.9877"), (3.7e-7, "3.7e-7"), (91180.4, "91180"), (0.0, "0")],  # noqa: RUF001
)
def test_number(value, expected):
    assert number(value) == expected


def test_comparison_notes_what_is_worth_a_look(tmp_path):
    one, other = (make_run(tmp_path / name).parent for name in ("one", "other"))
    path = other / "int8_report.json"
    report = json.loads(path.read_text())
    report["gates"][0]["passed"] = report["passed"] = False
    report["precisions"]["int8"]["metrics"]["top1"] -= 0.05
    report["provenance"]["config_sha256"] = "0" * 64
    path.write_text(json.dumps(report))
    compared = compare_runs(Run("A", read_run(one)), Run("B", read_run(other)))
    assert compared["int8"].notes == [
        "Gate top1 passed in A and failed in B.",
        "top-1 of int8 differs by -0.05.",
        "The configurations differ.",
    ]


def test_comparison_begins_with_a_summary_that_says_which_way_is_good(tmp_path):
    one, other = (make_run(tmp_path / name).parent for name in ("one", "other"))
    path = other / "int8_report.json"
    report = json.loads(path.read_text())
    report["precisions"]["int8"]["latency_ms"]["median"] *= 2  # half as fast
    report["precisions"]["int8"]["engine_bytes"] //= 4
    report["precisions"]["int8"]["metrics"]["top1"] -= 0.05
    report["precisions"]["fp32"]["latency_ms"]["median"] /= 3
    path.write_text(json.dumps(report))
    runs = Run("A", read_run(one)), Run("B", read_run(other))
    summary = {row.precision: row for row in summarise(compare_runs(*runs))}
    assert summary["int8"].faster == pytest.approx(1 / 2)
    assert summary["int8"].smaller == pytest.approx(4, rel=1e-3)
    assert (summary["int8"].sample, summary["int8"].largest.difference) == ("int8", pytest.approx(-0.05))
    assert summary["fp32"].faster == pytest.approx(3)
    text = comparison_page(*runs)
    rows = text[text.index('id="summary"') : text.index('id="notes"')]
    assert re.search(r"int8</th><td>1</td><td>2[^<]* slower</td>", rows.replace("\n", "")), rows
    assert re.search(r"fp32</th><td>1</td><td>3[^<]* faster</td>", rows.replace("\n", "")), rows


def test_a_page_says_which_engines_build_on_tensorrt(tmp_path):
    path = make_run(tmp_path)
    report = json.loads(path.read_text())
    report["precisions"]["int8"]["beyond_tensorrt"] = ["Hardmax"]
    path.write_text(json.dumps(report))
    page = sample_page(read_result(path))
    assert "yes, as its parsers answer" in page
    assert "no: it has no Hardmax" in page
    report["backend"]["name"] = "tensorrt"
    path.write_text(json.dumps(report))
    assert "yes, as its parsers answer" not in sample_page(read_result(path))


def contrast(one, other):
    """Return the contrast of two colours, WCAG 2.2."""
    lights = []
    for colour in (one, other):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_have_contrast(scheme):
    blocks = re.findall(r":root \{(.*?)\}", (TEMPLATES / "page.css").read_text(), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", blocks[scheme]))
    texts = [(text, ground) for text in ("text", "muted", "link") for ground in ("ground", "card")]
    texts += [("good", "good-ground"), ("bad", "bad-ground"), ("text", "bad-ground"), ("link", "bad-ground")]
    texts += [("text", "track"), ("bad", "card")]
    assert {pair: contrast(*map(colours.get, pair)) for pair in texts if contrast(*map(colours.get, pair)) < 4.5} == {}
    bars = [(bar, "card") for bar in ("fp32", "fp16", "int8", "first", "second", "good", "bad", "edge")]
    assert {pair: contrast(*map(colours.get, pair)) for pair in bars if contrast(*map(colours.get, pair)) < 3} == {}


def test_missing_report(tmp_path):
    done = page_script("write_page.py", tmp_path / "ssd_report.json", "--out", tmp_path / "page.html")
    assert done.returncode == 1
    assert f"error: {tmp_path / 'ssd_report.json'}: no such file. Make it with snakemake" in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_report_of_another_schema(run, tmp_path):
    run.write_text(json.dumps({**json.loads(run.read_text()), "schema": 2}))
    done = page_script("write_index.py", run, "--out", tmp_path / "index.html")
    assert done.returncode == 1
    assert "int8_report.json" in done.stderr
    assert "schema" in done.stderr
    assert not (tmp_path / "index.html").exists()


def test_picture_that_is_none(run):
    (run.parent / "int8/figures/digits.png").write_bytes(b"no picture")
    with pytest.raises(FormatError, match=r"digits\.png: not a picture"):
        sample_page(read_result(run))


def test_damaged_profile(run):
    (run.parent / "int8/profile.fp32.json").write_text("{")
    with pytest.raises(FormatError, match=r"profile\.fp32\.json"):
        read_result(run)


def test_folder_without_reports(tmp_path):
    done = page_script("write_comparison.py", CPU, tmp_path, "--out", tmp_path / "comparison.html")
    assert done.returncode == 1
    assert f"error: {tmp_path}: no *_report.json in it" in done.stderr


def test_runs_need_two_names(tmp_path):
    done = page_script("write_comparison.py", CPU, CPU, "--out", tmp_path / "comparison.html")
    assert done.returncode == 1
    assert "Give them names with --names" in done.stderr


@pytest.mark.parametrize("script", ["write_page", "write_index", "write_comparison"])
def test_templates_count_as_code_of_the_pages(script, tmp_path):
    assert f'script("{script}", "report", ' in (ROOT / "rules/page.smk").read_text()
    for part in ("config", "report", "scripts", "trtflow"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    before = Code(make_plan(tmp_path, {})).of_script(script, None, ["report"])
    for path in sorted((tmp_path / "report/page").iterdir()):
        text = path.read_bytes()
        path.write_bytes(text + b" ")
        assert Code(make_plan(tmp_path, {})).of_script(script, None, ["report"]) != before, path
        path.write_bytes(text)
    assert yaml.safe_load((ROOT / "config/config.yaml").read_text())["page"] == []


def test_what_int8_loses_and_what_classes_are_taken_for(run):
    """The tensor that loses most comes first; a matrix is a table of each precision."""
    report = json.loads(run.read_text())
    for entry in report["precisions"].values():
        entry["details"] = {"iou": {"ground": 0.5}, "confusion": [[7, 2, 0], [1, 90125, 3]]}
    latency = dict.fromkeys(("mean", "median", "p95", "p99"), 1.5)
    measured = {"metrics": {"engine_snr_db": 61.5}, "batch_size": 4, "latency_ms": latency}
    told = {"fp32": measured, "int8": {"refused": "it has no such operator"}}
    report["targets"] = {"openvino": {"version": "2026.4.1", "precisions": told}}
    run.write_text(json.dumps(report))
    losses = [
        {"tensor": "kept", "layer": "a", "largest": 1.0, "range": 1.0, "snr_db": 41.5},
        {"tensor": "cut", "layer": "b", "largest": 8.0, "range": 0.5, "snr_db": 3.25},
        {"tensor": "broken", "layer": "c", "largest": 2.0, "range": None, "snr_db": None},
    ]
    folder = run.parent / report["sample"] / "calibration"
    (folder / "losses.json").write_text(json.dumps({"tensors": losses}))
    outline = Outline(sample_page(read_result(run)))
    assert outline.accessibility_faults() == []
    section = outline.text[outline.text.index("Ratio of signal to noise") :]
    assert section.index("broken") < section.index("cut") < section.index("kept")
    assert "3.25" in section
    assert "± 0.5" in section
    assert "90125" in outline.text
    assert "openvino 2026.4.1" in outline.text
    assert "61.5" in outline.text
    assert "it has no such operator" in outline.text
