"""INT8 with FP16 for the rest: what the plan makes of the precision `best`."""

import pytest

from tests.workflow.test_planning import ROOT
from trtflow.workflow.errors import PlanError
from trtflow.workflow.plan import make_plan
from trtflow.workflow.samples import with_best

INT8_DROP = {
    "name": "int8_map_drop",
    "metric": "map",
    "precision": "int8",
    "against": "fp32",
    "op": "<=",
    "limit": 0.01,
}


def test_best_takes_the_table_and_the_gates_of_int8():
    plan = make_plan(ROOT, {"samples": {"ssd": {"precisions": ["fp32", "best"]}}})
    assert plan.table("ssd", "best") == ["results/ssd/calibration/CalibrationTablessd"]
    assert plan.table("ssd", "fp32") == []
    assert plan.calibration("ssd") == plan.table("ssd", "int8")
    gates = {gate["name"]: gate for gate in plan.sample("ssd")["gates"]}
    assert gates["best_map_drop"] == {**gates["int8_map_drop"], "name": "best_map_drop", "precision": "best"}


def test_ranges_and_kept_layers_are_those_of_int8_too():
    plan = make_plan(
        ROOT, {"samples": {"int8_api": {"precisions": ["fp32", "best"], "mixed_precision": {"limit": 0.01}}}}
    )
    assert plan.table("int8_api", "best") == ["results/int8_api/calibration/ranges.txt"]
    assert plan.kept_layers("int8_api", "best") == plan.kept_layers("int8_api", "int8") != []


def test_own_gates_go_before_those_of_int8():
    own = {**INT8_DROP, "name": "mine", "precision": "best", "limit": 0.02}
    assert with_best([INT8_DROP, own], ["fp32", "int8", "best"]) == [INT8_DROP, own]
    assert with_best([INT8_DROP], ["fp32", "int8"]) == [INT8_DROP]


def test_best_needs_a_calibration():
    with pytest.raises(PlanError, match="calibration"):
        make_plan(ROOT, {"samples": {"mnist": {"precisions": ["fp32", "best"]}}})
