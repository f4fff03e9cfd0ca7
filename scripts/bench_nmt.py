"""Time sampleNMT's engines against the same network in PyTorch eager on the same device, in one run.

.engine/bin/python scripts/bench_nmt.py --backend tensorrt --recurrent layers --torch-python .venv/bin/python \\
    --out bench_nmt.json

Batch 128, beam 5, two layers of 512 and 36,548 words, as the guide has them. Both run the same beam search for the same
number of steps, and keep states, attention and memory on the device: PyTorch and the form `rnn_v2` search on the host,
behind every step, and the form `layers` in its engine. The weights are drawn by chance, which changes no time. With the
backend `reference` both run on the CPU, and one Python may have both.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import _path  # noqa: F401
import numpy as np
from _bench import add_side_options, cell, measure_sides, ratios

from trtflow.cli import parser, run
from trtflow.datasets.translation import SPECIAL, START, padded
from trtflow.formats import UserError
from trtflow.formats.files import write_json, write_text
from trtflow.formats.nmt_weights import Recurrent, write_matrix, write_recurrent
from trtflow.runtime.backend import load
from trtflow.runtime.beam_search import BeamSearch
from trtflow.runtime.build import build_plan
from trtflow.runtime.entry import engine_of
from trtflow.runtime.loop import measure_steps
from trtflow.runtime.lstm import RECURRENT
from trtflow.runtime.options import add_builder_options, builder_origin, builder_settings
from trtflow.samples import definition, nmt
from trtflow.samples.nmt.model import Model

if TYPE_CHECKING:
    import torch

GATES = (1, 0, 2, 3)  # PyTorch stacks i, f, g, o; the files have f, i, c, o
TOLERANCE = {"fp32": 1e-3, "fp16": 3e-2}  # relative, of the first step's likelihoods


def draw_weights(export: Path, words: int, units: int, layers: int, beam: int, length: int) -> None:
    """Write weight files, vocabularies and settings of a network with weights drawn by chance."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.uniform(-0.1, 0.1, shape).astype(np.float32)

    shapes = {"encembed": (words, units), "decembed": (words, units), "decmem": (units, units)}
    shapes |= {"decatt": (2 * units, units), "decproj": (units, words)}
    for name, shape in shapes.items():
        write_matrix(export / f"{name}.bin", draw(*shape))
    for name, first in (("encrnn", units), ("decrnn", 2 * units)):
        sizes = [first, *[units] * (layers - 1)]
        kernels = [(draw(4, units, size), draw(4, units, units)) for size in sizes]
        write_recurrent(export / f"{name}.bin", Recurrent(kernels, draw(layers, 2, 4, units)))
    vocabulary = [*SPECIAL, *(f"word{number}" for number in range(len(SPECIAL), words))]
    for language in ("de", "en"):
        write_text(export / f"vocab.{language}", "".join(f"{word}\n" for word in vocabulary))
    write_json(export / "inference.json", {"beam": beam, "max_input_sequence_length": length})


def torch_lstm(weights: Recurrent, device: str, dtype: torch.dtype) -> torch.nn.LSTM:
    """Return PyTorch's LSTM with weights of a file."""
    import torch  # noqa: PLC0415 - not in the engine's Python

    lstm = torch.nn.LSTM(weights.inputs, weights.units, weights.layers, batch_first=True).to(device, dtype)
    lstm.requires_grad_(requires_grad=False)
    for layer, kernels in enumerate(weights.kernels):
        for place, kind in enumerate(("ih", "hh")):
            kernel = kernels[place][list(GATES)].reshape(4 * weights.units, -1)
            getattr(lstm, f"weight_{kind}_l{layer}").copy_(torch.tensor(kernel))
            bias = weights.biases[layer, place][list(GATES)].reshape(-1)
            getattr(lstm, f"bias_{kind}_l{layer}").copy_(torch.tensor(bias))
    lstm.flatten_parameters()
    return lstm


