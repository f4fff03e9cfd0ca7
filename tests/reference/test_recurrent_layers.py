"""Recurrent layers against PyTorch's and TensorFlow's, and the ragged softmax."""

import numpy as np
import pytest
import torch
from networks import constant, run_layer

import trtflow.reference as trt
from trtflow.reference import NetworkError
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session

RNG = np.random.default_rng(3)
BATCH, STEPS, EMBEDDING, HIDDEN = 3, 5, 4, 6
OPS, GATES = trt.RNNOperation, trt.RNNGateType
TORCH_GATES = {  # in the order in which PyTorch stacks them
    OPS.RELU: [GATES.INPUT],
    OPS.TANH: [GATES.INPUT],
    OPS.LSTM: [GATES.INPUT, GATES.FORGET, GATES.CELL, GATES.OUTPUT],
    OPS.GRU: [GATES.RESET, GATES.UPDATE, GATES.HIDDEN],
}
DATA = RNG.normal(size=(BATCH, STEPS, EMBEDDING)).astype(np.float32)
LENGTHS = np.array([5, 2, 3], np.int32)


def states(count):
    return RNG.normal(size=(BATCH, count, HIDDEN)).astype(np.float32)


def torch_network(op, layers=2, bidirectional=False, embedding=EMBEDDING):
    torch.manual_seed(int(op) + layers)
    sizes = {"num_layers": layers, "bidirectional": bidirectional, "batch_first": True}
    if op in (OPS.RELU, OPS.TANH):
        return torch.nn.RNN(embedding, HIDDEN, nonlinearity=op.name.lower(), **sizes).eval()
    return {OPS.LSTM: torch.nn.LSTM, OPS.GRU: torch.nn.GRU}[op](embedding, HIDDEN, **sizes).eval()


def set_gates(layer, network):
    """Give a layer the weights of a PyTorch network, gate by gate."""
    weights = {name: value.detach().numpy() for name, value in network.named_parameters()}
    gates = TORCH_GATES[layer.op]
    for index in range(network.num_layers * (2 if network.bidirectional else 1)):
        depth, backward = divmod(index, 2) if network.bidirectional else (index, 0)
        suffix = f"l{depth}" + ("_reverse" if backward else "")
        for is_w, kind in ((True, "ih"), (False, "hh")):
            matrices = np.split(weights[f"weight_{kind}_{suffix}"], len(gates))
            biases = np.split(weights[f"bias_{kind}_{suffix}"], len(gates))
            for gate, matrix, bias in zip(gates, matrices, biases, strict=True):
                layer.set_weights_for_gate(index, gate, is_w, matrix)
                layer.set_bias_for_gate(index, gate, is_w, bias)


def add_rnn(network, data, op, torch_rnn, hidden=None, cell=None, lengths=None):
    layer = network.add_rnn_v2(data, torch_rnn.num_layers, HIDDEN, STEPS, op)
    if torch_rnn.bidirectional:
        layer.direction = trt.RNNDirection.BIDIRECTION
    set_gates(layer, torch_rnn)
    for name, tensor in {"hidden_state": hidden, "cell_state": cell, "seq_lengths": lengths}.items():
        if tensor is not None:
            setattr(layer, name, tensor)
    return layer


def torch_outputs(network, op, data, hidden=None, cell=None, lengths=None):
    """Return PyTorch's outputs, states with the batch first."""
    given = torch.from_numpy(data)
    if lengths is not None:
        given = torch.nn.utils.rnn.pack_padded_sequence(given, lengths, batch_first=True, enforce_sorted=False)
    first = [torch.from_numpy(part).transpose(0, 1).contiguous() for part in (hidden, cell) if part is not None]
    with torch.no_grad():
        out, last = network(given, (tuple(first) if op == OPS.LSTM else first[0]) if first else None)
    if lengths is not None:
        out = torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=STEPS)[0]
    return [out.numpy(), *(part.transpose(0, 1).numpy() for part in (last if op == OPS.LSTM else [last]))]


def assert_same(found, wanted, **tolerance):
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, **(tolerance or {"rtol": 1e-4, "atol": 1e-5}))


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("op", list(OPS.__members__.values()))
def test_cells_from_zero_states(op, bidirectional, layers):
    network = torch_network(op, layers, bidirectional)
    found = run_layer(lambda trt_network, data: add_rnn(trt_network, data, op, network), DATA)
    assert_same(found, torch_outputs(network, op, DATA))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("op", list(OPS.__members__.values()))
