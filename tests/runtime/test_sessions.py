"""Sessions of engines with an explicit batch, fixed and dynamic, and what `build_plan` makes for them."""

from types import SimpleNamespace

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.runtime.build import build_plan
from trtflow.runtime.devices import HostBuffer, HostDevice
from trtflow.runtime.profile import profile_layers
from trtflow.runtime.session import Session
from trtflow.runtime.timing import measure

WEIGHTS = np.random.default_rng(7).normal(size=(2, 8)).astype(np.float32)


def definition(*shape):
    """Return a definition with two inputs of a shape with batch, and outputs "y" of [N, 2, 1, 1] and "z" of [N, 8]."""

    def define(trt_module, network):
        inputs = [network.add_input(name, trt_module.float32, shape) for name in ("a", "b")]
        total = network.add_elementwise(*inputs, trt_module.ElementWiseOperation.SUM)
        total.name = "sum"
        product = network.add_fully_connected(total.get_output(0), 2, WEIGHTS)
        product.name = "fc"
        flat = network.add_shuffle(total.get_output(0))
        flat.name, flat.reshape_dims = "flat", (0, -1) if len(shape) == 4 else (8,)
        for name, layer in (("y", product), ("z", flat)):
            layer.get_output(0).name = name
            network.mark_output(layer.get_output(0))

    return define


def session(*shape, max_batch_size=4, precision="fp32", **options):
    plan = build_plan(trt, definition(*shape), precision, max_batch_size, explicit_batch=True, **options)
    return Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))


def feeds(count, *shape):
    rng = np.random.default_rng(count)
    return {name: rng.normal(size=(count, *(shape or (2, 2, 2)))).astype(np.float32) for name in "ab"}


def check(result, given):
    total = given["a"] + given["b"]
    np.testing.assert_array_equal(result["z"], total.reshape(len(total), 8))
    np.testing.assert_allclose(result["y"][..., 0, 0], total.reshape(len(total), 8) @ WEIGHTS.T, rtol=1e-5, atol=1e-5)


def test_dynamic_batch_gets_a_profile_up_to_the_largest_batch():
    made = session(-1, 2, 2, 2)
    assert made.engine.get_profile_shape(0, "b") == [(1, 2, 2, 2), (4, 2, 2, 2), (4, 2, 2, 2)]
    for count in (4, 1, 3):
        check(made.run(feeds(count)), feeds(count))


def test_fixed_batch_runs_as_it_is():
    check(session(3, 2, 2, 2).run(feeds(3)), feeds(3))


@pytest.mark.parametrize("count", [2, 4])
def test_other_batches_than_a_fixed_one_are_refused(count):
    takes = r"takes \(3, 2, 2, 2\)\."
    made = session(3, 2, 2, 2)
    with pytest.raises(
        UserError, match=rf"input 'a': got an array of shape \({count}, 2, 2, 2\), but the engine {takes}"
    ):
        made.run(feeds(count))
    with pytest.raises(UserError, match=takes):
        made.execute(1)
    made.execute(3)


@pytest.mark.parametrize("given", [feeds(5), feeds(2, 3, 2, 2), feeds(2, 2, 2)])
def test_shapes_outside_the_profile_are_refused(given):
    with pytest.raises(UserError, match=r"input 'a': got .* takes \(1, 2, 2, 2\) to \(4, 2, 2, 2\)\."):
        session(-1, 2, 2, 2).run(given)


def test_missing_input_is_named():
    with pytest.raises(UserError, match="got the inputs a, but the engine takes a, b"):
        session(-1, 2, 2, 2).run({"a": feeds(1)["a"]})


def test_inputs_of_an_implicit_batch_share_it():
    plan = build_plan(trt, definition(2, 2, 2), "fp32", 4)
    made = Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))
    check(made.run(feeds(2)), feeds(2))
    with pytest.raises(UserError, match="differ in their batch"):
        made.run({"a": feeds(2)["a"], "b": feeds(1)["b"]})


@pytest.mark.parametrize("batch", [-1, 1])
def test_sessions_can_be_timed_and_profiled(batch):
    made = session(batch, 2, 2, 2)
    found = measure({"made": made}, 1, duration_s=0.01)["made"]
    assert found["latency_ms"]["median"] >= found["compute_ms"] > 0
    with pytest.raises(RuntimeError, match="only a GPU has CUDA graphs"):
        measure({"made": made}, 1, duration_s=0.01, graph=True)
    names = {layer["name"] for layer in profile_layers(trt, made, 1)["layers"]}
    assert {"sum", "fc"} <= names <= {"sum", "fc", "flat", "(reformat)"}


class LateBuffer(HostBuffer):
    """Memory whose copies happen when the stream is waited for, as those of a GPU may."""

    def __init__(self, nbytes):
        super().__init__(nbytes)
        self.staged, self.freed = np.zeros(nbytes, np.uint8), False

    def stage(self, values):
        raw = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        self.staged[: raw.size] = raw

    def upload(self, nbytes, stream):
        self._memory[:nbytes] = self.staged[:nbytes]

    def free(self):
        self.freed = True


