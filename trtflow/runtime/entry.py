"""TensorRT's two entry objects, the engine of a plan and its context, with an error that says why there is none."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from trtflow.formats import UserError
from trtflow.runtime.messages import because, logger_of


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
    engine = create_runtime(trt, logger_of(trt)).deserialize_cuda_engine(plan)
    if engine is None:
        raise UserError(because("TensorRT cannot load its own plan"))
    return engine


def create_context(engine: Any) -> Any:
    """Return an execution context of an engine, with the device memory that its layers work in.

    Raises:
        UserError: TensorRT could not make one.
    """
    context = engine.create_execution_context()
    if context is None:
        way_out = (
            "Most often too little device memory is free: lower max_batch_size, or end what else uses the GPU "
            "(nvidia-smi shows it)."
        )
        raise UserError(because("TensorRT could not make a context", way_out))
    return context


def _create(kind: Any, logger: Any) -> Any:
    try:
        return kind(logger)
    except TypeError as error:  # how TensorRT's bindings speak of an object that the library did not make
        way_out = "Most often no device memory is free: end what else uses the GPU (nvidia-smi shows it)."
        raise UserError(because("TensorRT could not start on this GPU", way_out)) from error