def test_cells_with_states_and_lengths(op, bidirectional):
    network = torch_network(op, 2, bidirectional)
    first = [states(4 if bidirectional else 2) for _ in range(2 if op == OPS.LSTM else 1)]

    def add(trt_network, data, lengths, *begin):
        return add_rnn(trt_network, data, op, network, *begin, lengths=lengths)

    found = run_layer(add, DATA, LENGTHS, *first)
    assert_same(found, torch_outputs(network, op, DATA, *first, lengths=LENGTHS))
    assert not found[0][1, 2:].any()  # behind the end


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("op", list(OPS.__members__.values()))
def test_skip_mode_takes_the_input_as_the_product(op, bidirectional):
    network = torch_network(op, 2, bidirectional, embedding=HIDDEN)
    data = RNG.normal(size=(BATCH, STEPS, HIDDEN)).astype(np.float32)

    def add(trt_network, tensor):
        layer = add_rnn(trt_network, tensor, op, network)
        layer.input_mode = trt.RNNInputMode.SKIP
        return layer

    found = run_layer(add, data)
    with torch.no_grad():
        for suffix in ("", "_reverse") if bidirectional else ("",):
            kernel = getattr(network, f"weight_ih_l0{suffix}")
            kernel[:] = torch.eye(HIDDEN).repeat(len(TORCH_GATES[op]), 1)
    assert_same(found, torch_outputs(network, op, data))


def test_index_dimensions():
    network = torch_network(OPS.LSTM)
    data = RNG.normal(size=(2, 3, STEPS, EMBEDDING)).astype(np.float32)
    hidden, cell = (RNG.normal(size=(2, 3, 2, HIDDEN)).astype(np.float32) for _ in range(2))
    lengths = np.array([[5, 2, 3], [1, 4, 5]], np.int32)

    def add(trt_network, tensor, sizes, *first):
        return add_rnn(trt_network, tensor, OPS.LSTM, network, *first, lengths=sizes)

    found = run_layer(add, data, lengths, hidden, cell)
    for index in range(2):
        wanted = torch_outputs(network, OPS.LSTM, data[index], hidden[index], cell[index], lengths[index])
        assert_same([output[index] for output in found], wanted)


def test_states_that_are_constants():
    network, (hidden, cell) = torch_network(OPS.LSTM), (states(2)[:1] for _ in range(2))

    def add(trt_network, data):
        first = [constant(trt_network, part[0]) for part in (hidden, cell)]
        return add_rnn(trt_network, data, OPS.LSTM, network, *first)

    wanted = torch_outputs(network, OPS.LSTM, DATA, *(part.repeat(BATCH, 0) for part in (hidden, cell)))
    assert_same(run_layer(add, DATA), wanted)


@pytest.mark.parametrize("given", [True, False], ids=["inputs", "constants"])
def test_an_explicit_batch_of_one_that_states_are_without(given):
    """As NVIDIA's cookbook for TensorRT 8.6 writes it, whose pages print what TensorRT gives."""
    network, (hidden, cell) = torch_network(OPS.LSTM), (states(2) for _ in range(2))

    def add(trt_network, data, *first):
        first = first or [constant(trt_network, part) for part in (hidden, cell)]
        return add_rnn(trt_network, data, OPS.LSTM, network, *first)

    found = run_layer(add, DATA[None], *([hidden, cell] if given else []), explicit=True)
    assert_same([output[0] for output in found], torch_outputs(network, OPS.LSTM, DATA, hidden, cell))


def test_half_precision():
    network = torch_network(OPS.LSTM)
    found = run_layer(lambda trt_network, data: add_rnn(trt_network, data, OPS.LSTM, network), DATA, precision="fp16")
    assert_same(found, torch_outputs(network, OPS.LSTM, DATA), rtol=0, atol=3e-3)
    for output in found:
        np.testing.assert_array_equal(output, output.astype(np.float16))


