"""docs/results.md is what the script makes of the reports beside it, and other pages quote what these say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from _sizes import NETWORKS

ROOT = Path(__file__).resolve().parents[2]


def published(name):
    return json.loads((ROOT / f"docs/results/cpu/{name}_report.json").read_text())


def row_of(page, first):
    """Return the cells behind the first one of the only row of a page's tables that begins with it."""
    (line,) = (line for line in (ROOT / page).read_text().splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_page_of_results_is_up_to_date(tmp_path):
    command = [sys.executable, "scripts/write_results.py", "--cpu", "docs/results/cpu", "--gpu", "docs/results/h200"]
    page = tmp_path / "results.md"
    done = subprocess.run([*command, "--out", page], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = page.read_text().replace(str(page), "docs/results.md")
    assert written == (ROOT / "docs" / "results.md").read_text()
    assert "| char_rnn | fp32 | perplexity |" in written


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_page_of_tf_ssd_quotes_the_published_reports(precision):
    found, other = (published(name)["precisions"][precision] for name in ("tf_ssd", "uff_ssd"))
    metrics = found["metrics"]
    assert other["metrics"] == metrics
    assert [cell.removesuffix(" (not gated)") for cell in row_of("docs/tf-ssd.md", precision)] == [
        f"{metrics['map']:.4f}",
        f"{metrics['framework_map_drop']:.4f}",
        f"{metrics['agreement']:.1e}".replace("e-0", "e-"),
        f"{metrics['matched_iou']:.3f}",
        f"{found['engine_bytes'] / 1e6:.2f} MB",
        f"{found['latency_ms']['median']:.0f} and {other['latency_ms']['median']:.0f} ms",
    ]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_readme_quotes_the_published_report_of_ssd(precision):
    engines = published("ssd")["precisions"]
    found, first = engines[precision], engines["fp32"]
    accuracy, latency, size = (cell.split()[0] for cell in row_of("README.md", precision))
    assert accuracy == f"{found['metrics']['map']:.4f}"
    assert latency == f"{found['latency_ms']['median'] / first['latency_ms']['median']:.2f}"
    assert size == f"{found['engine_bytes'] / 1e6:.2f}"


QUOTED = {  # the columns of the table of results of a sample's page: metrics and their digits
    "faster_rcnn": {"map": ".4f"},
    "yolov3_onnx": {"map": ".3f", "coco_map75": ".3f"},
    "nmt": {"bleu": ".2f", "greedy_bleu": ".2f", "bleu_difference": ".2f"},
}


@pytest.mark.parametrize("name", QUOTED)
def test_pages_of_samples_quote_the_published_reports(name):
    table = (ROOT / f"docs/{name}.md").read_text().partition("## Results")[2]
    for precision, found in published(name)["precisions"].items():
        quoted = [f"{found['metrics'][metric]:{digits}}" for metric, digits in QUOTED[name].items()]
        assert f"| {precision} | {' | '.join(quoted)} | " in table


@pytest.mark.parametrize("name", ["ssd", "faster_rcnn", "tf_ssd", "yolov3_onnx"])
def test_readme_quotes_the_detectors_of_the_page_of_results(name):
    rows = [line.split(" | ") for line in (ROOT / "docs/results.md").read_text().splitlines()]
    found = [row for row in rows if row[0] == f"| {name}" and len(row) > 5 and row[2] == "map"]
    maps, rates = [row[4] for row in found], [f"{float(row[-1].rstrip(' |')):,.0f}" for row in found]
    assert len(found) == 3
    assert f"| {name} | {' / '.join(maps)} | {' / '.join(rates)} |" in (ROOT / "README.md").read_text()


def test_readme_counts_the_gates_of_the_published_reports():
    reports = [json.loads(path.read_text()) for path in (ROOT / "docs/results/h200").glob("*_report.json")]
    gates = [gate["passed"] for report in reports for gate in report["gates"]]
    assert all(gates)
    assert (
        f"one run made all {len(reports)} reports, and all {len(gates)} gates passed"
        in (ROOT / "README.md").read_text()
    )
    assert len({report["provenance"]["commit"] for report in reports}) == 1


def test_every_network_of_original_size_is_named():
    text = (ROOT / "docs/tensorrt.md").read_text().partition("## The networks at their original sizes")[2]
    shapes = {network.shape for network in NETWORKS.values()}
    sizes = [f"{height} x {width}" if height != width else str(height) for height, width in shapes]
    assert all(size in text.partition("random weights")[0] for size in sizes)
