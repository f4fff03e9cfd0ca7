"""Time the plugins that only move memory against a copy of the same bytes on the device.

python3.10 plugins/bench.py --plugins results/plugins --megabytes 256

For the engine's Python: numpy, tensorrt and pycuda. A plugin that reads and writes as much as a copy should take as
long: the last column is the copy's time over the plugin's. Times are medians of CUDA events around one execution each.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pycuda.autoinit  # noqa: F401 - makes the context
import pycuda.driver as cuda
import tensorrt as trt

from trtflow.runtime.build import build_plan
from trtflow.runtime.entry import engine_of
from trtflow.runtime.plugins import load_plugins

FIELDS = {
    "CustomClipPlugin": {"clipMin": np.float32([0]), "clipMax": np.float32([6])},
    "FlattenConcat": {"axis": np.int32([1]), "ignoreBatch": np.int32([0])},
}
TYPES = {"int32": trt.PluginFieldType.INT32, "float32": trt.PluginFieldType.FLOAT32}


def plugin_engine(plugin: str, inputs: int, elements: int, half: bool) -> Any:
    """Return an engine of one plugin; its inputs have `elements` values together."""

    def define(trt: Any, network: Any) -> None:
        dtype, shape = trt.float16 if half else trt.float32, (elements // inputs // 1024, 32, 32)
        fields = [trt.PluginField(name, data, TYPES[data.dtype.name]) for name, data in FIELDS[plugin].items()]
        creator = trt.get_plugin_registry().get_plugin_creator(plugin, "1", "")
        made = creator.create_plugin(plugin, trt.PluginFieldCollection(fields))
        tensors = [network.add_input(f"x{index}", dtype, shape) for index in range(inputs)]
        network.mark_output(network.add_plugin_v2(tensors, made).get_output(0))

    plan = build_plan(trt, define, "fp16" if half else "fp32", max_batch_size=1)
    return engine_of(trt, plan)


def median_ms(execute: Callable[[], Any], stream: Any, repeats: int) -> float:
    """Return the median time of an execution on a stream, in milliseconds; the first ones are not counted."""
    times = []
    for index in range(repeats + 5):
        start, end = cuda.Event(), cuda.Event()
        start.record(stream)
        execute()
        end.record(stream)
        end.synchronize()
        if index >= 5:
            times.append(start.time_till(end))
    return statistics.median(times)


def main() -> None:
    """Time and print a table, and the same as one line of JSON."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--plugins", type=Path, default=Path("results/plugins"), help="folder of the libraries")
    arguments.add_argument("--megabytes", type=int, default=256, help="what a plugin reads, and writes")
    arguments.add_argument("--repeats", type=int, default=50)
    options = arguments.parse_args()

    load_plugins(trt, FIELDS, options.plugins)
    size, stream = options.megabytes << 20, cuda.Stream()
    source, target = cuda.mem_alloc(size), cuda.mem_alloc(size)
    cuda.memset_d32(source, 0x3F800000, size // 4)
    copy = median_ms(lambda: cuda.memcpy_dtod_async(target, source, size, stream), stream, options.repeats)
    rows = [{"what": "copy", "ms": copy, "gb_per_s": 2 * size / copy / 1e6, "of_copy": 1.0}]
    for plugin, inputs in (("CustomClipPlugin", 1), ("FlattenConcat", 4)):
        for half in (False, True):
            engine = plugin_engine(plugin, inputs, size // (2 if half else 4), half)
            context = engine.create_execution_context()
            bindings = [int(source) + index * (size // inputs) for index in range(inputs)] + [int(target)]
            took = median_ms(
                lambda context=context, bindings=bindings: context.execute_async(1, bindings, stream.handle),
                stream,
                options.repeats,
            )
            what = f"{plugin} {'fp16' if half else 'fp32'}"
            rows.append({"what": what, "ms": took, "gb_per_s": 2 * size / took / 1e6, "of_copy": copy / took})
    for row in rows:
        print(f"{row['what']:24} {row['ms']:8.3f} ms {row['gb_per_s']:8.0f} GB/s {row['of_copy']:6.1%} of a copy")
    print(json.dumps({"device": cuda.Device(0).name(), "tensorrt": trt.__version__, "bytes": size, "rows": rows}))


if __name__ == "__main__":
    main()