@pytest.mark.parametrize("op", [OPS.LSTM, OPS.GRU])
def test_tensorflow_cells(op):
    """Keras stacks i, f, c, o and z, r, h; its GRU has TensorRT's equations where `reset_after` is set."""
    keras = pytest.importorskip("tensorflow").keras
    keras.utils.set_random_seed(1)
    kinds = {OPS.LSTM: keras.layers.LSTM, OPS.GRU: keras.layers.GRU}
    cell = kinds[op](HIDDEN, return_sequences=True, bias_initializer="random_normal")
    wanted = cell(DATA).numpy()
    kernel, recurrent, bias = cell.get_weights()
    biases = bias if op == OPS.GRU else [bias, np.zeros_like(bias)]
    gates = {
        OPS.LSTM: [GATES.INPUT, GATES.FORGET, GATES.CELL, GATES.OUTPUT],
        OPS.GRU: [GATES.UPDATE, GATES.RESET, GATES.HIDDEN],
    }[op]

    def add(network, data):
        layer = network.add_rnn_v2(data, 1, HIDDEN, STEPS, op)
        for is_w, matrix, vector in ((True, kernel, biases[0]), (False, recurrent, biases[1])):
            for place, gate in enumerate(gates):
                columns = slice(place * HIDDEN, (place + 1) * HIDDEN)
                layer.set_weights_for_gate(0, gate, is_w, matrix[:, columns].T)
                layer.set_bias_for_gate(0, gate, is_w, vector[columns])
        return layer

    np.testing.assert_allclose(run_layer(add, DATA)[0], wanted, rtol=1e-4, atol=1e-5)


def recorded(op=OPS.LSTM, **settings):
    """Return a network definition's layer with PyTorch's weights, and what lowering it raises."""
    network = torch_network(op)

    def define(trt_module, trt_network):
        data = trt_network.add_input("x", trt.float32, (STEPS, EMBEDDING))
        layer = add_rnn(trt_network, data, op, network)
        settings.get("change", lambda layer, network: None)(layer, trt_network)
        layer.get_output(0).name = "y"
        trt_network.mark_output(layer.get_output(0))

    return build_plan(trt, define, "fp32", BATCH, refit=settings.get("refit", False))


def test_attributes_read_as_in_tensorrt():
    network = trt.Builder(trt.Logger()).create_network()
    layer = network.add_rnn_v2(network.add_input("x", trt.float32, (STEPS, EMBEDDING)), 2, HIDDEN, STEPS, OPS.LSTM)
    assert (layer.num_layers, layer.hidden_size, layer.max_seq_length, layer.data_length) == (2, 6, 5, 4)
    assert (layer.direction, layer.input_mode) == (trt.RNNDirection.UNIDIRECTION, trt.RNNInputMode.LINEAR)
    assert layer.type == trt.LayerType.RNN_V2
    assert layer.hidden_state is layer.cell_state is layer.seq_lengths is None
    assert layer.get_weights_for_gate(0, GATES.CELL, True).size == 0
    bias = np.arange(HIDDEN, dtype=np.float32)
    layer.set_bias_for_gate(1, GATES.CELL, False, bias)
    np.testing.assert_array_equal(layer.get_bias_for_gate(1, GATES.CELL, False), bias)
    assert [tuple(layer.get_output(i).shape) for i in range(3)] == [(5, 6), (2, 6), (2, 6)]
    layer.op, layer.direction = OPS.GRU, trt.RNNDirection.BIDIRECTION
    assert layer.num_outputs == 2
    assert layer.get_output(2) is None
    assert [tuple(layer.get_output(i).shape) for i in range(2)] == [(5, 12), (4, 6)]


