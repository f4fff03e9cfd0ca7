"""What runs a lowered network on a CPU: ONNX Runtime, or OpenVINO where it is installed and asked for.

OpenVINO has kernels for AVX-512 VNNI and AMX that ONNX Runtime lacks. It is asked for by `ICudaEngine.provider`, in the
workflow by `reference: {provider: openvino}`. Its own package is taken rather than onnxruntime-openvino, which installs
an older ONNX Runtime over the one that is there.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from trtflow.formats import UserError
from trtflow.reference.run.early_strides import stride_early
from trtflow.reference.run.kernels import for_cpu, with_emulated_half
from trtflow.reference.run.products import EXACT_PRODUCTS, needs_care, overflows

ONNX_RUNTIME, OPENVINO = PROVIDERS = ("onnxruntime", "openvino")

# the first would quantise weights that are to stay as they are, the second moves quantisers in front of pools
DISABLED = ["WeightBiasQuantization", "QDQPropagationTransformer"]


def version_of(provider: str) -> str:
    """Return name and version of a provider.

    Raises:
        UserError: there is no such provider, or it is not installed.
    """
    if provider == ONNX_RUNTIME:
        import onnxruntime  # noqa: PLC0415 - it takes as long as all else together

        return f"ONNX Runtime {onnxruntime.__version__}"
    if provider != OPENVINO:
        raise UserError(f"reference.provider is {provider!r}. Set it to {' or '.join(PROVIDERS)}.")
    return f"OpenVINO {_openvino().__version__.split('-')[0]}"


def fitted(model: onnx.ModelProto, provider: str) -> onnx.ModelProto:
    """Return a copy of a lowered network in the form that a provider's kernels take.

    OpenVINO finds integer kernels for Q/DQ pairs as they stand, but for convolutions that pass over points
    (`early_strides.py`); float16 it would compute in float32, unrounded.

    Raises:
        UserError: OpenVINO is to run INT8 on a processor on which its products overflow.
    """
    if provider == ONNX_RUNTIME:
        return for_cpu(model)
    if overflows() and any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        raise UserError(
            "OpenVINO's INT8 is wrong on this processor: it has no VNNI, and products that are large overflow. "
            f"Set reference.provider to {ONNX_RUNTIME}, whose products are exact here, or leave int8 out of precisions."
        )
    copy = with_emulated_half(model)
    stride_early(copy)
    return copy


def open_session(model: onnx.ModelProto, provider: str) -> Any:
    """Return an object whose `run(None, feeds)` gives the outputs of a model that `fitted` returned."""
    return session_of_onnxruntime(model) if provider == ONNX_RUNTIME else OpenVinoSession(model)


def session_of_onnxruntime(model: onnx.ModelProto, trace: Path | None = None) -> Any:
    """Return a session of ONNX Runtime; with a trace, one that writes the time of each node to a file of that name."""
    import onnxruntime  # noqa: PLC0415 - it takes as long as all else together

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if needs_care(model):
        options.add_session_config_entry(EXACT_PRODUCTS, "1")
    if trace is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(trace)
    return onnxruntime.InferenceSession(
        model.SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=DISABLED,
    )


class OpenVinoSession:
    """A network that OpenVINO has compiled for the CPU."""

    def __init__(self, model: onnx.ModelProto, threads: int = 0) -> None:
        """Compile a network.

        Args:
            model: ONNX.
            threads: most threads to use; 0 for as many as there are cores.

        Raises:
            UserError: OpenVINO is not installed, or cannot take the network.
        """
        core = _openvino().Core()
        # float32 stays float32 where the processor has bfloat16
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        try:
            read = core.read_model(io.BytesIO(model.SerializeToString()))
            self._compiled = core.compile_model(read, "CPU", settings)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(
                f"OpenVINO cannot take this network: {reason}. Set reference.provider to {ONNX_RUNTIME}."
            ) from error
        self._request = self._compiled.create_infer_request()

    def run(self, names: None, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return all outputs, in the model's order, as `onnxruntime.InferenceSession.run` does."""
        results = self._request.infer(dict(feeds), share_inputs=True)
        return [np.array(results[port]) for port in self._compiled.outputs]


def _openvino() -> Any:
    """Return the module.

    Raises:
        UserError: it is not installed.
    """
    try:
        import openvino  # noqa: PLC0415 - optional
    except ImportError as error:
        raise UserError(
            f"reference.provider is openvino, which is not installed here ({error}). Install it with "
            f"`pip install 'trtflow[openvino]'`, or set reference.provider to {ONNX_RUNTIME}."
        ) from error
    return openvino
