"""Run the cases of tests/reference/plugin_cases.py on a GPU: build, serialise, deserialise, run, compare.

python3.10 tests/gpu/run_plugin_cases.py --plugins results/plugins

For the engine's Python: numpy, tensorrt and pycuda. Prints a line a case and precision; exit status 1 when one is off.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/reference")]

import pycuda.autoinit  # noqa: E402, F401 - makes the context
import pycuda.driver as cuda  # noqa: E402
import tensorrt as trt  # noqa: E402
from plugin_cases import CASES, TOLERANCES, Case, create_plugin, define, error  # noqa: E402

from trtflow.runtime.build import build_plan  # noqa: E402
from trtflow.runtime.plugins import fc_plugin_factory, load_plugins, read_record  # noqa: E402


def plan_of(case: Case, precision: str) -> bytes:
    """Return the plan of the case's layer; float32 without TF32."""

    def configure(trt: Any, config: Any) -> None:
        config.clear_flag(trt.BuilderFlag.TF32)

    return build_plan(trt, define(case, precision), precision, max_batch_size=4, configure=configure)


def run(plan: bytes, inputs: list[np.ndarray]) -> np.ndarray:
    """Return the output y of a batch."""
    engine = trt.Runtime(trt.Logger(trt.Logger.WARNING)).deserialize_cuda_engine(plan)
    batch = len(inputs[0])
    arrays: dict[str, np.ndarray] = {}
    for index in range(engine.num_bindings):
        name, dtype = engine.get_binding_name(index), trt.nptype(engine.get_binding_dtype(index))
        shape = (batch, *engine.get_binding_shape(index))
        arrays[name] = np.empty(shape, dtype) if name == "y" else inputs[int(name[1:])].astype(dtype)
    buffers = {name: cuda.mem_alloc(array.nbytes) for name, array in arrays.items()}
    for name, array in arrays.items():
        cuda.memcpy_htod(buffers[name], np.ascontiguousarray(array))
    contexts = [engine.create_execution_context() for _ in range(2)]  # the second shows what contexts share
    for context in contexts:
        if not context.execute(batch, [int(buffers[name]) for name in arrays]):
            sys.exit("the engine could not run; its messages stand above this line")
    cuda.memcpy_dtoh(arrays["y"], buffers["y"])
    return arrays["y"]


def check_clones(case: Case) -> bool:
    """Whether a clone and a deserialised copy of a plugin hold the same bytes."""
    plugin = create_plugin(trt, case)
    creator = trt.get_plugin_registry().get_plugin_creator(case.plugin, "1", "")
    data = bytes(plugin.serialize())
    return bytes(plugin.clone().serialize()) == data == bytes(creator.deserialize_plugin("copy", data).serialize())


def main() -> None:
    """Run every case in both precisions."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--plugins", type=Path, default=Path("results/plugins"), help="folder of the libraries")
    options = arguments.parse_args()

    record = read_record(trt, options.plugins)
    load_plugins(trt, record["plugins"], options.plugins)
    if record["module"]:
        trt.CaffeParser().plugin_factory_v2 = fc_plugin_factory(trt, options.plugins)
    print(f"{cuda.Device(0).name()}, TensorRT {trt.__version__}, {record}")
    failed = 0
    for case in CASES:
        failed += not check_clones(case)
        for precision, tolerance in TOLERANCES.items():
            off = error(case, precision, run(plan_of(case, precision), case.inputs))
            verdict = "ok  " if off <= tolerance else "OFF "
            failed += verdict == "OFF "
            print(f"{verdict} {precision} {off:.1e} of at most {tolerance:.0e}  {case.name}")
    sys.exit(f"{failed} of the checks failed" if failed else 0)


if __name__ == "__main__":
    main()