class LateDevice(HostDevice):
    """A device that has two batches under way, and not more than so many buffers."""

    depth = 2

    def __init__(self, most=99):
        self.made, self.most = [], most

    def allocate(self, nbytes):
        if len(self.made) == self.most:
            raise UserError("out of device memory")
        self.made.append(LateBuffer(nbytes))
        return self.made[-1]


def on(monkeypatch, device):
    monkeypatch.setattr("trtflow.runtime.session.device_of", lambda module: device)
    return device


def test_batches_under_way_come_back_in_order(monkeypatch):
    device = on(monkeypatch, LateDevice())
    with session(-1, 2, 2, 2) as made:
        batches = [feeds(count) for count in (4, 1, 3, 2, 4)]
        for result, given in zip(made.run_all(batches), batches, strict=True):
            check(result, given)
    assert len(device.made) == 2 * 4
    assert all(buffer.freed for buffer in device.made)


def test_memory_is_given_back_after_an_error(monkeypatch):
    device = on(monkeypatch, LateDevice())
    with pytest.raises(UserError, match="got an array of shape"), session(-1, 2, 2, 2) as made:
        list(made.run_all([feeds(4), feeds(5)]))
    assert all(buffer.freed for buffer in device.made)


def test_contexts_take_batches_in_turns_and_each_has_its_shapes():
    plan = build_plan(trt, definition(-1, 2, 2, 2), "fp32", 4, explicit_batch=True)
    made = Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan), contexts=3)
    used = []
    for number, slot in enumerate(made._slots):
        execute = slot.lane.context.execute_async_v2
        slot.lane.context = SimpleNamespace(
            set_binding_shape=slot.lane.context.set_binding_shape,
            execute_async_v2=lambda *words, number=number, execute=execute: used.append(number) or execute(*words),
        )
    sizes = [4, 1, 3, 3, 2, 4, 1]
    for size, result in zip(sizes, made.run_all(feeds(size) for size in sizes), strict=True):
        check(result, feeds(size))
    assert used == [0, 1, 2, 0, 1, 2, 0]
    with pytest.raises(RuntimeError, match="only a GPU"):
        next(made.queries(2, graph=True))
    assert measure({"a": made}, 2, 0.0)["a"]["batch_size"] == 2
    made.close()


@pytest.mark.parametrize("most", [1, 6])
def test_memory_is_given_back_when_there_is_not_enough(monkeypatch, most):
    device = on(monkeypatch, LateDevice(most))
    with pytest.raises(UserError, match="out of device memory"):
        session(-1, 2, 2, 2)
    assert len(device.made) == most
    assert all(buffer.freed for buffer in device.made)


def configure_two_profiles(builder):
    def configure(trt_module, config):
        for least, most in ((1, 2), (3, 8)):
            profile = builder.create_optimization_profile()
            for name in "ab":
                profile.set_shape(name, (least, 2, 2, 2), (most, 2, 2, 2), (most, 2, 2, 2))
            config.add_optimization_profile(profile)

    return configure


def test_first_of_several_profiles_is_used():
    made = session(-1, 2, 2, 2, configure=configure_two_profiles(trt.Builder(trt.Logger())))
    assert (made.engine.num_bindings, made.names) == (8, ["a", "b", "y", "z"])
    check(made.run(feeds(2)), feeds(2))
    with pytest.raises(UserError, match=r"takes \(1, 2, 2, 2\) to \(2, 2, 2, 2\)"):
        made.run(feeds(3))


def test_dynamic_sizes_beside_the_batch_need_a_profile():
    def define(trt_module, network):
        tensor = network.add_input("a", trt_module.float32, (-1, 2, -1, 2))
        network.mark_output(network.add_softmax(tensor).get_output(0))

    with pytest.raises(UserError, match="input 'a' has the shape .* no optimization profile"):
        build_plan(trt, define, "fp32", 4, explicit_batch=True)


def test_half_precision_and_refit():
    made = session(-1, 2, 2, 2, precision="fp16", refit=True)
    refitter = trt.Refitter(made.engine, trt.Logger())
    assert refitter.get_all() == (["fc"], [trt.WeightsRole.KERNEL])
    assert refitter.set_weights("fc", trt.WeightsRole.KERNEL, np.zeros((2, 8), np.float32))
    assert refitter.refit_cuda_engine()
    assert (made.run(feeds(4))["y"] == 0).all()


def test_configuration_can_be_extended():
    def configure(trt_module, config):
        config.profiling_verbosity = trt_module.ProfilingVerbosity.DETAILED

    made = session(-1, 2, 2, 2, configure=configure)
    assert made.engine.profiling_verbosity == trt.ProfilingVerbosity.DETAILED


def test_an_array_larger_than_its_memory_is_told():
    buffer = HostDevice().allocate(8)
    buffer.copy_from(np.ones(2, np.float32))
    with pytest.raises(UserError, match=r"shape \(3,\) and type float32 has 12 bytes; the memory .* has 8"):
        buffer.copy_from(np.ones(3, np.float32))
