"""Tables that TensorRT made on a GPU against those of the reference runtime, from the same batches.

make test-gpu
"""

import json

import pytest
from on_gpu import SAMPLES, algorithm, require, script

INT8 = [name for name, sample in SAMPLES.items() if "int8" in sample["precisions"] and algorithm(sample) != "ranges"]
NEAR_TIE = 0.01  # relative to the divergence itself; one value in the next bin turns that of a small tensor by as much
RANGE = 1e-4  # relative; of algorithms that have no divergence


@pytest.mark.parametrize("name", INT8)
def test_cpu_makes_the_table_of_the_gpu(tensorrt_results, reference, name):
    made = tensorrt_results / name
    theirs = require(made / f"calibration/CalibrationTable{name}")
    ours, batches = reference / f"CalibrationTable{name}", made / "calibration/batches"
    common = ["--sample", name, "--export-dir", made / "export", "--batch-dir", batches]
    backend = ["--backend-file", reference / "backend.json", "--algorithm", algorithm(SAMPLES[name])]
    script("calibrate", *common, "--batches", len(list(batches.glob("batch*"))), *backend, "--out", ours)
    out = reference / f"tables.{name}.json"
    print(script("compare_tables", theirs, ours, *common, "--out", out))
    found = json.loads(out.read_text())
    assert found["common"] > 0
    for tensor, entry in found["differing"].items():
        if "divergence_excess" in entry:
            assert entry["divergence_excess"] <= NEAR_TIE * entry["divergence"], (tensor, entry)
        else:
            assert not algorithm(SAMPLES[name]).startswith("entropy"), (tensor, entry)
            assert entry["relative"] <= RANGE, (tensor, entry)
