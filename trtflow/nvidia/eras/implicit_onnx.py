"""ONNX in networks with an implicit batch, as TensorRT 5 and 6 parsed it: the model's first dimension is the batch.

The reference records such a model with its batch as it stands in the file. The engine then shows its tensors without
it, and runs a batch sample by sample where the model's own batch is 1, at once where the two are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from trtflow.nvidia.eras.warning import warn
from trtflow.nvidia.patches import Patches

MARK = "ONNX with an implicit batch of at most "  # name of such a network, by which its plan is known again


def largest(engine: Any) -> int:
    """Return the largest batch of an engine of ONNX with an implicit batch, 0 where it is another engine."""
    name = str(engine.name)
    return int(name.removeprefix(MARK)) if name.startswith(MARK) else 0


def give(patches: Patches, trt: ModuleType) -> None:
    """Let the parser take such networks, and engines and contexts serve what they give."""
    _give_parser(patches, trt)
    _give_builder(patches, trt)
    _give_engine(patches, trt)
    _give_context(patches, trt)


def _give_parser(patches: Patches, trt: ModuleType) -> None:
    parser_init = trt.OnnxParser.__init__

    def init(self: Any, network: Any, logger: Any) -> None:
        """Take a network, which may have an implicit batch while nothing is in it."""
        if network.has_implicit_batch_dimension and not network.num_layers and not network.num_inputs:
            warn(
                "OnnxParser of a network with an implicit batch",
                "builder.create_network(1 << int(tensorrt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))",
            )
            object.__setattr__(network, "has_implicit_batch_dimension", False)
            network.name = f"{MARK}1"
        parser_init(self, network, logger)

    patches.set(trt.OnnxParser, "__init__", init)


def _give_builder(patches: Patches, trt: ModuleType) -> None:
    build = trt.Builder.build_serialized_network

    def build_serialized_network(self: Any, network: Any, config: Any) -> Any:
        """Return a plan."""
        if largest(network):
            network.name = f"{MARK}{self.max_batch_size}"
            _add_profile(self, network, config)
        return build(self, network, config)

    patches.set(trt.Builder, "build_serialized_network", build_serialized_network)


def _add_profile(builder: Any, network: Any, config: Any) -> None:
    """Let a batch that the model leaves open be one to the largest; other open sizes are the user's to set."""
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    if config.num_optimization_profiles or not any(tensor.shape[0] == -1 for tensor in inputs):
        return
    profile = builder.create_optimization_profile()
    for tensor in inputs:
        smallest, most = (1, *tensor.shape[1:]), (builder.max_batch_size, *tensor.shape[1:])
        profile.set_shape(tensor.name, smallest, most, most)
    config.add_optimization_profile(profile)


def _give_engine(patches: Patches, trt: ModuleType) -> None:
    for kind in (trt.ICudaEngine, trt.IExecutionContext):
        patches.set(kind, "get_binding_shape", _without_batch(kind.get_binding_shape))

    def get(self: Any) -> int:
        """Largest batch of an engine with an implicit batch."""
        return largest(self) or vars(self)["max_batch_size"]

    def put(self: Any, value: int) -> None:
        vars(self)["max_batch_size"] = value

    patches.set(trt.ICudaEngine, "max_batch_size", property(get, put))


def _without_batch(get_binding_shape: Callable[..., Any]) -> Callable[..., Any]:
    def get_shape(self: Any, binding: Any) -> Any:
        """Return the shape of a binding, without an implicit batch."""
        shape = get_binding_shape(self, binding)
        return type(shape)(shape[1:]) if largest(getattr(self, "engine", self)) else shape

    return get_shape


def _give_context(patches: Patches, trt: ModuleType) -> None:
    execute_now = trt.IExecutionContext.execute

    def execute(self: Any, batch_size: int = 1, bindings: Any = ()) -> bool:
        """Run a batch; False, and a message in the log, where that cannot be."""
        most = largest(self.engine)
        if not most:
            return execute_now(self, batch_size, bindings)
        if not 1 <= batch_size <= most:
            self.engine.logger.log(
                trt.Logger.ERROR, f"batch size {batch_size}, but the engine was built for 1 to {most}"
            )
            return False
        return _execute(trt, self, batch_size, [int(address) for address in bindings])

    def execute_async(
        self: Any, batch_size: int = 1, bindings: Any = (), stream_handle: int = 0, input_consumed: Any = None
    ) -> bool:
        """Run a batch; it is done on return."""
        return execute(self, batch_size, bindings)

    patches.set(trt.IExecutionContext, "execute", execute)
    patches.set(trt.IExecutionContext, "execute_async", execute_async)


def _execute(trt: ModuleType, context: Any, batch: int, bindings: list[int]) -> bool:
    """Run a batch of a model whose first dimension is open, as large as the batch, or 1."""
    engine = context.engine
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    inputs = [name for name in names if engine.binding_is_input(name)]
    shapes = {name: tuple(engine.tensors[name].shape) for name in names}
    opened = [name for name in inputs if shapes[name][0] == -1]
    if all(context.set_input_shape(name, (batch, *shapes[name][1:])) for name in opened) and opened:
        return context.execute_v2(bindings)
    if all(shapes[name][0] == batch for name in inputs):
        return context.execute_v2(bindings)
    if any(shape[0] != 1 for shape in shapes.values()):
        message = f"batch size {batch}, but the model has the batch {shapes[inputs[0]][0]}; export it with 1, or open"
        engine.logger.log(trt.Logger.ERROR, message)
        return False
    steps = [trt.volume(shapes[name]) * engine.get_binding_dtype(name).itemsize for name in names]
    return all(
        context.execute_v2([address + index * step for address, step in zip(bindings, steps, strict=True)])
        for index in range(batch)
    )
