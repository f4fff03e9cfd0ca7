"""`mixed_precision: auto` of a model of the user's own: a calibration cuts off what is rare, and the search mends it.

Of the U-Net's activations the bright ones, which are the objects, are few: entropy calibration takes a ninth of their
range, and INT8 is wrong by it. TensorRT's algorithm gives these scales (docs/calibration.md); minmax does not cut.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import take_table
import torch
import yaml
from find_mixed_precision import agreement_loss
from own_steps import done, job_of, written
from places import UNet, export, write_pictures
from suppressed import write_rows7

import trtflow.reference as trt
from trtflow.calibration.calibrators import make_calibrator
from trtflow.calibration.mixed_precision import smallest_set
from trtflow.calibration.streams import BatchStream
from trtflow.formats import UserError
from trtflow.formats.batch_file import Batch, read_batch, write_batch
from trtflow.formats.calibration_table import read_table
from trtflow.formats.files import write_json
from trtflow.losses import Precise, losses_text, tensor_losses
from trtflow.metrics.agreement import snr_db
from trtflow.runtime.backend import describe
from trtflow.runtime.build import build_plan
from trtflow.runtime.devices import device_of
from trtflow.samples import load
from trtflow.trials import Trial
from trtflow.workflow.by_hand import ROOT
from trtflow.workflow.errors import PlanError
from trtflow.workflow.plan import make_plan

COUNT = 8
FILE = Path("config/samples/unet.yaml")


@pytest.fixture(scope="module")
def adopted(tmp_path_factory):
    """A folder with a U-Net, taken over, and one batch of its pictures."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_pictures(folder, COUNT)
        torch.manual_seed(0)
        export(UNet(), Path("unet.onnx"), ["logits"])
        told, _ = written("unet.onnx", "--data", "pictures", "--masks", "masks")
        assert told["calibration"] == {"algorithm": "minmax"}  # as init has it for segmentations
        FILE.write_text(yaml.safe_dump({**told, "mixed_precision": "auto"}, sort_keys=False))
        done(job_of("unet", "export"))
        sample = load("unet")
        items, _ = sample.read_images(Path("pictures"), "val")
        Path("batches").mkdir()
        write_batch(Path("batches/batch0"), Batch(sample.pack(sample.preprocess(items, Path())), None))
    return folder


def calibrated(algorithm):
    """Return the table that an algorithm makes of the batch."""
    sample, table = load("unet"), Path(f"Calibration{algorithm}")
    batch = read_batch(Path("batches/batch0"))
    stream = BatchStream([Path("batches/batch0")], len(batch.images))
    calibrator = make_calibrator(trt, algorithm, stream, table, device_of(trt).allocate, sample.unpack)
    define = lambda trt, network: sample.define_network(trt, network, Path())  # noqa: E731
    build_plan(trt, define, "int8", len(batch.images), calibrator, explicit_batch=True)
    return table


def search_with(algorithm):
    """Return a trial of the engines with the table of an algorithm, and what the plan asks of the search."""
    search = make_plan(ROOT, {}).sample("unet")["mixed_precision"]
    assert search == {"metric": "pixel_agreement", "least": 0.95}  # as its gate
    given = {"ranges": None, "calibration_table": calibrated(algorithm)}
    trial = Trial(trt, "unet", Path(), [read_batch(Path("batches/batch0"))])
    return trial, argparse.Namespace(**given, **search)


def test_the_layers_that_read_what_was_cut_off_is_kept(adopted, monkeypatch):
    monkeypatch.chdir(adopted)
    trial, asked = search_with("entropy2")
    scales = read_table(asked.calibration_table).scales
    bright = float(scales["/first/first.1/Relu_output_0"]) * 127
    assert bright < 0.2  # of 1, which the colours have
    loss_of = agreement_loss(trial, asked)
    assert loss_of(()).drop > 0.1
    kept = smallest_set(trial.layers, loss_of, 0)
    assert kept == ["/down/down.1/Conv", "/last/Conv"]  # of four, those that read it
    mask = trial.int8(asked.calibration_table, kept=kept)["mask"]
    assert np.mean(mask == trial.exact["mask"]) > 0.95


