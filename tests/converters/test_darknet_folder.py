"""A folder of `.cfg` files, such as the public ones: each is converted with seeded weights and held against others.

    TRTFLOW_DARKNET_CFGS=~/cfgs pytest -s tests/converters/test_darknet_folder.py

prints a line a file and the counts that docs/darknet.md quotes. Filters and picture are made smaller where the network
allows it. What OpenCV's DNN reads must agree with it, but for the options that it leaves out (`left_out`); all must
agree with Darknet's C code in PyTorch.
"""

import os
from collections import Counter
from pathlib import Path

import pytest
from darknet_networks import (
    TOLERANCE,
    converted_outputs,
    distance,
    opencv_outputs,
    picture_of,
    random_values,
    small,
    written,
)
from darknet_torch import torch_outputs

from trtflow.formats import FormatError
from trtflow.formats.darknet import read_layers

FOLDER = os.environ.get("TRTFLOW_DARKNET_CFGS", "")


def left_out(layer):
    """Return the option of a layer that OpenCV 4.13 passes over though it changes what the layer computes."""
    options = layer.options
    cases = {
        "temperature": options.get("temperature", 1) != 1,
        "softmax of a whole map": layer.kind == "softmax" and layer.shape[1:] != (1, 1),
        "dilation": options.get("dilation", 1) != 1,
        "share_index": options.get("share_index") is not None,
        "extra": options.get("extra", 0) > 0,
        "xnor": bool(options.get("xnor", 0)),
    }
    return next((name for name, there in cases.items() if there), "")


def compare(path, folder, far):
    """Return what became of a file: refused, or right by OpenCV or PyTorch alone; raises where it is not right.

    `far` gets the distances from both.
    """
    cv2 = pytest.importorskip("cv2")
    try:
        sections = small(path)
    except FormatError as error:
        return "refused", error.fault
    cfg, weights = written(folder, sections)
    layers = read_layers(cfg)
    picture = picture_of(cfg)
    mine = converted_outputs(layers, random_values(layers), picture)
    far["PyTorch"].append(distance(mine, torch_outputs(cfg, weights, picture)))
    assert far["PyTorch"][-1] < TOLERANCE, f"{path}: {far['PyTorch'][-1]} from PyTorch"
    omitted = next(filter(None, map(left_out, layers)), "")
    if omitted:
        return "right by PyTorch, OpenCV leaves out an option", omitted
    try:
        theirs = opencv_outputs(cfg, weights, layers, picture)
    except cv2.error as error:
        return "right by PyTorch, OpenCV does not run it", error.err.strip().splitlines()[0]
    far["OpenCV"].append(distance(mine, theirs))
    assert far["OpenCV"][-1] < TOLERANCE, f"{path}: {far['OpenCV'][-1]} from OpenCV"
    return "right by OpenCV and PyTorch", f"{far['OpenCV'][-1]:.1e}"


@pytest.mark.skipif(not FOLDER, reason="TRTFLOW_DARKNET_CFGS names no folder of .cfg files")
def test_networks_of_a_folder(tmp_path):
    counts, far, paths = Counter(), {"PyTorch": [], "OpenCV": []}, sorted(Path(FOLDER).rglob("*.cfg"))
    assert paths, f"no .cfg in {FOLDER}"
    for path in paths:
        found, why = compare(path, tmp_path, far)
        counts[found] += 1
        print(f"{path.name}: {found} ({why})", flush=True)
    print(f"{len(paths)} files: {'; '.join(f'{count} {what}' for what, count in sorted(counts.items()))}")
    print("; ".join(f"largest distance from {name} {max(values):.1e}" for name, values in far.items() if values))