class TorchTranslator:
    """The network in PyTorch, eager."""

    def __init__(self, model: Model, device: str, dtype: torch.dtype) -> None:
        import torch  # noqa: PLC0415 - not in the engine's Python

        self.torch = torch
        self.matrices = {
            name: torch.tensor(value, device=device, dtype=dtype) for name, value in model.matrices.items()
        }
        self.encoder, self.decoder = (torch_lstm(part, device, dtype) for part in (model.encoder, model.decoder))
        self.beam, self.length, self.device = model.beam, model.max_length, device

    def begin(self, sentences: Sequence[np.ndarray]) -> np.ndarray:
        """Encode a batch of sentences; return their lengths."""
        torch = self.torch
        lengths = np.array([len(sentence) for sentence in sentences], np.int32)
        words = torch.tensor(padded(sentences, self.length), device=self.device)
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            self.matrices["encembed"][words], torch.tensor(lengths), batch_first=True, enforce_sorted=False
        )
        outputs, states = self.encoder(packed)
        self.memory, _ = torch.nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=self.length)
        self.keys = (self.memory @ self.matrices["decmem"]).transpose(1, 2)
        self.outside = (
            torch.arange(self.length, device=self.device) >= torch.tensor(lengths, device=self.device)[:, None]
        )
        self.states = [state.repeat_interleave(self.beam, 1) for state in states]
        self.attention = torch.zeros_like(self.states[0][0]).reshape(len(sentences), self.beam, -1)
        self.first = self.beam * torch.arange(len(sentences), device=self.device)[:, None]
        return lengths

    def step(self, words: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return likelihoods and numbers of the likeliest words, [batch, beam, beam]."""
        torch = self.torch
        rays = (torch.tensor(parents, device=self.device) + self.first).reshape(-1)
        states = tuple(state[:, rays] for state in self.states)
        attention = self.attention.reshape(len(rays), -1)[rays]
        embedded = self.matrices["decembed"][torch.tensor(words, device=self.device).reshape(-1)]
        output, self.states = self.decoder(torch.cat([embedded, attention], -1)[:, None], states)
        query = output.reshape(*words.shape, -1)
        scores = (query @ self.keys).masked_fill(self.outside[:, None], -torch.inf)
        context = scores.softmax(-1) @ self.memory
        self.attention = torch.tanh(torch.cat([query, context], -1) @ self.matrices["decatt"])
        chances, found = (self.attention @ self.matrices["decproj"]).softmax(-1).topk(self.beam)
        return chances.float().cpu().numpy(), found.int().cpu().numpy()


class CompiledTranslator(TorchTranslator):
    """The same with a step by torch.compile: its LSTM is products, and its states lie where CUDA graphs find them."""

    def __init__(self, model: Model, device: str, dtype: torch.dtype, mode: str) -> None:
        super().__init__(model, device, dtype)
        self.held: dict[str, torch.Tensor] = {}
        self.decode = self.torch.compile(self.one_step, mode=mode)

    def begin(self, sentences: Sequence[np.ndarray]) -> np.ndarray:
        """Encode a batch of sentences, eager, and lay what it found into the same memory each time."""
        lengths = super().begin(sentences)
        found = {"memory": self.memory, "keys": self.keys, "outside": self.outside, "attention": self.attention}
        found |= {"hidden": self.states[0], "cells": self.states[1]}
        for name, value in found.items():
            if name not in self.held:
                self.held[name] = self.torch.empty_like(value, memory_format=self.torch.contiguous_format)
                self.torch._dynamo.mark_static_address(self.held[name])
            self.held[name].copy_(value)
        return lengths

    def one_step(self, words: torch.Tensor, rays: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return likelihoods and numbers of the likeliest words, [batch, beam, beam], on the device."""
        torch, held = self.torch, self.held
        attention = held["attention"].reshape(rays.numel(), -1)[rays]
        value = torch.cat([self.matrices["decembed"][words.reshape(-1)], attention], -1)
        hidden, cells = (held[name][:, rays] for name in ("hidden", "cells"))
        for layer, weights in enumerate(self.decoder.all_weights):
            value, memory = cell(value, (hidden[layer], cells[layer]), weights)
            held["hidden"][layer].copy_(value)
            held["cells"][layer].copy_(memory)
        query = value.reshape(*words.shape, -1)
        scores = (query @ held["keys"]).masked_fill(held["outside"][:, None], -torch.inf)
        context = scores.softmax(-1) @ held["memory"]
        held["attention"].copy_(torch.tanh(torch.cat([query, context], -1) @ self.matrices["decatt"]))
        chances, found = (held["attention"] @ self.matrices["decproj"]).softmax(-1).topk(self.beam)
        return chances.float(), found.int()

    def step(self, words: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return likelihoods and numbers of the likeliest words, [batch, beam, beam]."""
        rays = (self.torch.tensor(parents, device=self.device) + self.first).reshape(-1)
        chances, found = self.decode(self.torch.tensor(words, device=self.device), rays)
        return chances.cpu().numpy(), found.cpu().numpy()


def translating(
    translator: nmt.Translator | TorchTranslator, sentences: Sequence[np.ndarray], steps: int
) -> Callable[[], object]:
    """Return a function that translates a batch, in a given number of steps."""
    if isinstance(translator, nmt.Translator):
        return partial(translator.search, sentences, translator.beam, steps)

    def translate() -> None:
        translator.begin(sentences)
        found = BeamSearch(np.full(len(sentences), steps), translator.beam, translator.beam, START)
        for _ in range(steps):
            found.advance(*translator.step(found.words, found.parents))

    return translate


def build_translator(trt: ModuleType, export: Path, options: argparse.Namespace) -> nmt.Translator:
    """Return the engines, built."""
    settings = builder_settings(options)
    defined = (
        definition(nmt, export, options.precision, network=name, recurrent=options.recurrent) for name in nmt.NETWORKS
    )
    plans = (build_plan(trt, define, options.precision, options.batch, settings=settings) for define in defined)
    encoder, generator = (engine_of(trt, plan) for plan in plans)
    return nmt.Translator(trt, encoder, generator, options.batch)


def first_likelihoods(translator: nmt.Translator | TorchTranslator, sentences: Sequence[np.ndarray]) -> list[float]:
    """Return the likelihoods of the likeliest first words, which tell one network from another."""
    lengths = translator.begin(sentences)
    words, parents = (np.full((len(lengths), translator.beam), value, np.int32) for value in (START, 0))
    likelihoods, _ = translator.step(words, parents)
    return [float(value) for value in likelihoods[: len(sentences)].ravel()]


def draw_sentences(options: argparse.Namespace) -> list[np.ndarray]:
    """Return a batch of sentences of up to 50 words, drawn by chance, int32 [words] each."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(1, min(50, options.length) + 1, size=options.batch)
    return [rng.integers(len(SPECIAL), options.words, size=size).astype(np.int32) for size in lengths]


def measure(translator: nmt.Translator | TorchTranslator, options: argparse.Namespace) -> dict[str, Any]:
    """Time one side on sentences drawn by chance, and its first word alone, which holds the encoder's time.

    Returns:
        its timing, the median time of the first word and of each after it, and the first likelihoods.
    """
    sentences = draw_sentences(options)
    likelihoods = first_likelihoods(translator, sentences)
    queries = {
        name: translating(translator, sentences, steps) for name, steps in (("all", options.steps), ("first", 1))
    }
    found = measure_steps(queries, options.seconds)
    every, first = (found[name]["latency_ms"]["median"] for name in queries)
    parts = {"first_word_ms": first, "word_ms": (every - first) / max(options.steps - 1, 1)}
    return {"likelihoods": likelihoods, **parts, **found["all"]}


def measure_engine(options: argparse.Namespace) -> dict[str, Any]:
    """Build the engines and time them."""
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder)
        draw_weights(export, options.words, options.units, options.layers, options.beam, options.length)
        start = time.perf_counter()
        translator = build_translator(load(options.backend), export, options)
    build = {"build_s": time.perf_counter() - start}
    try:
        found = {**measure(translator, options), **build}
        if options.profile:
            write_json(options.profile, profile(load(options.backend), translator, options))
        return found
    finally:
        translator.close()


def profile(trt: ModuleType, translator: nmt.Translator, options: argparse.Namespace) -> dict[str, Any]:
    """Return milliseconds of each layer of both engines in one batch, as `profile.<precision>.json` has them."""
    translate = translating(translator, draw_sentences(options), options.steps)
    layers = nmt.profile_translation(trt, translator, translate)
    return {"precision": options.precision, "iterations": 1, "batch_size": options.batch, "layers": layers}


def measure_torch(options: argparse.Namespace, *, compiled: bool = False) -> dict[str, Any]:
    """Do the same with PyTorch, eager or compiled."""
    import torch  # noqa: PLC0415 - not in the engine's Python

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.tf32
    dtype = torch.float16 if options.precision == "fp16" else torch.float32
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        export = Path(folder)
        draw_weights(export, options.words, options.units, options.layers, options.beam, options.length)
        device = "cpu" if options.backend == "reference" else "cuda"
        model = nmt.read_model(export)
        if compiled:
            return measure(CompiledTranslator(model, device, dtype, options.compile_mode), options)
        return measure(TorchTranslator(model, device, dtype), options)


def main() -> None:
    """Read the command line, time both sides, check that they are the same network, and compare."""
    arguments = parser(__doc__)
    arguments.add_argument("--backend", default="reference", help="tensorrt on a GPU, or reference")
    arguments.add_argument("--precision", choices=list(TOLERANCE), default="fp32", help="of both")
    arguments.add_argument("--recurrent", choices=RECURRENT, default=RECURRENT[0], help="what the engines' LSTMs are")
    arguments.add_argument("--batch", type=int, default=128, help="sentences of a batch")
    arguments.add_argument("--beam", type=int, default=5, help="hypotheses of each")
    arguments.add_argument("--words", type=int, default=36548, help="of each vocabulary")
    arguments.add_argument("--units", type=int, default=512, help="of each layer")
    arguments.add_argument("--layers", type=int, default=2, help="of encoder and decoder")
    arguments.add_argument("--length", type=int, default=150, help="most words of a sentence")
    arguments.add_argument("--steps", type=int, default=50, help="words of each translation")
    arguments.add_argument("--seconds", type=float, default=10.0, help="duration of the measurement of each")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments.add_argument("--profile", type=Path, help="JSON file for the time of each layer of the engines")
    add_side_options(arguments)
    add_builder_options(arguments)
    arguments.set_defaults(workspace_mb=4096)
    options = arguments.parse_args()

    sides = {"engine": partial(measure_engine, options), "torch": partial(measure_torch, options)}
    sides["compiled"] = partial(measure_torch, options, compiled=True)
    found = measure_sides(options, sides)
    if found is None:
        return
    for name, side in found.items():
        pair = [np.array(each["likelihoods"]) for each in (found["engine"], side)]
        difference = float(np.abs(pair[0] / pair[1] - 1).max())
        if not difference <= TOLERANCE[options.precision]:
            raise UserError(f"{name}: likelihoods differ by up to {difference:.2g}: they are not the same network.")
    rates = {name: side["throughput_per_s"] * options.batch for name, side in found.items()}
    form = {"precision": options.precision, "recurrent": options.recurrent}
    form["builder"] = builder_origin(options)
    parts = {part: {name: side[part] for name, side in found.items()} for part in ("first_word_ms", "word_ms")}
    result = {**form, "sentences_per_s": rates, **ratios(rates), **parts}
    result["build_s"] = found["engine"]["build_s"]
    print(json.dumps(result, indent=2))
    write_json(options.out, {**result, "latency_ms": {name: side["latency_ms"] for name, side in found.items()}})


if __name__ == "__main__":
    run(main)