def test_nothing_is_kept_where_nothing_was_cut_off(adopted, monkeypatch):
    monkeypatch.chdir(adopted)
    trial, asked = search_with("minmax")
    assert smallest_set(trial.layers, agreement_loss(trial, asked), 0) == []


def test_a_model_that_fixes_its_batch_is_tried_in_batches_of_it(tmp_path, monkeypatch):
    """Its calibration has one file of many items; a search on them ran the engine on all at once, which it refuses."""
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path, COUNT)
    write_rows7(Path("rows.onnx"))
    written("rows.onnx", "--data", "pictures", "--labels", "labels")
    done(job_of("rows", "export"))
    sample = load("rows")
    items, _ = sample.read_images(Path("pictures"), "val")
    packed = sample.pack(sample.preprocess(items, Path()))
    trial = Trial(trt, "rows", Path(), [Batch(packed)])
    assert [len(batch.images) for batch in trial.batches] == [1] * len(packed)
    assert len(trial.exact["detections"]) == len(packed) > 1
    assert trial.layers


def test_an_agreement_that_the_task_lacks_is_told(adopted, monkeypatch):
    monkeypatch.chdir(adopted)
    trial, asked = search_with("minmax")
    asked.metric = "overlap_agreement"
    with pytest.raises(UserError, match="mixed_precision.metric: 'overlap_agreement' is no agreement of this task"):
        agreement_loss(trial, asked)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precisions": ["fp32"]}, "unet.yaml: mixed_precision: layers are searched on what calibrates"),
        ({"calibration": {"table": "unet.onnx"}}, "unet.yaml: mixed_precision: layers are searched on what calibrates"),
        ({"mixed_precision": "always"}, "unet.yaml: mixed_precision"),
    ],
)
def test_a_search_that_cannot_be_is_told_at_once(adopted, tmp_path, monkeypatch, change, message):
    told = yaml.safe_load((adopted / FILE).read_text())
    told["gates"] = [gate for gate in told["gates"] if gate["precision"] == "fp32"]
    monkeypatch.chdir(tmp_path)
    FILE.parent.mkdir(parents=True)
    FILE.write_text(yaml.safe_dump({**told, **change}))
    with pytest.raises(PlanError, match=message):
        make_plan(ROOT, {})


@pytest.mark.parametrize(("brightest", "taken"), [(1.0, "minmax"), (100.0, "entropy2")])
def test_with_auto_the_table_is_taken_whose_engine_agrees_more(
    adopted, tmp_path, monkeypatch, capsys, brightest, taken
):
    """Of entropy2 and minmax: minmax where what is rare matters; with a glaring pixel both do as well, so the first."""
    monkeypatch.chdir(tmp_path)
    for part in ("config", "results", "unet.onnx", "pictures", "masks"):
        (tmp_path / part).symlink_to(adopted / part)
    images = read_batch(adopted / "batches/batch0").images.copy()
    images[0, 0, 0, 0] = brightest
    write_batch(Path("batches/batch0"), Batch(images, None))
    write_json(Path("backend.json"), describe("reference", "python3"))
    tables = [calibrated(algorithm) for algorithm in ("entropy2", "minmax")]
    words = [*map(str, tables), "--sample", "unet", "--export-dir", ".", "--batch-dir", "batches", "--out", "chosen"]
    words += ["--backend-file", "backend.json", "--metric"]
    monkeypatch.setattr("sys.argv", ["take_table", *words, "pixel_agreement"])
    take_table.main()
    assert Path("chosen").read_bytes() == Path(f"Calibration{taken}").read_bytes()
    told = dict(re.findall(r"^(\w+): pixel_agreement ([\d.]+)", capsys.readouterr().out, re.MULTILINE))
    gained = float(told["minmax"]) - float(told["entropy2"])
    assert gained > 0.1 if taken == "minmax" else gained == 0
    monkeypatch.setattr("sys.argv", ["take_table", *words, "top1"])
    with pytest.raises(UserError, match="--metric: 'top1' is no agreement of this task. Known: "):
        take_table.main()


