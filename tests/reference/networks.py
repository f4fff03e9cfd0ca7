"""Builds small networks through TensorRT's own calls and runs them."""

from __future__ import annotations

from collections.abc import Callable

import trtflow.reference as trt
from trtflow.runtime.session import Session

Define = Callable[[trt.INetworkDefinition, trt.ITensor], trt.ITensor]


def build(define: Define, shape: tuple[int, ...], *flags: trt.BuilderFlag, calibrator: object = None) -> Session:
    """Return a session of a network with one input "x" of a shape without batch, and one output "y"."""
    builder = trt.Builder(trt.Logger())
    builder.max_batch_size = 4
    network = builder.create_network()
    output = define(network, network.add_input("x", trt.float32, shape))
    output.name = "y"
    network.mark_output(output)
    config = builder.create_builder_config()
    for flag in flags:
        config.set_flag(flag)
    config.int8_calibrator = calibrator
    plan = builder.build_serialized_network(network, config)
    return Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))
