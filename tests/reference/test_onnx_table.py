"""The reference's ONNX parser answers to 949 models as TensorRT 8.6 did (../shared/cases/onnx)."""

import onnx_table
import pytest

TABLE = onnx_table.table() or {}
PARTS = ("node", "simple", "pytorch-converted", "pytorch-operator", "torch", "extra")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_as_tensorrt_answered(part):
    if not TABLE:
        pytest.skip("../shared/cases/onnx is absent")
    names = [name for name in TABLE if name.split("/")[0] == part]
    cases = {name: onnx_table.load(name) for name in names}
    if None in cases.values():
        pytest.skip("the wheel onnx 1.12.0 is not unpacked: set ONNX_NODE_TESTS to its onnx/backend/test/data")
    faults = {name: onnx_table.disagreement(name, TABLE[name], case) for name, case in cases.items()}
    assert {name: fault for name, fault in faults.items() if fault} == {}


def test_docs_of_operators_are_current():
    text = onnx_table.text_of_docs()
    if text is None:
        pytest.skip("../shared/cases/onnx or the wheel onnx 1.12.0 is absent")
    assert onnx_table.DOCS.read_text() == text, "write it again with python tests/reference/onnx_table.py --docs"