def test_auto_calibrates_by_each_and_engines_take_what_was_chosen(adopted, tmp_path, monkeypatch):
    told = {**yaml.safe_load((adopted / FILE).read_text()), "calibration": {"algorithm": "auto"}}
    monkeypatch.chdir(tmp_path)
    FILE.parent.mkdir(parents=True)
    FILE.write_text(yaml.safe_dump(told))
    plan = make_plan(ROOT, {})
    assert plan.sample("unet")["calibration"]["chosen_by"] == "pixel_agreement"  # as its gate
    tables = [f"results/unet/calibration/{algorithm}/CalibrationTableunet" for algorithm in ("entropy2", "minmax")]
    assert plan.tables_to_choose_from("unet") == tables
    assert "unet" in plan.calibrated()
    assert "unet" not in plan.calibrated_by_one()
    del told["mixed_precision"]
    FILE.write_text(yaml.safe_dump({**told, "calibration": {"algorithm": "auto", "table": "mine"}}))
    with pytest.raises(PlanError, match="calibration: with a table nothing is calibrated. Leave algorithm out"):
        make_plan(ROOT, {})


def test_losses_are_those_of_an_onnx_runtime_of_its_own(adopted, monkeypatch):
    """What a tensor is in float32 comes from ONNX Runtime; what INT8 loses most is what was cut off, and is told."""
    monkeypatch.chdir(adopted)
    trial, table = Trial(trt, "unet", Path(), [read_batch(Path("batches/batch0"))]), calibrated("entropy2")
    (batch,) = trial.batches
    scales = {name: float(scale) for name, scale in read_table(table).scales.items()}
    define = lambda trt, network: trial.sample.define_network(trt, network, Path())  # noqa: E731
    served = make_calibrator(trt, "entropy2", None, table, device_of(trt).allocate)
    losses = tensor_losses(
        trt,
        define,
        Precise(define, served),
        [trial.sample.unpack(batch.images)],
        scales,
        explicit_batch=True,
    )
    found = {loss.tensor: loss for loss in losses}
    relu = found["/first/first.1/Relu_output_0"]
    model = onnx.load("unet.onnx")
    model.graph.output.append(onnx.helper.make_tensor_value_info(relu.tensor, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (exact,) = session.run([relu.tensor], {"image": batch.images})
    assert relu.layer == "/first/first.1/Relu"
    assert relu.largest == pytest.approx(np.abs(exact).max(), rel=1e-5)
    assert relu.range == pytest.approx(scales[relu.tensor] * 127)
    assert relu.range < 0.2 * relu.largest
    noise = exact - exact.clip(-relu.range, relu.range)  # what is cut off; the steps themselves are small
    told = 10 * np.log10(np.square(exact).sum() / np.square(noise).sum())
    assert relu.snr_db == pytest.approx(told, abs=0.5)
    text = losses_text(losses)
    assert "The calibration cut" in text
    worst = text.splitlines()[1]
    assert float(worst.split()[0]) <= round(relu.snr_db, 1)


def test_with_minmax_int8_is_no_worse_than_onnx_runtimes_own(adopted, monkeypatch, tmp_path):
    """By `quantize_static` of the same network and pictures: what fails with entropy is its choice of ranges."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static  # noqa: PLC0415 - slow

    class Reader(CalibrationDataReader):
        def __init__(self, images):
            self.left = [{"image": images}]

        def get_next(self):
            return self.left.pop() if self.left else None

    monkeypatch.chdir(adopted)
    trial = Trial(trt, "unet", Path(), [read_batch(Path("batches/batch0"))])
    (batch,), exact = trial.batches, trial.exact
    ours = trial.int8(calibrated("minmax"))
    steps = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8, "per_channel": True}
    symmetric = {"ActivationSymmetric": True}
    quantize_static("unet.onnx", tmp_path / "theirs.onnx", Reader(batch.images), **steps, extra_options=symmetric)
    session = onnxruntime.InferenceSession(tmp_path / "theirs.onnx")
    (theirs,) = session.run(None, {"image": batch.images})
    assert np.mean(theirs.argmax(1) == exact["mask"]) > 0.999
    assert np.mean(ours["mask"] == exact["mask"]) > 0.999
    assert snr_db(ours["output/logits"], exact["output/logits"]) > snr_db(theirs, exact["output/logits"]) - 1
