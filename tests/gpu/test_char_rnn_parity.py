"""char_rnn on TensorRT against the reference runtime: what both foresee and write from the same weights.

make test-gpu
"""

import json

import numpy as np
import pytest
from on_gpu import SAMPLES, require, script

from trtflow.formats.files import write_json
from trtflow.metrics.perplexity import perplexity

NAME = "char_rnn"
TOLERANCE = {"fp32": 1e-4, "fp16": 0.01}  # of the perplexity, relative


@pytest.mark.parametrize("precision", SAMPLES[NAME]["precisions"])
def test_tensorrt_foresees_and_writes_what_the_reference_does(tensorrt_results, reference, precision):
    made = tensorrt_results / NAME
    engine = require(made / f"predictions.{precision}.npz")
    plan, expected = reference / NAME / f"engine.{precision}.plan", reference / NAME / f"{precision}.npz"
    script("lower_network", "--sample", NAME, "--precision", precision, "--export-dir", made / "export", "--out", plan)
    backend = json.loads((reference / "backend.json").read_text())
    write_json(plan.with_suffix(".json"), {"backend": backend, "plugins": []})
    run = ["--plan", plan, "--backend-file", reference / "backend.json", "--export-dir", made / "export"]
    settings = SAMPLES[NAME]["generation"]
    text = ["--text", made / "data/val.txt", "--seeds", *settings["seeds"], "--length", settings["length"]]
    script("generate", *run, *text, "--out", expected)
    first, second = np.load(engine), np.load(expected)
    ratio = perplexity(first["log_probabilities"]) / perplexity(second["log_probabilities"])
    assert abs(ratio - 1) <= TOLERANCE[precision]
    if precision == "fp32":
        np.testing.assert_array_equal(first["generated"], second["generated"])
