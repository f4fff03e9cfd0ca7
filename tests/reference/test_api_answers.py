"""What TensorRT 8.6.0 answered to small questions on an H200, held against the reference.

The questions are those of tests/gpu/answer_probes.py; api_answers.json has what `tests/gpu/run_answer_probes.py` wrote
there: values of outputs, or what a call returned, the kinds of error that a recorder was told and the first's words.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import trtflow.reference as trt

pytestmark = pytest.mark.answers
HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "gpu"))

import layer_probes  # noqa: E402, F401 - adds to PROBES
from answer_probes import PROBES  # noqa: E402

ANSWERS = json.loads((HERE / "api_answers.json").read_text())
DIFFERS = {  # of which the reference answers something else, and why
    "resize CUBIC": "the builder tells UNSUPPORTED_STATE there, after a search for kernels",
    "cast identity float16": "half precision that is asked for without the flag FP16 is given here, not refused",
    "context shape negative": "an unknown size of a context is refused here when it is set, there when it runs",
    "context tensor shape name": "the words of a shape that is none are other ones",
    "refit size": "too few weights are refused when they are set; TensorRT takes them without looking",
    "refit engine without the flag": "TensorRT makes no refitter (TypeError); so does the reference, and says why",
    "profile order": "a range out of order is refused when it is set, there when it is added",
    "profile negative": "the same error (RuntimeError) in other words",
    "rnn_v2 RELU explicit rank2": "refused by both builders; there by an assertion of its own",
    "rnn_v2 LSTM explicit rank2": "refused by both builders; there by an assertion of its own",
    "average CAFFE_ROUND_UP with padding": "TensorRT refuses a last window that lies over the padding alone",
    "average CAFFE_ROUND_UP without padding": "the same",
    "rows by values non zero, none": "without a profile TensorRT makes no context; a warning says so here",
    "rows by values suppression, none": "the same",
    "rows by values suppression gathered, none": "the same",
    "unary int32 ABS": "TensorRT has the output's type as float until it is set to int32",
    "unary int32 SIGN": "the same",
}


def outputs(answer):
    return {name: value for name, value in answer.items() if isinstance(value, dict) and "values" in value}


def test_every_difference_is_one_of_a_question_that_was_asked():
    assert set(DIFFERS) <= set(ANSWERS) <= set(PROBES)


@pytest.mark.parametrize("name", [name for name in ANSWERS if name not in DIFFERS])
def test_the_reference_answers_as_tensorrt(name):
    wanted, found = ANSWERS[name], PROBES[name](trt)
    assert outputs(found).keys() == outputs(wanted).keys(), found
    for output, values in outputs(wanted).items():
        assert [found[output][key] for key in ("shape", "dtype")] == [values[key] for key in ("shape", "dtype")]
        np.testing.assert_allclose(found[output]["values"], values["values"], rtol=1e-5, atol=1e-5, err_msg=output)
    codes = {code for code, _ in found.get("recorded", [])}
    assert codes <= set(wanted.get("codes", [])), found
    assert bool(codes) == bool(wanted.get("codes")), found
    others = {key: value for key, value in wanted.items() if key not in ("codes", "words", *outputs(wanted))}
    assert {key: found[key] for key in others} == others


@pytest.mark.parametrize("name", DIFFERS)
def test_what_differs_still_does(name):
    """A difference that is gone is to be taken out of the list."""
    wanted, found = ANSWERS[name], PROBES[name](trt)
    codes = sorted({code for code, _ in found.get("recorded", [])})
    others = {key: value for key, value in wanted.items() if key not in ("codes", "words")}
    assert (codes, {key: found.get(key) for key in others}) != (wanted.get("codes", []), others)
