"""Convert a Darknet network to ONNX, and say what became of each layer.

python scripts/convert_darknet.py --cfg results/yolov3_onnx/model/yolov3.cfg \\
    --weights results/yolov3_onnx/model/yolov3.weights --out-dir results/yolov3_onnx/export
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.converters.darknet import convert
from trtflow.formats.checksums import write_checksums
from trtflow.formats.darknet import input_shape, read_cfg, read_weights, resolve
from trtflow.formats.files import write_bytes

MODEL, CFG = "model.onnx", "yolov3.cfg"


def main() -> None:
    """Read the command line and the files, write the model, with the cfg beside it, which knows the input's size."""
    arguments = parser(__doc__)
    arguments.add_argument("--cfg", type=Path, required=True, help="Darknet's network")
    arguments.add_argument("--weights", type=Path, required=True, help="Darknet's weights")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()

    sections = read_cfg(options.cfg)
    layers = resolve(sections, options.cfg)
    header, values = read_weights(options.weights, layers)
    model, account = convert(layers, values, input_shape(sections, options.cfg))
    write_bytes(options.out_dir / MODEL, model.SerializeToString(deterministic=True))
    write_bytes(options.out_dir / CFG, options.cfg.read_bytes())
    write_checksums(options.out_dir, [MODEL, CFG])
    print("\n".join([*account, f"{len(layers)} layers, trained on {header.seen} pictures"]))


if __name__ == "__main__":
    run(main)
