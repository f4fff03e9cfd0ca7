"""Classes of COCO as detectors number them, by Darknet's names, which are Pascal VOC's for the twenty that VOC has.

Lin et al., "Microsoft COCO: Common Objects in Context" (arXiv:1405.0312). The paper has 91 classes and the published
data 80 of them: Darknet numbers those 80 in a row, TensorFlow's label map keeps the numbers of the 91.
"""

from __future__ import annotations

NAMES = (
    *("person", "bicycle", "car", "motorbike", "aeroplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *("elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee"),
    *("skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard"),
    *("tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "sofa"),
    *("pottedplant", "bed", "diningtable", "toilet", "tvmonitor", "laptop", "mouse", "remote", "keyboard"),
    *("cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors"),
    *("teddy bear", "hair drier", "toothbrush"),
)
WITHOUT_PICTURES = {  # of the paper's classes, but the last, which no network has a place for
    12: "street sign",
    26: "hat",
    29: "shoe",
    30: "eye glasses",
    45: "plate",
    66: "mirror",
    68: "window",
    69: "desk",
    71: "door",
    83: "blender",
}
CLASSES = ("background", *NAMES)


def numbered() -> tuple[str, ...]:
    """Return the names in the places that TensorFlow's mscoco_label_map gives them, the background first."""
    known = iter(NAMES)
    count = len(NAMES) + len(WITHOUT_PICTURES)
    return ("background", *(WITHOUT_PICTURES.get(number) or next(known) for number in range(1, count + 1)))


NUMBERED = numbered()
