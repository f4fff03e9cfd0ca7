"""A detector's Caffe model as files: its authors' prototxt, the same in TensorRT's form, and the weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trtflow.formats.caffe import NetParameter, read_prototxt, without_weights, write_caffemodel, write_prototxt
from trtflow.formats.checksums import write_checksums
from trtflow.formats.files import copy_file
from trtflow.job import Job

PROTOTXT, CAFFEMODEL = "model.prototxt", "model.caffemodel"
Convert = Callable[..., Any]


def write_model(job: Job, net: NetParameter, convert: Convert) -> None:
    """Write a network with its weights; `convert` brings its prototxt into TensorRT's form."""
    folder = _write_prototxts(job, without_weights(net), convert)
    write_caffemodel(net, folder / CAFFEMODEL)
    _write_checksums(job, folder)


def take_model(job: Job, convert: Convert) -> None:
    """Write a published model, the inputs `deploy` and `caffemodel`, in the same files."""
    stock = read_prototxt(job.input("deploy"))
    folder = _write_prototxts(job, stock, convert)
    copy_file(job.input("caffemodel"), folder / CAFFEMODEL)
    _write_checksums(job, folder)


def _write_prototxts(job: Job, stock: NetParameter, convert: Convert) -> Path:
    folder, converted = job.output("exports").parent, convert(stock)
    write_prototxt(without_weights(stock), job.output("stock"))
    write_prototxt(converted, folder / PROTOTXT)
    return folder


def _write_checksums(job: Job, folder: Path) -> None:
    write_checksums(folder, (job.output("stock").name, PROTOTXT, CAFFEMODEL))
