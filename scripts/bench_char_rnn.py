"""Time the step loop of char_rnn against the same network in PyTorch eager on the same device, in one run.

.engine/bin/python scripts/bench_char_rnn.py --backend tensorrt --recurrent layers --together 50 \\
    --torch-python .venv/bin/python --out bench_char_rnn.json

Both keep states and embeddings on the device and give the host the characters they write, as many at once as
`--together` says: 1 for each as it is written. The weights are drawn by chance, which changes no time. With the backend
`reference` both run on the CPU, and one Python may have both.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _path  # noqa: F401
import numpy as np
from _bench import add_side_options, cell, measure_sides, ratios

from trtflow.cli import parser, run
from trtflow.datasets.characters import write_vocabulary
from trtflow.formats import UserError
from trtflow.formats.files import write_json
from trtflow.formats.wts import write_wts2
from trtflow.runtime.backend import load
from trtflow.runtime.build import build_plan
from trtflow.runtime.entry import engine_of
from trtflow.runtime.loop import measure_steps
from trtflow.runtime.lstm import RECURRENT
from trtflow.runtime.options import add_builder_options, builder_origin, builder_settings
from trtflow.samples import char_rnn as sample
from trtflow.samples import definition

if TYPE_CHECKING:
    import torch

FIRST = 32  # code point of the vocabulary's first character
CHECKED = 50  # characters that both must write alike


def draw_weights(export: Path, characters: int, embedding_size: int, hidden_size: int) -> None:
    """Write model.wts2 and vocab.json of a network with weights drawn by chance."""
    rng = np.random.default_rng(0)
    shapes = {
        sample.EMBED_NAME: (characters, embedding_size),
        sample.FCW_NAME: (hidden_size, characters),
        sample.FCB_NAME: (characters,),
    }
    for layer, inputs in enumerate((embedding_size, hidden_size)):
        shapes[sample.RNNW_NAMES[layer]] = (inputs + hidden_size, 4 * hidden_size)
        shapes[sample.RNNB_NAMES[layer]] = (4 * hidden_size,)
    scale = 2 / np.sqrt(hidden_size)
    blobs = {name: rng.uniform(-scale, scale, shape).astype(np.float32) for name, shape in shapes.items()}
    write_wts2(export / "model.wts2", blobs)
    write_vocabulary(export / "vocab.json", {chr(FIRST + number): number for number in range(characters)})


class TorchWriter:
    """The network in PyTorch, which writes one character a call; gates are stacked i, f, g, o."""

    def __init__(self, weights: dict[str, np.ndarray], device: str, dtype: torch.dtype) -> None:
        import torch  # noqa: PLC0415 - not in the engine's Python

        def tensor(array: np.ndarray) -> torch.Tensor:
            return torch.tensor(array, device=device, dtype=dtype)

        self.torch = torch
        hidden_size = len(weights[sample.FCW_NAME])
        self.embedding = tensor(weights[sample.EMBED_NAME])
        self.lstm = torch.nn.LSTM(self.embedding.shape[1], hidden_size, sample.LAYER_COUNT, batch_first=True)
        self.lstm.to(device, dtype).requires_grad_(requires_grad=False)
        order = np.concatenate([np.arange(hidden_size) + gate * hidden_size for gate in (0, 2, 1, 3)])
        for layer in range(sample.LAYER_COUNT):
            parts = sample.convert_rnn_weights(weights[sample.RNNW_NAMES[layer]], hidden_size)
            biases = sample.convert_rnn_bias(weights[sample.RNNB_NAMES[layer]])
            for is_w, kind in ((True, "ih"), (False, "hh")):
                getattr(self.lstm, f"weight_{kind}_l{layer}").copy_(tensor(parts[is_w][order]))
                getattr(self.lstm, f"bias_{kind}_l{layer}").copy_(tensor(biases[is_w][order]))
        self.lstm.flatten_parameters()
        self.weight, self.bias = tensor(weights[sample.FCW_NAME]), tensor(weights[sample.FCB_NAME])
        zeros = torch.zeros((sample.LAYER_COUNT, 1, hidden_size), device=device, dtype=dtype)
        self.state, self.character = (zeros, zeros.clone()), torch.zeros((), device=device, dtype=torch.int64)

    def __call__(self, count: int) -> list[int]:
        """Write some characters and return their numbers, which the host waits for once."""
        written = []
        for _ in range(count):
            value, self.state = self.lstm(self.embedding[self.character].reshape(1, 1, -1), self.state)
            self.character = (value[0, 0] @ self.weight + self.bias).argmax()
            written.append(self.character)
        return [int(char) for char in self.torch.stack(written).tolist()]


class CompiledWriter(TorchWriter):
    """The same by torch.compile: a step as one function, whose LSTM is products, states where CUDA graphs find them."""

    def __init__(self, weights: dict[str, np.ndarray], device: str, dtype: torch.dtype, mode: str) -> None:
        super().__init__(weights, device, dtype)
        self.character = self.character.reshape(1)
        self.state = tuple(state[:, 0] for state in self.state)
        for held in (self.character, *self.state):
            self.torch._dynamo.mark_static_address(held)  # changed in place by each step
        self.step = self.torch.compile(self.one_step, mode=mode)

    def one_step(self) -> torch.Tensor:
        """Write a character."""
        value = self.embedding[self.character]
        for layer, weights in enumerate(self.lstm.all_weights):
            hidden, memory = cell(value, [state[layer : layer + 1] for state in self.state], weights)
            self.state[0][layer].copy_(hidden[0])
            self.state[1][layer].copy_(memory[0])
            value = hidden
        self.character.copy_((value @ self.weight + self.bias).argmax(-1))
        return self.character.clone()

    def __call__(self, count: int) -> list[int]:
        """Write some characters and return their numbers, which the host waits for once."""
        written = [self.step().clone() for _ in range(count)]
        return [int(char) for char in self.torch.cat(written).tolist()]


def measure_engine(options: argparse.Namespace) -> dict[str, Any]:
    """Build the engine and time it; return its timing, and the first characters that it wrote."""
    trt = load(options.backend)
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder)
        draw_weights(export, options.characters, options.embedding_size, options.hidden_size)
        define = definition(sample, export, options.precision, recurrent=options.recurrent)
        plan = build_plan(trt, define, options.precision, 1, settings=builder_settings(options))
        loop = sample.make_loop(trt, engine_of(trt, plan), export)
    with closing(loop):
        sample.give(loop, 0)
        return measure(partial(sample.write_on, loop), options)


def measure_torch(options: argparse.Namespace, *, compiled: bool = False) -> dict[str, Any]:
    """Do the same with PyTorch, eager or compiled."""
    import torch  # noqa: PLC0415 - not in the engine's Python

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.tf32
    dtype = torch.float16 if options.precision == "fp16" else torch.float32
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        export = Path(folder)
        draw_weights(export, options.characters, options.embedding_size, options.hidden_size)
        device = "cpu" if options.backend == "reference" else "cuda"
        weights = sample.load_weights(export)
        if compiled:
            return measure(CompiledWriter(weights, device, dtype, options.compile_mode), options)
        return measure(TorchWriter(weights, device, dtype), options)


def measure(write: Callable[[int], list[int]], options: argparse.Namespace) -> dict[str, Any]:
    """Return the first characters that a side writes, and how long those take it that it writes together."""
    timing = {"side": partial(write, options.together)}
    return {"written": write(CHECKED), **measure_steps(timing, options.seconds)["side"]}


def main() -> None:
    """Read the command line, time both sides, check that they are the same network, and compare."""
    arguments = parser(__doc__)
    arguments.add_argument("--backend", default="reference", help="tensorrt on a GPU, or reference")
    arguments.add_argument("--precision", choices=["fp32", "fp16"], default="fp32", help="of both")
    arguments.add_argument("--recurrent", choices=RECURRENT, default=RECURRENT[0], help="what the engine's LSTM is")
    arguments.add_argument("--together", type=int, default=1, help="characters that the host reads at once, of both")
    arguments.add_argument("--characters", type=int, default=65, help="size of the vocabulary")
    arguments.add_argument("--embedding-size", type=int, default=512, help="of a character")
    arguments.add_argument("--hidden-size", type=int, default=512, help="of each layer")
    arguments.add_argument("--seconds", type=float, default=3.0, help="duration of the measurement of each")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    add_side_options(arguments)
    add_builder_options(arguments)
    options = arguments.parse_args()

    sides = {"engine": partial(measure_engine, options), "torch": partial(measure_torch, options)}
    sides["compiled"] = partial(measure_torch, options, compiled=True)
    found = measure_sides(options, sides)
    if found is None:
        return
    for name, side in found.items():
        texts = [found["engine"]["written"], side["written"]]
        if texts[0] != texts[1] and options.precision == "fp32":
            raise UserError(f"the engine wrote {texts[0]}, {name} {texts[1]}: they are not the same network.")
    rates = {name: side["throughput_per_s"] * options.together for name, side in found.items()}
    form = {"precision": options.precision, "recurrent": options.recurrent, "together": options.together}
    form["builder"] = builder_origin(options)
    result = {**form, "characters_per_s": rates, **ratios(rates)}
    print(json.dumps(result, indent=2))
    write_json(options.out, {**result, "latency_ms": {name: side["latency_ms"] for name, side in found.items()}})


if __name__ == "__main__":
    run(main)
