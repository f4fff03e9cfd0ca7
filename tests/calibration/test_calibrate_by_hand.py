"""scripts/calibrate.py on files that no workflow made: no checksums, no backend file, batch files of any name."""

import sys
from types import SimpleNamespace

import calibrate
import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.calibration.calibrators import make_calibrator
from trtflow.calibration.streams import BatchStream
from trtflow.formats import UserError
from trtflow.formats.batch_file import Batch, write_batch
from trtflow.formats.calibration_table import read_table
from trtflow.runtime.build import build_plan
from trtflow.runtime.devices import HostBuffer


def define_network(trt, network, export=None):
    data = network.add_input("data", trt.float32, (1, 4, 4))
    layer = network.add_activation(data, trt.ActivationType.RELU)
    layer.get_output(0).name = "relu"
    network.mark_output(layer.get_output(0))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs the script with batch files of a name, and returns the table's path."""

    def run(name, sizes, *options):
        rng = np.random.default_rng(0)
        for number, count in enumerate(sizes):
            images = rng.normal(size=(count, 1, 4, 4)).astype(np.float32)
            write_batch(tmp_path / "batches" / name.format(number), Batch(images))
        sample = SimpleNamespace(define_network=define_network)
        monkeypatch.setattr(calibrate, "load_sample", lambda name: sample)
        table = tmp_path / "CalibrationTable"
        folders = ["--export-dir", str(tmp_path), "--batch-dir", str(tmp_path / "batches"), "--out", str(table)]
        monkeypatch.setattr(sys, "argv", ["calibrate.py", "--sample", "own", *folders, *options])
        calibrate.main()
        return table

    return run


@pytest.mark.parametrize(
    ("name", "sizes", "options", "size"),
    [
        ("batch_calibration{}.batch", (50, 50), ("--batch-size", "10"), 10),
        ("batch{}", (10, 10, 10), ("--batch-size", "15"), 15),
        ("batch{}", (4, 4), ("--batches", "2"), 4),
    ],
)
def test_table_is_that_of_the_same_images(tmp_path, run, name, sizes, options, size):
    table = run(name, sizes, *options)
    paths = [tmp_path / "batches" / name.format(number) for number in range(len(sizes))]
    images = np.concatenate([batch for path in paths for batch in BatchStream([path])])
    write_batch(tmp_path / "all", Batch(images))
    wanted = tmp_path / "wanted"
    calibrator = make_calibrator(trt, "entropy2", BatchStream([tmp_path / "all"], size), wanted, HostBuffer)
    build_plan(trt, define_network, "int8", size, calibrator)
    assert list(read_table(table).scales) == ["data", "relu"]
    assert table.read_bytes() == wanted.read_bytes()


def test_fewer_files_than_asked_for_are_one_clear_error(run):
    with pytest.raises(UserError, match="batches: 3 batch files asked of 2"):
        run("batch{}", (4, 4), "--batches", "3")
