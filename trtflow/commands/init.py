"""Write the YAML file of a sample for a model of your own, complete and with comments, and say what is left to fill in.

examples:
  trtflow init model.onnx --data pictures    a folder of pictures for each class
  trtflow init model.onnx --data val.npz --calibration train.npz
  trtflow init regressor.onnx --data houses.csv --name houses
  trtflow init ssdlite.onnx --data VOC2012/ImageSets/Main/val.txt    a list of pictures in a folder beside it
  trtflow init yolov8n.onnx --data coco8    a data set's folder: images with labels of COCO, VOC or YOLO, or with masks
  trtflow init model.pt2    without data these are drawn by chance: how fast, and how near to the model as it was
  trtflow init model.onnx --shape tokens=128    a size that the model leaves open

The model is ONNX, Caffe, UFF, a frozen TensorFlow graph, a SavedModel's folder, .keras, Darknet's cfg with weights or
PyTorch's exported program (.pt2). The file goes to config/samples, below this folder; one that is there stays as it is.
docs/your-own-model.md tells more.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from trtflow.cli import quiet_tensorflow
from trtflow.formats import UserError


def named_shape(text: str) -> tuple[str, list[int]]:
    """Return the name and the sizes of NAME=SIZE,SIZE."""
    name, _, sizes = text.rpartition("=")
    if not name or not all(size.isdigit() and int(size) for size in sizes.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=SIZE,SIZE")
    return name, [int(size) for size in sizes.split(",")]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("model", type=Path, help="the model")
    parser.add_argument(
        "--data", type=Path, help="held-out data: a folder or list of pictures, .npz, .npy, .csv, .parquet"
    )
    parser.add_argument("--labels", type=Path, help="boxes on the pictures; default: looked for in and beside --data")
    parser.add_argument("--masks", type=Path, help="masks of the pictures; default: the same")
    parser.add_argument("--calibration", type=Path, help="data for INT8 calibration; default: some of --data")
    parser.add_argument(
        "--task", help="classification, multilabel, detection, segmentation, regression or none; default: guessed"
    )
    parser.add_argument("--name", help="name of the sample; default: the model's")
    parser.add_argument("--deploy", type=Path, help="prototxt of a caffemodel; default: of the same name beside it")
    parser.add_argument("--preprocessor", type=Path, help="Python file with preprocess(dynamic_graph), for a .pb")
    parser.add_argument("--plugins", type=Path, action="append", default=[], metavar="FILE.py", help="own plugins")
    text = "sizes of an input without the batch, where the model leaves them open"
    parser.add_argument("--shape", type=named_shape, action="append", default=[], metavar="NAME=SIZE,SIZE", help=text)
    text = "leave out what the model's answers to some of the data say of pictures' mean and scale and of classes"
    parser.add_argument("--no-try", action="store_true", help=text)
    parser.add_argument("--folder", type=Path, default=Path("config/samples"), help="where the file goes")


def main(options: argparse.Namespace) -> None:
    """Write the file, and data drawn by chance where there are none.

    Raises:
        UserError: the file is there already, or something about the model or the data.
    """
    from trtflow.workflow.by_hand import ROOT  # noqa: PLC0415 - as below, the command's help is to be quick
    from trtflow.workflow.samples import guide_samples  # noqa: PLC0415

    quiet_tensorflow()
    guide = guide_samples(ROOT)
    name = options.name or sample_name(options.model, guide)
    if name in guide:
        raise UserError(f"--name {name}: it is a sample of the guide's. Take another name.")
    target = options.folder / f"{name}.yaml"
    if target.exists():
        raise UserError(f"{target}: it is there already. Remove it, or give another --name.")
    from trtflow.datasets.own import array_shapes  # noqa: PLC0415
    from trtflow.families.own.init import (  # noqa: PLC0415
        find_places,
        guess,
        held_out_arrays,
        read_facts,
        to_yaml,
        try_out,
    )
    from trtflow.families.own.init.facts import random_arrays  # noqa: PLC0415
    from trtflow.formats.arrays import write_arrays  # noqa: PLC0415
    from trtflow.formats.files import write_text  # noqa: PLC0415
    from trtflow.runtime.own_plugins import plugin_files  # noqa: PLC0415

    model = model_settings(options)
    places = find_places(options.data, options.labels, options.masks) if options.data else None
    arrays = array_shapes(places.val, held_out_arrays(places.val)) if places else {}
    with plugin_files(options.plugins):
        facts = read_facts(model, dict(options.shape), arrays)
    guessed = guess(facts, places, options.task)
    if places and not options.no_try:
        try_out(facts, places, guessed)
    data = dict(places.told) if places else {"val": str(options.folder / f"{name}.npz")}
    if options.calibration:
        data |= calibrating(options.calibration)
    if places is None:
        write_arrays(data["val"], random_arrays(facts))
    title = name.replace("_", " ")
    write_text(target, to_yaml(name, title, model, data, facts, guessed, command_of(options)))
    _tell(target, facts, guessed)


def calibrating(path: Path) -> dict[str, str]:
    """Return what `data` says of a place that calibrates, given as an option."""
    from trtflow.datasets.labelled.lists import is_list  # noqa: PLC0415 - as in main
    from trtflow.families.own.init.places import list_folder, table_folder  # noqa: PLC0415

    told = {"calibration": str(path)}
    folder = list_folder(path) if is_list(path) else table_folder(path)
    return {**told, "folder": str(folder)} if folder else told


def command_of(options: argparse.Namespace) -> str:
    """Return the command that the file names as its maker."""
    told = {key: getattr(options, key) for key in ("data", "labels", "masks", "calibration", "task", "deploy")}
    given = [f"--{key} {value}" for key, value in told.items() if value]
    given += [f"--shape {name}={','.join(map(str, sizes))}" for name, sizes in options.shape]
    return " ".join([f"trtflow init {options.model}", *given])


def sample_name(model: Path, taken: Collection[str]) -> str:
    """Return the name of a sample for a model, of letters, digits and _, which is none of those that are taken.

    Raises:
        UserError: its file's name has no letter.
    """
    name = re.sub(r"[^a-z0-9]+", "_", model.name.removesuffix(model.suffix).lower()).strip("_").lstrip("_0123456789")
    if not name:
        raise UserError(f"{model}: no letter in its name. Give --name.")
    return f"my_{name}" if name in taken else name


def model_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the section `model` of the sample."""
    file = f"{options.model}/" if options.model.is_dir() else str(options.model)
    files = {key: str(place) for key in ("deploy", "preprocessor") if (place := getattr(options, key))}
    plugins = {"plugins": [str(path) for path in options.plugins]} if options.plugins else {}
    return {"file": file, **files, **plugins}


def _tell(target: Path, facts: Any, guessed: Any) -> None:
    """Print what was written, what is left, and how to run it."""
    print(f"{target}: {guessed.task}, as {guessed.why}")
    for kind, values in (("input", facts.inputs), ("output", facts.outputs)):
        for name, (shape, dtype) in values.items():
            kept = "" if kind == "input" or name in guessed.outputs else ", left out"
            print(f"  {kind} {name}: {dtype} {list(shape)}{kept}")
    for sentence in guessed.tried:
        print(f"found: {sentence}")
    for sentence in guessed.left:
        print(f"to fill in: {sentence}")
    if not guessed.left:
        print("nothing is left to fill in")
    print(f"run it: snakemake results/{target.stem}_report.json")
