"""The lowered network of a user's model in other runtimes: `targets` of its YAML file."""

from __future__ import annotations

import importlib
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.formats.arrays import write_arrays
from trtflow.formats.files import read_json
from trtflow.job import Job
from trtflow.runtime.timing import percentile
from trtflow.samples import ITEMS, answers_of, batches_of, read_prepared
from trtflow.samples import load as load_sample
from trtflow.tasks.files import by_precision, write_metrics
from trtflow.tasks.own import agreement_of, read_answers

Arrays = dict[str, np.ndarray]
LEAST_RUNS = 5
ONNX_RUNTIME, OPENVINO = "onnxruntime", "openvino"


def run_targets(job: Job) -> None:
    """Write how long `network.<precision>.onnx` takes in each runtime, and what it scores, also against the engine.

    The file is read as it is. What a runtime cannot take is told in place of numbers, and hides nothing of the others.
    """
    networks, predictions = (by_precision(job.inputs[name]) for name in ("networks", "predictions"))
    told: dict[str, Any] = {}
    for target in job.setting("own.targets"):
        opened = TARGETS[target]
        told[target] = {"version": opened.version(), "precisions": {}}
        for precision, path in networks.items():
            told[target]["precisions"][precision] = _result(job, opened.open, path, predictions[precision])
    write_metrics(job.output("targets"), told)


def _result(job: Job, open_network: Callable[[Path], Network], path: Path, predictions: Path) -> dict[str, Any]:
    sample = load_sample(job.sample)
    values, names = read_prepared(sample, job.input("inputs"))
    batches = batches_of(sample, values, job.setting("max_batch_size"))
    try:
        network = open_network(path)
        answers = answers_of(sample, network.run, batches)
    except UserError as error:
        return {"refused": str(error)}
    found = answers.joined(len(names))
    times = _times_ms(network, batches[0], job.setting("latency_seconds", 1.0))
    with tempfile.TemporaryDirectory() as folder:
        scored = _score(job, {**found, ITEMS: names}, Path(folder))
    latency = {"mean": float(times.mean()), **{f"p{share}": percentile(times, share) for share in (95, 99)}}
    agreement = agreement_of(found, read_answers(predictions))
    return {
        "metrics": {**scored, **{f"engine_{name}": value for name, value in agreement.items()}},
        "batch_size": len(next(iter(batches[0].values()))),
        "latency_ms": {**latency, "median": percentile(times, 50)},
    }


def _score(job: Job, answers: Arrays, folder: Path) -> dict[str, Any]:
    """Return the metrics of the task, of answers that are no engine's."""
    predictions, metrics = folder / "predictions.npz", folder / "metrics.json"
    write_arrays(predictions, answers)
    task = importlib.import_module(f"trtflow.tasks.{job.task}")
    score = getattr(task, "score_objects", task.score)  # of detectors of the user's own
    score(replace(job, inputs={"predictions": (predictions,)}, outputs={"metrics": (metrics,)}))
    return dict(read_json(metrics)["metrics"])


def _times_ms(network: Network, batch: Mapping[str, np.ndarray], seconds: float) -> np.ndarray:
    """Return how long runs of a batch take, milliseconds, after one that counts for nothing."""
    network.run(batch)
    times: list[float] = []
    end = time.perf_counter() + seconds
    for _ in cycle([None]):
        start = time.perf_counter()
        network.run(batch)
        times.append((time.perf_counter() - start) * 1000)
        if len(times) >= LEAST_RUNS and time.perf_counter() > end:
            break
    return np.array(times)


class Network:
    """An ONNX file in another runtime.

    Args:
        path: of the file.
        session: gives all outputs, in the model's order, by `run(None, feeds)`.
    """

    def __init__(self, path: Path, session: Any) -> None:
        from onnx import load  # noqa: PLC0415 - not in the engine environment, which imports tasks

        from trtflow.converters.onnx_model import dtype_of, graph_inputs  # noqa: PLC0415 - as above

        model = load(path, load_external_data=False)
        self._session = session
        self._dtypes = {value.name: dtype_of(value) for value in graph_inputs(model)}
        self._outputs = [value.name for value in model.graph.output]

    def run(self, feeds: Mapping[str, np.ndarray]) -> Arrays:
        """Return the outputs for inputs by name."""
        given = {name: np.ascontiguousarray(feeds[name], dtype) for name, dtype in self._dtypes.items()}
        return dict(zip(self._outputs, self._session.run(None, given), strict=True))


def _open_onnxruntime(path: Path) -> Network:
    import onnxruntime  # noqa: PLC0415 - as of `Network`

    try:
        return Network(path, onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]))
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented as error:
        raise UserError(f"ONNX Runtime cannot take this network: {str(error).splitlines()[0]}") from error


def _open_openvino(path: Path) -> Network:
    from onnx import load  # noqa: PLC0415 - as of `Network`

    from trtflow.reference.run.providers import OpenVinoSession  # noqa: PLC0415 - as above

    return Network(path, OpenVinoSession(load(path)))


class Target:
    """A runtime.

    Args:
        name: of its Python package.
        open_network: opens an ONNX file in it.
    """

    def __init__(self, name: str, open_network: Callable[[Path], Network]) -> None:
        self.name, self.open = name, open_network

    def version(self) -> str:
        """Return its version; whether it is installed was looked at before anything was built."""
        return str(importlib.import_module(self.name).__version__).split("-")[0]


TARGETS = {ONNX_RUNTIME: Target(ONNX_RUNTIME, _open_onnxruntime), OPENVINO: Target(OPENVINO, _open_openvino)}
