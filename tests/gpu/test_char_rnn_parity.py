"""char_rnn on TensorRT against the reference runtime: what both foresee and write from the same weights.

make test-gpu
"""

import numpy as np
import pytest
from jobs import step
from on_gpu import SAMPLES, require, script

from trtflow.metrics.perplexity import perplexity

NAME = "char_rnn"
TOLERANCE = {"fp32": 1e-4, "fp16": 0.01}  # of the perplexity, relative


def written(made, folder, backend, precision, *form):
    """Return what an engine foresees and writes that is built in `folder` from what was trained in `made`."""
    plan, out = folder / f"engine.{precision}.plan", folder / f"{precision}.npz"
    script("build_engine", "--sample", NAME, *form, "--precision", precision, "--export-dir", made / "export",
           "--max-batch-size", 1, "--backend-file", backend, "--plan", plan)  # fmt: skip
    files = {"plan": plan, "backend": backend, "export": made / "export/vocab.json", "val": made / "data/val.txt"}
    settings = {"generation": SAMPLES[NAME]["generation"]}
    given = {"inputs": files, "outputs": {"predictions": out}, "settings": settings}
    script("infer", *step("infer", sample=NAME, task="generation", **given))
    return np.load(out)


def check(first, second, precision):
    """Hold two results against each other: by perplexity, and in float32 character by character."""
    ratio = perplexity(first["log_probabilities"]) / perplexity(second["log_probabilities"])
    assert abs(ratio - 1) <= TOLERANCE[precision]
    if precision == "fp32":
        np.testing.assert_array_equal(first["generated"], second["generated"])


@pytest.mark.parametrize("precision", SAMPLES[NAME]["precisions"])
def test_tensorrt_foresees_and_writes_what_the_reference_does(tensorrt_results, reference, precision):
    made = tensorrt_results / NAME
    engine = np.load(require(made / f"predictions.{precision}.npz"))
    check(engine, written(made, reference / NAME, reference / "backend.json", precision), precision)


@pytest.mark.parametrize("precision", SAMPLES[NAME]["precisions"])
def test_cells_of_plain_layers_write_what_the_reference_does(tensorrt_results, reference, tmp_path, precision):
    made, form = tensorrt_results / NAME, ("--recurrent", "layers")
    require(made / f"predictions.{precision}.npz")
    engine = written(made, tmp_path, tensorrt_results / "backend.json", precision, *form)
    expected = written(made, reference / NAME / "layers", reference / "backend.json", precision, *form)
    check(engine, expected, precision)
