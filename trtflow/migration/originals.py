"""What the model that is migrated answers in a runtime of its own, which has nothing of ours in it.

Caffe models run in OpenCV's DNN, frozen graphs in TensorFlow, ONNX models in ONNX Runtime. A UFF file has no runtime
but TensorRT; what a runtime does not know, a plugin say, is not compared, and the report says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trtflow.formats import UserError
from trtflow.migration.agreement import Difference, draw_inputs
from trtflow.migration.lowering import Lowered

SCORE, CORNER = 1e-4, 1e-3  # how far a detection may be off; TensorRT has sizes of boxes as half numbers
ALONE = "no runtime but TensorRT reads UFF: compared with the reference runtime alone, which shares its parser"


@dataclass(frozen=True)
class Detections:
    """Detections of two runtimes: of `wanted` those that have one of the same label, score and box in `found`."""

    output: str
    wanted: int
    found: int
    matched: int

    @property
    def unmatched(self) -> float:
        """Part of the larger set that has no partner; 1 where there is nothing to match, which proves nothing."""
        most = max(self.wanted, self.found)
        return 1 - self.matched / most if most else 1.0


@dataclass
class Asked:
    """What was asked of the original.

    Attributes:
        runtime: name and version; empty where none could be asked.
        differences: of the float32 network's values from the original's.
        quantised: the same of the Q/DQ network, where there is a table.
        detections: outputs that are lists of detections.
        left_out: what was not compared, and why.
    """

    runtime: str = ""
    differences: list[Difference] = field(default_factory=list)
    quantised: list[Difference] = field(default_factory=list)
    detections: list[Detections] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Original:
    """The files of the model that is migrated.

    Attributes:
        form: caffe, uff, tensorflow or onnx.
        path: the model.
        deploy: prototxt of a caffemodel.
        uff: of a TensorFlow graph what the converter made of it.
    """

    form: str
    path: Path
    deploy: Path | None = None
    uff: Path | None = None


def ask_original(original: Original, lowered: Lowered, seed: int) -> Asked:
    """Return how the lowered network differs from the original, on one input drawn by chance."""
    feeds = draw_inputs(lowered.model, lowered.scales, 1, seed)
    try:
        if original.form == "caffe":
            from trtflow.migration.original_caffe import ask_opencv  # noqa: PLC0415 - loads OpenCV

            return ask_opencv(original, lowered, feeds)
        if original.form == "tensorflow":
            from trtflow.migration.original_tensorflow import ask_tensorflow  # noqa: PLC0415 - loads TensorFlow

            return ask_tensorflow(original, lowered, feeds)
        if original.form == "onnx":
            from trtflow.migration.original_onnx import ask_onnxruntime  # noqa: PLC0415

            return ask_onnxruntime(original, lowered, feeds)
    except UserError as error:  # the original need not run here for its migration to be of use
        return Asked(left_out=[f"the original was not run: {error}"])
    return Asked(left_out=[ALONE])


def match(output: str, found: np.ndarray, wanted: np.ndarray) -> Detections:
    """Pair detections, each row label, score, xmin, ymin, xmax, ymax, best first."""
    free = list(range(len(found)))
    matched = 0
    for row in wanted:
        limits = np.array([0, SCORE, *[CORNER] * 4])
        partner = next((place for place in free if (np.abs(found[place] - row) <= limits).all()), None)
        if partner is not None:
            free.remove(partner)
            matched += 1
    return Detections(output, len(wanted), len(found), matched)
