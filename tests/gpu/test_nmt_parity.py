"""nmt on TensorRT against the reference runtime: the translations of both from the same weights.

make test-gpu
"""

import pytest
from on_gpu import SAMPLES, require, script

from trtflow.datasets.bpe import join
from trtflow.metrics.bleu import bleu_scores

NAME = "nmt"
BLEU = 0.3  # points


@pytest.mark.parametrize("precision", SAMPLES[NAME]["precisions"])
def test_tensorrt_translates_as_the_reference_does(tensorrt_results, reference, precision):
    made = tensorrt_results / NAME
    engine = require(made / f"translations.{precision}.txt").read_text().splitlines()
    folder = reference / NAME
    plans = {None: folder / f"engine.{precision}.plan", "encoder": folder / f"encoder.{precision}.plan"}
    for network, plan in plans.items():
        which = ["--network", network] if network else []
        script("build_engine", "--sample", NAME, *which, "--precision", precision, "--export-dir", made / "export",
               "--max-batch-size", 128, "--backend-file", reference / "backend.json", "--plan", plan)  # fmt: skip
    out = folder / f"{precision}.txt"
    run = ["--encoder", plans["encoder"], "--plan", plans[None], "--backend-file", reference / "backend.json"]
    script("translate", *run, "--export-dir", made / "export", "--data-dir", made / "data", "--output-file", out)
    expected = out.read_text().splitlines()
    right = [join(line.split()) for line in (made / "data/val.en").read_text().splitlines()]
    scores = [bleu_scores(lines, right)["bleu"] for lines in (engine, expected)]
    assert abs(scores[0] - scores[1]) <= BLEU
    if precision == "fp32":
        assert engine == expected
