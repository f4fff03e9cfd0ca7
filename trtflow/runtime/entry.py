"""TensorRT's two entry objects and the engine of a plan, with an error that says why there is none."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from trtflow.formats import UserError


def create_builder(trt: ModuleType, logger: Any) -> Any:
    """Return a builder of NVIDIA's tensorrt or trtflow.reference.

    Raises:
        UserError: TensorRT could not start on the GPU.
    """
    return _create(trt.Builder, logger)


def create_runtime(trt: ModuleType, logger: Any) -> Any:
    """Return a runtime, which loads plans.

    Raises:
        UserError: TensorRT could not start on the GPU.
    """
    return _create(trt.Runtime, logger)


def engine_of(trt: ModuleType, plan: bytes) -> Any:
    """Return the engine of a plan that this process made; `trtflow.runtime.session.load_engine` reads one from a file.

    Raises:
        UserError: TensorRT could not start on the GPU, or cannot load the plan.
    """
    engine = create_runtime(trt, trt.Logger(trt.Logger.WARNING)).deserialize_cuda_engine(plan)
    if engine is None:
        raise UserError("TensorRT cannot load its own plan; its messages stand above this line.")
    return engine


def _create(kind: Any, logger: Any) -> Any:
    try:
        return kind(logger)
    except TypeError as error:  # how TensorRT's bindings speak of an object that the library did not make
        raise UserError(
            "TensorRT could not start on this GPU; its messages stand above this line. Most often no device memory is "
            "free: end what else uses the GPU (nvidia-smi shows it)."
        ) from error
