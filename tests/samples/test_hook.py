"""What functions of the user's return: arrays of numbers and numbers, or one error that names the file."""

from __future__ import annotations

import numpy as np
import pytest

from trtflow.datasets.own import Items
from trtflow.formats import FormatError
from trtflow.samples.own.hook import read_hook

OUTPUTS = {"y": np.zeros((2, 3), np.float32)}
HEADS = {"postprocess": "def postprocess(outputs): ", "score": "def score(outputs, data): "}


def call(folder, function, body):
    path = folder / "hook.py"
    path.write_text(f"import sys\nimport numpy as np\n{HEADS[function]}{body}\n")
    hook = read_hook(path)
    return hook.processed(OUTPUTS) if function == "postprocess" else hook.scored(OUTPUTS, Items(folder, ["a", "b"], {}))


@pytest.mark.parametrize(
    ("function", "body", "told"),
    [
        ("postprocess", "return {'y': np.array([None, None])}", "gave 'y' as object, which is not made of numbers"),
        ("postprocess", "return {'y': np.array(['a', 'b'])}", "gave 'y' as <U1, which is not made of numbers"),
        ("postprocess", "return {'y': np.zeros(2, complex)}", "gave 'y' as complex128"),
        ("postprocess", "sys.exit(3)", "postprocess raised SystemExit: 3"),
        ("score", "return {'a': 10**400}", "gave 'a' a number beyond what a float holds"),
        ("score", "return {'a': '1'}", "not numbers by name"),
        ("score", "return {'a': np.zeros(2)}", "not numbers by name"),
    ],
)
def test_what_is_no_number_is_refused(tmp_path, function, body, told):
    with pytest.raises(FormatError, match=r"hook\.py: .*Correct it") as caught:
        call(tmp_path, function, body)
    assert told in str(caught.value)


def test_numbers_of_any_kind_are_taken(tmp_path):
    assert call(tmp_path, "score", "return {'a': True, 'b': np.float32(0.5), 3: 7}") == {"a": 1, "b": 0.5, "3": 7}


def test_a_file_that_ends_the_program_is_refused(tmp_path):
    (tmp_path / "hook.py").write_text("raise SystemExit(1)\n")
    with pytest.raises(FormatError, match="Python cannot run it .SystemExit"):
        read_hook(tmp_path / "hook.py")