def test_refitters_know_no_weights_of_it_and_inspectors_name_it():
    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(recorded(refit=True))
    assert trt.Refitter(engine, trt.Logger()).get_all() == ([], [])
    line = engine.create_engine_inspector().get_layer_information(0, trt.LayerInformationFormat.ONELINE)
    assert "[RNN]" in line


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda layer, _: layer.set_weights_for_gate(1, GATES.CELL, True, np.zeros(3, np.float32)), "W of gate CELL"),
        (lambda layer, _: layer.set_bias_for_gate(0, GATES.INPUT, False, None), "bias of R of gate INPUT"),
        (lambda layer, _: layer.set_bias_for_gate(2, GATES.INPUT, True, np.zeros(6, np.float32)), "in layer 2"),
        (lambda layer, _: setattr(layer, "op", OPS.GRU), "gate INPUT in layer 0"),
        (lambda layer, _: setattr(layer, "input_mode", trt.RNNInputMode.SKIP), "inputs of size 4"),
        (
            lambda layer, network: setattr(layer, "hidden_state", network.add_input("h", trt.float32, (1, HIDDEN))),
            r"'h' has shape \(1, 6\), not \(2, 6\)",
        ),
        (
            lambda layer, network: setattr(layer, "seq_lengths", network.add_input("n", trt.int32, (1,))),
            r"'n' has shape \(1,\), not \(\)",
        ),
        (
            lambda layer, network: setattr(layer, "seq_lengths", network.add_input("n", trt.float32, ())),
            "'n', is FLOAT",
        ),
    ],
)
def test_what_does_not_fit(change, fault):
    with pytest.raises(NetworkError, match=fault):
        recorded(change=change)


def test_cell_state_of_a_gru_and_length_are_refused():
    network = trt.Builder(trt.Logger()).create_network()
    data = network.add_input("x", trt.float32, (STEPS, EMBEDDING))
    layer = network.add_rnn_v2(data, 2, HIDDEN, STEPS, OPS.GRU)
    with pytest.raises(NetworkError, match="cell state for GRU"):
        layer.cell_state = network.add_input("c", trt.float32, (2, HIDDEN))
    with pytest.raises(NetworkError, match="max_seq_length"):
        network.add_rnn_v2(data, 2, HIDDEN, STEPS + 1, OPS.GRU)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("explicit", [False, True])
def test_ragged_softmax(explicit, precision):
    data = (RNG.normal(size=(2, 3, 6)) * 3).astype(np.float32)
    bounds = np.array([[[1], [6], [4]], [[2], [3], [0]]], np.int32)
    (found,) = run_layer(
        lambda network, *inputs: network.add_ragged_softmax(*inputs),
        data,
        bounds,
        explicit=explicit,
        precision=precision,
    )
    inside = np.arange(6) < bounds
    powers = np.where(inside, np.exp(data), 0)
    wanted = powers / np.maximum(powers.sum(2, keepdims=True), 1e-30)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6 if precision == "fp32" else 2e-3)


def test_ragged_softmax_of_bounds_that_do_not_fit():
    with pytest.raises(NetworkError, match=r"bounds of shape \(2, 1\)"):
        run_layer(
            lambda network, *inputs: network.add_ragged_softmax(*inputs),
            np.zeros((1, 3, 6), np.float32),
            np.ones((1, 2, 1), np.int32),
        )


def test_rows_for_a_recurrent_layer_are_picked_by_a_product():
    """TensorRT 8.6's ONNX parser takes no LSTM behind a GatherND; values are those of the rows."""
    network = trt.Builder(trt.Logger()).create_network()
    states, places = network.add_input("s", trt.float32, (4, STEPS, EMBEDDING)), network.add_input("p", trt.int32, (3,))
    picked = network.add_gather(states, places, 0).get_output(0)
    layer = network.add_rnn_v2(picked, 1, EMBEDDING, STEPS, OPS.RELU)
    layer.input_mode = trt.RNNInputMode.SKIP
    zero, none = np.zeros((EMBEDDING, EMBEDDING), np.float32), np.zeros(EMBEDDING, np.float32)
    for is_w in (True, False):
        layer.set_weights_for_gate(0, trt.RNNGateType.INPUT, is_w, zero)
        layer.set_bias_for_gate(0, trt.RNNGateType.INPUT, is_w, none)
    layer.get_output(0).name = "y"
    network.mark_output(layer.get_output(0))
    builder = trt.Builder(trt.Logger())
    builder.max_batch_size = 2
    plan = builder.build_serialized_network(network, builder.create_builder_config())
    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)
    assert "GatherND" not in {node.op_type for node in engine.model.graph.node}
    data, which = (
        RNG.normal(size=(2, 4, STEPS, EMBEDDING)).astype(np.float32),
        np.array([[3, 0, 3], [1, 2, 0]], np.int32),
    )
    with Session(trt, engine) as session:
        found = session.run({"s": data, "p": which})["y"]
    np.testing.assert_array_equal(found, np.maximum(np.stack([data[0][which[0]], data[1][which[1]]]), 0))
