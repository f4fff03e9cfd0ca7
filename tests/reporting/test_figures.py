"""Plots: same numbers, same bytes; no time and no path in them."""

import pytest
from PIL import Image

from trtflow.reporting.figures import write_batches, write_precisions, write_profile, write_speeds, write_training


def entry(score, ms):
    return {"metrics": {"map": score}, "latency_ms": {"median": ms, "p95": ms}, "engine_bytes": 2_500_000}


def profile(precision, layers):
    return {"precision": precision, "layers": [{"name": f"layer{i}", "ms": i * 0.1} for i in range(layers)]}


PLOTS = {
    "precisions": (write_precisions, {"fp32": entry(0.75, 9.0), "int8": entry(0.745, 6.0)}, "map"),
    "one precision": (write_precisions, {"int8": entry(0.745, 6.0)}, "map"),
    "profile": (write_profile, [profile("fp32", 30), profile("int8", 25)]),
    "short profile": (write_profile, [profile("fp16", 2)]),
    "training": (write_training, {"loss": {"first": [2.0] * 9, "second": [1 / (1 + i) for i in range(60)]}}),
    "speeds": (write_speeds, {"a": {"fp32": 1.0, "int8": 2.5, "peer": 1.5}, "b": {"fp32": 1.0, "int8": 0.9}}, "it"),
    "one step": (write_training, {"loss": {"training": [9.0]}}),
}


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_has_the_same_bytes_each_time(name, tmp_path):
    write, *arguments = PLOTS[name]
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        write(path, *arguments)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with Image.open(paths[0]) as image:
        assert image.format == "PNG"
        assert min(image.size) > 100
        assert set(image.info) == {"dpi"}


def test_batches_are_drawn_over_batch_and_latency(tmp_path):
    rows = [{"batch": 2**power, "images_per_s": 100.0 * power, "latency_ms": 1.0 + power} for power in range(4)]
    write_batches(tmp_path / "batches.png", {"fp16 net": rows, "best net": rows[1:], "mine": rows[:1]})
    with Image.open(tmp_path / "batches.png") as picture:
        assert picture.size == (9 * 130, 4 * 130)
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    assert {(0xE6, 0x9F, 0), (0xCC, 0x79, 0xA7)} <= colours
