"""`mixed_precision: auto` of a model of the user's own: a calibration cuts off what is rare, and the search mends it.

Of the U-Net's activations the bright ones, which are the objects, are few: entropy calibration takes a ninth of their
range, and INT8 is wrong by it. TensorRT's algorithm gives these scales (docs/calibration.md); minmax does not cut.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from find_mixed_precision import Trial, agreement_loss
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
from trtflow.losses import Precise, losses_text, tensor_losses
from trtflow.metrics.agreement import snr_db
from trtflow.runtime.build import build_plan
from trtflow.runtime.devices import device_of
from trtflow.samples import load
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


def trial_of(algorithm):
    """Calibrate by an algorithm, and return a trial of the engines, which asks for what the plan says."""
    sample, table = load("unet"), Path(f"Calibration{algorithm}")
    batch = read_batch(Path("batches/batch0"))
    stream = BatchStream([Path("batches/batch0")], len(batch.images))
    calibrator = make_calibrator(trt, algorithm, stream, table, device_of(trt).allocate, sample.unpack)
    define = lambda trt, network: sample.define_network(trt, network, Path())  # noqa: E731
    build_plan(trt, define, "int8", len(batch.images), calibrator, explicit_batch=True)
    search = make_plan(ROOT, {}).sample("unet")["mixed_precision"]
    assert search == {"metric": "pixel_agreement", "least": 0.95}  # as its gate
    given = {"sample": "unet", "export_dir": Path(), "ranges": None, "calibration_table": table}
    return Trial(trt, argparse.Namespace(**given, algorithm=algorithm, **search), [batch])


def test_the_layers_that_read_what_was_cut_off_is_kept(adopted, monkeypatch):
    monkeypatch.chdir(adopted)
    trial = trial_of("entropy2")
    scales = read_table(trial.options.calibration_table).scales
    bright = float(scales["/first/first.1/Relu_output_0"]) * 127
    assert bright < 0.2  # of 1, which the colours have
    loss_of = agreement_loss(trial)
    assert loss_of(()).drop > 0.1
    kept = smallest_set(trial.layers, loss_of, 0)
    assert kept == ["/down/down.1/Conv", "/last/Conv"]  # of four, those that read it
    mask = trial.answers("int8", kept)["mask"]
    assert np.mean(mask == trial.exact["mask"]) > 0.95


def test_nothing_is_kept_where_nothing_was_cut_off(adopted, monkeypatch):
    monkeypatch.chdir(adopted)
    trial = trial_of("minmax")
    assert smallest_set(trial.layers, agreement_loss(trial), 0) == []


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
    given = {"sample": "rows", "export_dir": Path(), "ranges": None, "metric": "overlap_agreement", "least": 0.9}
    trial = Trial(trt, argparse.Namespace(**given), [Batch(packed)])
    assert [len(batch.images) for batch in trial.batches] == [1] * len(packed)
    assert len(trial.exact["detections"]) == len(packed) > 1
    assert trial.layers


def test_an_agreement_that_the_task_lacks_is_told(adopted, monkeypatch):
    monkeypatch.chdir(adopted)
    trial = trial_of("minmax")
    trial.options.metric = "overlap_agreement"
    with pytest.raises(UserError, match="mixed_precision.metric: 'overlap_agreement' is no agreement of this task"):
        agreement_loss(trial)


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


def test_losses_are_those_of_an_onnx_runtime_of_its_own(adopted, monkeypatch):
    """What a tensor is in float32 comes from ONNX Runtime; what INT8 loses most is what was cut off, and is told."""
    monkeypatch.chdir(adopted)
    trial = trial_of("entropy2")
    (batch,), table = trial.batches, trial.options.calibration_table
    scales = {name: float(scale) for name, scale in read_table(table).scales.items()}
    define = lambda trt, network: trial.sample.define_network(trt, network, Path())  # noqa: E731
    served = make_calibrator(trt, "entropy2", None, table, device_of(trt).allocate)
    losses = tensor_losses(
        trt,
        define,
        Precise(define, served, None),
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
    trial = trial_of("minmax")
    (batch,), exact = trial.batches, trial.exact
    ours = trial.answers("int8")
    steps = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8, "per_channel": True}
    symmetric = {"ActivationSymmetric": True}
    quantize_static("unet.onnx", tmp_path / "theirs.onnx", Reader(batch.images), **steps, extra_options=symmetric)
    session = onnxruntime.InferenceSession(tmp_path / "theirs.onnx")
    (theirs,) = session.run(None, {"image": batch.images})
    assert np.mean(theirs.argmax(1) == exact["mask"]) > 0.999
    assert np.mean(ours["mask"] == exact["mask"]) > 0.999
    assert snr_db(ours["output/logits"], exact["output/logits"]) > snr_db(theirs, exact["output/logits"]) - 1
