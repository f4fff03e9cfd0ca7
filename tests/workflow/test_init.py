"""`snakemake init`: what the configuration says becomes the options of `trtflow init`."""

from __future__ import annotations

import argparse
import json

import pytest

from trtflow.commands import init
from trtflow.workflow import options
from trtflow.workflow.by_hand import ROOT
from trtflow.workflow.errors import PlanError
from trtflow.workflow.plan import make_plan


def test_the_configuration_is_what_the_command_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = {"model": "my model.onnx", "data": "it's data", "task": "detection", "labels": "boxes.json"}
    plan = make_plan(ROOT, {"init": asked, "own_samples": "mine"})
    parser = argparse.ArgumentParser()
    init.add_arguments(parser)
    found = vars(parser.parse_args(options.init(plan)))
    assert {key: str(found[key]) for key in asked} == asked
    assert str(found["folder"]) == "mine"


def test_all_keys_are_options():
    parser = argparse.ArgumentParser()
    init.add_arguments(parser)
    plan = make_plan(ROOT, {})
    schema = plan.root / "config/schema/config.schema.json"
    known = json.loads(schema.read_text())["properties"]["init"]["properties"]
    assert set(known) <= {action.dest for action in parser._actions}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "init: name a model: --config 'init={model: model.onnx, data: pictures}'"),
        ({"data": "pictures"}, "init"),
        ({"model": "m.onnx", "precision": "int8"}, "init"),
    ],
)
def test_what_it_cannot_take_is_told(asked, message):
    with pytest.raises(PlanError, match=message):
        options.init(make_plan(ROOT, {"init": asked}))
