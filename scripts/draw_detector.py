"""Write a detector with weights drawn by chance, to build and time it at its original size.

python scripts/draw_detector.py --network vgg16 --classes 21 --out ssd.pt
python scripts/draw_detector.py --network yolov3 --classes 80 --out yolov3.weights    # and yolov3.cfg beside it
"""

from pathlib import Path

import _path  # noqa: F401
import torch

from trtflow.cli import parser, run
from trtflow.models import yolov3
from trtflow.families.faster_rcnn.network import FasterRCNN, save_faster_rcnn
from trtflow.families.ssd.checkpoint import NETWORKS, save_checkpoint


def main() -> None:
    """Read the command line, draw and write."""
    arguments = parser(__doc__)
    arguments.add_argument(
        "--network", choices=[*NETWORKS, "faster_rcnn", "yolov3"], required=True, help="the detector"
    )
    arguments.add_argument("--classes", type=int, required=True, help="with the background, but for yolov3")
    arguments.add_argument("--width", type=float, default=1.0, help="factor on the channels")
    arguments.add_argument("--size", type=int, default=608, help="pixels of a side of yolov3's input")
    arguments.add_argument("--seed", type=int, default=0, help="of the weights")
    arguments.add_argument("--out", type=Path, required=True, help="checkpoint, or Darknet's weights, to write")
    options = arguments.parse_args()

    torch.manual_seed(options.seed)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if options.network == "faster_rcnn":
        save_faster_rcnn(FasterRCNN(options.classes, options.width).eval(), options.out)
        return
    if options.network != "yolov3":
        save_checkpoint(NETWORKS[options.network](options.classes, options.width).eval(), options.out)
        return
    sections = yolov3.yolov3_sections(options.width, options.classes, options.size)
    yolov3.save(yolov3.Darknet(sections).eval(), options.out.with_suffix(".cfg"), options.out)


if __name__ == "__main__":
    run(main)
