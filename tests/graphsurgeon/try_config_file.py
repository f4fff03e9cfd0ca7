"""Run a file that was written for NVIDIA's graphsurgeon, as it is, on a small frozen detector; compare with TensorFlow.

python tests/graphsurgeon/try_config_file.py config.py --model ssd_inception_v2_coco_2017_11_17
python tests/graphsurgeon/try_config_file.py build_engine.py --model ssdlite_mobilenet_v2_coco_2018_05_09 \\
    --function add_plugin --spec ssdlite_mobilenet_v2_coco
python tests/graphsurgeon/try_config_file.py ssd.py --model ssd_mobilenet_v2_coco_2018_03_29 \\
    --function SSDMobileNetV2.add_plugin --overlap 0.5
"""

import argparse
import os
import runpy
import sys
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from detections import agreeing, of_tensorflow, of_uff

from detection_graphs import OVERLAP, PUBLISHED, Detector  # isort: skip - found by what detections adds to the path
from trtflow.converters.uff import from_tensorflow
from trtflow.graphsurgeon import DynamicGraph
from trtflow.nvidia import nvidia_names


def main() -> None:
    """Read the command line, run the file, and print how many detections are TensorFlow's."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--model", choices=PUBLISHED, required=True)
    arguments.add_argument(
        "--function", default="preprocess", help="that changes a DynamicGraph, or returns one; of a class, CLASS.NAME"
    )
    arguments.add_argument("--spec", help="key of the file's MODEL_SPECS, which the function takes with its value")
    arguments.add_argument("--output", default="NMS", help="name of the plugin that gives the detections")
    arguments.add_argument("--classes", type=int, default=91, help="the background included")
    arguments.add_argument("--smallest", type=float, default=0.2, help="scale of the smallest anchors")
    arguments.add_argument("--overlap", type=float, default=OVERLAP, help="from which on the file suppresses boxes")
    arguments.add_argument("--seed", type=int, default=1, help="of the weights")
    options = arguments.parse_args()

    sizes = (options.classes, options.smallest)
    detector = Detector(PUBLISHED[options.model], *sizes, overlap=options.overlap, seed=options.seed)
    graphdef = detector.graph()
    sys.path.insert(0, str(options.file.resolve().parent))
    with nvidia_names():
        names = runpy.run_path(str(options.file))
        graph = DynamicGraph(graphdef)
        more = (options.spec, names["MODEL_SPECS"][options.spec]) if options.spec else ()
        function = attrgetter(options.function)(SimpleNamespace(**names))
        graph = function(graph, *more) or graph
    found = of_uff(from_tensorflow(graph.as_graph_def(), [options.output], quiet=True))
    print(f"{options.file}: {agreeing(found, of_tensorflow(graphdef))} of {len(found)} detections are TensorFlow's")


if __name__ == "__main__":
    main()
