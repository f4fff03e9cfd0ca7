"""The cases that TensorRT's own plugins are compared on, on the reference runtime alone."""

import numpy as np
import pytest
from registry_cases import CASES, check, run

import trtflow.reference as trt


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_runs_and_a_difference_is_noticed(case):
    outputs = run(trt, case)
    assert all(np.isfinite(output).all() for output in outputs)
    assert float(np.abs(outputs[0]).max()) > 0
    check(case, outputs, outputs)
    other = [outputs[0] + np.float32(0.1), *outputs[1:]]
    with pytest.raises(AssertionError):
        check(case, other, outputs)
    if case.plugin == "NMS_TRT":
        counts = np.asarray(outputs[1]).view(np.int32)
        assert 5 < counts.min() <= counts.max() <= 50
        with pytest.raises(AssertionError):
            check(case, [outputs[0], np.asarray(counts + 1, np.int32)], outputs)
