"""sampleNMT's weight files."""

import numpy as np
import pytest

from trtflow.converters.nmt_checkpoint import convert
from trtflow.formats import FormatError
from trtflow.formats.nmt_weights import (
    CELLS,
    FILES,
    MARK,
    MATRICES,
    Recurrent,
    read_matrix,
    read_recurrent,
    write_matrix,
    write_recurrent,
)

RNG = np.random.default_rng(0)


def numbers(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def recurrent(inputs=5, units=3, layers=2):
    sizes = [inputs, *[units] * (layers - 1)]
    return Recurrent(
        [(numbers(4, units, size), numbers(4, units, units)) for size in sizes], numbers(layers, 2, 4, units)
    )


def test_bytes_of_a_matrix(tmp_path):
    path = tmp_path / "decmem.bin"
    write_matrix(path, np.array([[1, -2, 0.5]], np.float32))
    ending = np.array([0, 1, 3, 3], "<i4").tobytes() + b"trtsamplenmt"
    assert path.read_bytes() == np.array([1, -2, 0.5], "<f4").tobytes() + ending


def test_bytes_of_a_network(tmp_path):
    path, weights = tmp_path / "encrnn.bin", recurrent()
    write_recurrent(path, weights)
    data = path.read_bytes()
    assert data.endswith(np.array([0, 0, 2, 3, 4], "<i4").tobytes() + MARK)
    (w0, r0), (w1, r1) = weights.kernels
    parts = [w0[0], w0[1], w0[2], w0[3], r0, w1, r1, weights.biases]
    assert data.startswith(b"".join(part.astype("<f4").tobytes() for part in parts))


def test_round_trips(tmp_path):
    matrix, weights = numbers(4, 7), recurrent(layers=3)
    write_matrix(tmp_path / "a", matrix)
    write_recurrent(tmp_path / "b", weights)
    np.testing.assert_array_equal(read_matrix(tmp_path / "a"), matrix)
    found = read_recurrent(tmp_path / "b", 5)
    assert (found.layers, found.units, found.inputs) == (3, 3, 5)
    np.testing.assert_array_equal(found.biases, weights.biases)
    for ours, theirs in zip(found.kernels, weights.kernels, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


def test_half_precision_is_read(tmp_path):
    path = tmp_path / "decmem.bin"
    values = np.array([[1.5, -2], [0.25, 3]], "<f2")
    path.write_bytes(values.tobytes() + np.array([1, 2, 2, 3], "<i4").tobytes() + MARK)
    np.testing.assert_array_equal(read_matrix(path), values.astype(np.float32))


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda data: data[:-1], "it ends with"),
        (lambda data: b"", "it ends with"),
        (lambda data: data[-12:], "0 numbers describe it"),
        (lambda data: data[4:], "5 values, but its ending says 2 x 3"),
        (lambda data: data[1:], "no whole number"),
        (lambda data: data[:-16] + np.array([9], "<i4").tobytes() + MARK, "9 numbers describe it"),
        (lambda data: data[:24] + np.array([7, 2, 3, 3], "<i4").tobytes() + MARK, "type 7"),
    ],
)
def test_damaged_files(tmp_path, spoil, fault):
    path = tmp_path / "decmem.bin"
    write_matrix(path, numbers(2, 3))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(FormatError, match=fault) as caught:
        read_matrix(path)
    assert caught.value.path == str(path)


def test_networks_that_do_not_fit(tmp_path):
    path = tmp_path / "encrnn.bin"
    write_recurrent(path, recurrent())
    with pytest.raises(FormatError, match="2 layers of 3 units with 6 inputs have"):
        read_recurrent(path, 6)
    data = path.read_bytes()
    path.write_bytes(data[:-28] + np.array([1], "<i4").tobytes() + data[-24:])
    with pytest.raises(FormatError, match="encoder type 1"):
        read_recurrent(path, 5)


def test_conversion_orders_the_gates(tmp_path):
    units, embedding = 2, 3
    blobs = {name.replace("/", "_"): numbers(4, embedding) for name in MATRICES.values()}
    for cell in CELLS.values():
        gates = np.repeat([1, 2, 3, 4], units).astype(np.float32)  # i, c, f, o
        blobs[f"{cell % 0}kernel".replace("/", "_")] = np.tile(gates, (embedding + units, 1))
        blobs[f"{cell % 0}bias".replace("/", "_")] = gates
    convert(blobs, tmp_path, tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == set(FILES)
    found = read_recurrent(tmp_path / "encrnn.bin", embedding)
    for kernel in found.kernels[0]:
        np.testing.assert_array_equal(kernel[:, 0, 0], [3, 1, 2, 4])  # f, i, c, o
    np.testing.assert_array_equal(found.biases[0, 0, :, 0], [4, 1, 2, 4])  # the forget bias is in it
    np.testing.assert_array_equal(found.biases[0, 1], 0)


def test_conversion_names_what_is_missing(tmp_path):
    with pytest.raises(FormatError, match="no variable 'embeddings/encoder/embedding_encoder'"):
        convert({}, tmp_path, tmp_path / "network")
