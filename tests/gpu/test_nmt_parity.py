"""nmt on TensorRT against the reference runtime: the translations of both from the same weights.

make test-gpu
"""

import pytest
from jobs import step
from on_gpu import SAMPLES, require, script

from trtflow.datasets.bpe import join
from trtflow.metrics.bleu import bleu_scores

NAME = "nmt"
BLEU = 0.3  # points


def translated(made, folder, backend, precision, *form):
    """Return the translations of engines built in `folder` from what was trained in `made`."""
    plans = {None: folder / f"engine.{precision}.plan", "encoder": folder / f"encoder.{precision}.plan"}
    for network, plan in plans.items():
        which = ["--network", network] if network else []
        script("build_engine", "--sample", NAME, *which, *form, "--precision", precision, "--export-dir",
               made / "export", "--max-batch-size", 128, "--backend-file", backend, "--plan", plan)  # fmt: skip
    out = folder / f"{precision}.txt"
    files = {"encoder": plans["encoder"], "plan": plans[None], "backend": backend, "export": made / "export/vocab.de"}
    files["val"] = [made / "data/val.de", made / "data/val.en"]
    script("infer", *step("infer", sample=NAME, task="translation", inputs=files, outputs={"beam": out}))
    return out.read_text().splitlines()


def check(made, engine, expected, precision):
    """Hold translations against those that are expected: by BLEU, and in float32 one by one."""
    right = [join(line.split()) for line in (made / "data/val.en").read_text().splitlines()]
    scores = [bleu_scores(lines, right)["bleu"] for lines in (engine, expected)]
    assert abs(scores[0] - scores[1]) <= BLEU
    if precision == "fp32":
        assert engine == expected


@pytest.mark.parametrize("precision", SAMPLES[NAME]["precisions"])
def test_tensorrt_translates_as_the_reference_does(tensorrt_results, reference, precision):
    made = tensorrt_results / NAME
    engine = require(made / f"translations.{precision}.txt").read_text().splitlines()
    expected = translated(made, reference / NAME, reference / "backend.json", precision)
    check(made, engine, expected, precision)


@pytest.mark.parametrize("precision", SAMPLES[NAME]["precisions"])
def test_cells_of_plain_layers_translate_as_the_reference_does(tensorrt_results, reference, tmp_path, precision):
    made, form = tensorrt_results / NAME, ("--recurrent", "layers", "--optimization-level", 1)  # built twice, sooner
    require(made / f"translations.{precision}.txt")
    engine = translated(made, tmp_path, tensorrt_results / "backend.json", precision, *form)
    expected = translated(made, reference / NAME / "layers", reference / "backend.json", precision, *form)
    check(made, engine, expected, precision)
