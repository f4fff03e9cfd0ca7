"""The recommenders on TensorRT against the reference runtime, from the same UFF file and queries.

make test-gpu
"""

import json

import numpy as np
import pytest
from jobs import step
from on_gpu import SAMPLES, require, script

from trtflow.formats.files import write_json
from trtflow.metrics.ranking import hit_ratio, ranks

NAMES = [name for name, sample in SAMPLES.items() if sample["task"] == "recommendation"]
CASES = [(name, precision) for name in NAMES for precision in SAMPLES[name]["precisions"]]
FP32, SCORE = 1e-4, 0.01


@pytest.mark.parametrize(("name", "precision"), CASES)
def test_tensorrt_recommends_what_the_reference_does(tensorrt_results, reference, name, precision):
    made = tensorrt_results / name
    engine = np.load(require(made / f"predictions.{precision}.npz"))
    plan, expected = reference / name / f"engine.{precision}.plan", reference / name / f"{precision}.npz"
    common = ["--sample", name, "--precision", precision, "--export-dir", made / "export"]
    script("lower_network", *common, "--max-batch-size", 32, "--out", plan)
    backend = json.loads((reference / "backend.json").read_text())
    write_json(plan.with_suffix(".json"), {"backend": backend, "plugins": []})
    queries = next(made / folder / "test.negative" for folder in ("data", "artefacts") if (made / folder).exists())
    files = {"plan": plan, "backend": reference / "backend.json", "export": made / "export/sizes.json"}
    given = {"inputs": {**files, "choices": queries}, "outputs": {"predictions": expected}}
    # of one process, whose engine the sample that asks it step by step has too
    script("infer", *step("infer", sample="movielens", task="recommendation", **given))
    wanted = np.load(expected)
    np.testing.assert_array_equal(engine["choices"], wanted["choices"])
    scores = [hit_ratio(ranks(each["probabilities"], each["choices"]), 10) for each in (engine, wanted)]
    assert abs(scores[0] - scores[1]) <= SCORE
    if precision == "fp32":
        assert np.abs(engine["probabilities"] - wanted["probabilities"]).max() <= FP32
        np.testing.assert_array_equal(engine["best"][:, 0], wanted["best"][:, 0])


def test_processes_answer_alike_with_and_without_mps(tensorrt_results):
    rows = json.loads(require(tensorrt_results / "movielens_mps/serving.fp32.json").read_text())
    alike = [row for row in rows if row["batch_size"] == rows[0]["batch_size"]]
    assert all(row["identical"] == 1 and row["workers_lost"] == 0 for row in alike)
