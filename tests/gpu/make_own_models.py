"""Make models of one's own, trained for some seconds each, and data for them, in a folder.

python tests/gpu/make_own_models.py FOLDER    # some minutes; needs skl2onnx: pip install skl2onnx
cd FOLDER; for file in digits.pt2:pictures houses.keras:houses.npz yolo5.onnx:shapes yolo8.onnx:shapes \\
    yolo8_nms.onnx:shapes forecast.onnx:forecast.npz wine.onnx:wine.csv diabetes.onnx:diabetes.csv; do
    trtflow init ${file%:*} --data ${file#*:}; done
trtflow init unet.onnx --data shapes/images --masks shapes/masks; trtflow init encoder.pt2

`digits.pt2` and `houses.keras` are those of docs/your-own-model.md, made by what stands there. The others are networks
of own_networks.py. `snakemake … --config backend=tensorrt` makes their reports on a GPU.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from own_networks import CELLS, SHAPES, SIZE, STRIDE, Encoder, Forecast, UNet, Yolo5, Yolo8, scene
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, l1_loss, mse_loss, smooth_l1_loss

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your-own-model.md"
KEPT = 20  # detections of a picture that the suppression inside of a model keeps


def main() -> None:
    """Make all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    run_page(folder)
    torch.manual_seed(0)
    images, masks, objects = scenes(np.random.default_rng(0), 600)
    write_scenes(folder / "shapes", *scenes(np.random.default_rng(1), 80))
    write_detectors(folder, images, objects)
    unet = UNet()
    train(unet, lambda at: cross_entropy(unet(images[at]), masks[at]), len(images), 300)
    export(unet, folder / "unet.onnx", images[:2], ["logits"])
    write_forecast(folder)
    export_program(Encoder(), folder / "encoder.pt2", torch.randint(500, (2, 32)))
    write_pipelines(folder)


def run_page(folder: Path) -> None:
    """Run the files of docs/your-own-model.md, which make its two models."""
    for code in re.findall(r"```python\n(# make_.*?)```", PAGE.read_text(), re.DOTALL):
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


Objects = list[list[tuple[int, float, float, float]]]


def scenes(random: np.random.Generator, count: int) -> tuple[Tensor, Tensor, Objects]:
    """Return pictures [N, 3, 64, 64] from 0 to 1, masks [N, 64, 64] and objects."""
    pictures, masks, objects = zip(*(scene(random) for _ in range(count)), strict=True)
    images = torch.tensor(np.stack(pictures).transpose(0, 3, 1, 2) / 255, dtype=torch.float32)
    return images, torch.tensor(np.stack(masks), dtype=torch.int64), list(objects)


def write_scenes(folder: Path, images: Tensor, masks: Tensor, objects: Objects) -> None:
    """Write pictures, masks and labels as YOLO has them."""
    for name in ("images", "labels", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "labels/classes.txt").write_text("\n".join(SHAPES) + "\n")
    for number, (image, mask, found) in enumerate(zip(images, masks, objects, strict=True)):
        pixels = (image.numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"images/{number:03}.png")
        Image.fromarray(mask.numpy().astype(np.uint8)).save(folder / f"masks/{number:03}.png")
        lines = [f"{kind} {x / SIZE} {y / SIZE} {side / SIZE} {side / SIZE}\n" for kind, x, y, side in found]
        (folder / f"labels/{number:03}.txt").write_text("".join(lines))


def train(model: nn.Module, loss_of: Callable[[Tensor], Tensor], count: int, steps: int) -> None:
    """Train a model on batches of 32, whose loss is that of the places given."""
    optimizer = torch.optim.Adam(model.parameters(), 0.005)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, steps)
    for at in torch.randint(count, (steps, 32)):
        optimizer.zero_grad()
        loss = loss_of(at)
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    print(f"{type(model).__name__}: loss {loss.item():.4f}", flush=True)


def targets_of(objects: Objects) -> tuple[Tensor, Tensor]:
    """Return scores [N, 3, 64] and boxes x, y, side, side in pixels [N, 4, 64], at the cells of the middles."""
    scores, boxes = torch.zeros(len(objects), len(SHAPES), CELLS**2), torch.zeros(len(objects), 4, CELLS**2)
    for picture, found in enumerate(objects):
        for kind, x, y, side in found:
            cell = int(y // STRIDE) * CELLS + int(x // STRIDE)
            scores[picture, kind, cell], boxes[picture, :, cell] = 1, torch.tensor([x, y, side, side])
    return scores, boxes


def write_detectors(folder: Path, images: Tensor, objects: Objects) -> None:
    """Write YOLOv5's table, YOLOv8's, and YOLOv8's with a suppression behind it."""
    scores, boxes = targets_of(objects)
    there = scores.amax(1)
    yolo5, yolo8 = Yolo5(), Yolo8()

    def loss5(at: Tensor) -> Tensor:
        table, logits = yolo5(images[at]).transpose(1, 2), yolo5.raw(images[at]).flatten(2)
        placed = there[at].bool()
        found, wanted = table[:, :4].transpose(1, 2)[placed], boxes[at].transpose(1, 2)[placed]
        kinds = binary_cross_entropy_with_logits(
            logits[:, 5:].transpose(1, 2)[placed], scores[at].transpose(1, 2)[placed]
        )
        return l1_loss(found, wanted) / 4 + kinds + 4 * binary_cross_entropy_with_logits(logits[:, 4], there[at])

    def loss8(at: Tensor) -> Tensor:
        found, logits = yolo8.raw(images[at])
        placed, wanted = there[at].bool(), boxes[at].transpose(1, 2)
        corners = torch.cat([wanted[..., :2] - wanted[..., 2:] / 2, wanted[..., :2] + wanted[..., 2:] / 2], -1)
        side = smooth_l1_loss(found.transpose(1, 2)[placed], corners[placed])
        return side / 4 + 8 * binary_cross_entropy_with_logits(logits, scores[at])

    train(yolo5, loss5, len(images), 400)
    train(yolo8, loss8, len(images), 400)
    export(yolo5, folder / "yolo5.onnx", images[:2], ["output"])
    export(yolo8, folder / "yolo8.onnx", images[:2], ["output0"])
    export(yolo8, folder / "yolo8_nms.onnx", images[:1], ["output0"], dynamic=False)
    append_suppression(folder / "yolo8_nms.onnx")


def append_suppression(path: Path) -> None:
    """Put ONNX's NonMaxSuppression behind a YOLOv8's table [1, 7, 64]: rows [K, 7] of image, box, label, score."""
    model = onnx.load(path)
    graph = model.graph
    constants: dict[str, np.ndarray] = {
        "most": np.array([KEPT]), "overlap": np.float32([0.5]), "least": np.float32([0.25]),
        "half": np.float32([0.5]), "cut": np.array([2, 2, len(SHAPES)]), "flat": np.array([-1]),
        "zero": np.array([0]), "one": np.array([1]), "two": np.array([2]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Split", ["output0", "cut"], ["middle", "sides", "all_scores"], axis=1),
        helper.make_node("Mul", ["sides", "half"], ["halves"]),
        helper.make_node("Sub", ["middle", "halves"], ["low"]),
        helper.make_node("Add", ["middle", "halves"], ["high"]),
        helper.make_node("Concat", ["low", "high"], ["columns"], axis=1),
        helper.make_node("Transpose", ["columns"], ["boxes"], perm=[0, 2, 1]),
        helper.make_node("NonMaxSuppression", ["boxes", "all_scores", "most", "overlap", "least"], ["selected"]),
        helper.make_node("Gather", ["selected", "zero"], ["picture"], axis=1),
        helper.make_node("Gather", ["selected", "one"], ["label"], axis=1),
        helper.make_node("Gather", ["selected", "two"], ["place"], axis=1),
        helper.make_node("Reshape", ["place", "flat"], ["places"]),
        helper.make_node("Squeeze", ["boxes", "zero"], ["all_boxes"]),
        helper.make_node("Gather", ["all_boxes", "places"], ["kept"], axis=0),
        helper.make_node("Squeeze", ["all_scores", "zero"], ["plain"]),
        helper.make_node("Concat", ["label", "place"], ["pair"], axis=1),
        helper.make_node("GatherND", ["plain", "pair"], ["chosen"]),
        helper.make_node("Unsqueeze", ["chosen", "one"], ["score"]),
        helper.make_node("Cast", ["picture"], ["picture_f"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["label"], ["label_f"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["picture_f", "kept", "label_f", "score"], ["rows"], axis=1),
    ]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in constants.items())
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["K", 7]))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def write_forecast(folder: Path) -> None:
    """Write an LSTM that continues sums of waves, and series of which it has seen none."""
    random = np.random.default_rng(0)
    times = np.arange(26) / 26
    speed, start = random.uniform(2, 12, (1200, 3, 1)), random.uniform(0, 6, (1200, 3, 1))
    waves = np.sin(speed * times + start).transpose(0, 2, 1)
    waves = torch.tensor(waves + random.normal(0, 0.02, waves.shape), dtype=torch.float32)
    series, ahead = waves[:, :24], waves[:, 24:].sum(2)
    model = Forecast()
    train(model, lambda at: mse_loss(model(series[at]), ahead[at]), 1000, 400)
    export(model, folder / "forecast.onnx", series[:2], ["forecast"])
    np.savez(folder / "forecast.npz", input=series[1000:], forecast=ahead[1000:])


def write_pipelines(folder: Path) -> None:
    """Write scikit-learn's pipelines as skl2onnx does: a classifier and a perceptron that regresses."""
    from skl2onnx import to_onnx  # noqa: PLC0415 - pip install skl2onnx; what else is made needs it not
    from sklearn.datasets import load_diabetes, load_wine  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.neural_network import MLPRegressor  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    wine, diabetes = load_wine(), load_diabetes(scaled=False)
    classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(wine.data[::2], wine.target[::2])
    perceptron = make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(24, 12), max_iter=800, random_state=0)
    )
    for name, model, data, answers in (
        ("wine", classifier, wine, wine.target_names[wine.target]),
        ("diabetes", perceptron.fit(diabetes.data[::2], diabetes.target[::2]), diabetes, diabetes.target),
    ):
        (folder / f"{name}.onnx").write_bytes(to_onnx(model, data.data[:1].astype(np.float32)).SerializeToString())
        columns = [re.sub(r"\W+", "_", column) for column in data.feature_names]
        rows = [",".join([*columns, "kind" if name == "wine" else "targets"])]
        rows += [
            ",".join(map(str, [*row, answer]))
            for row, answer in zip(data.data[1::2].tolist(), answers[1::2], strict=True)
        ]
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")


def export(model: nn.Module, path: Path, example: Tensor, outputs: list[str], *, dynamic: bool = True) -> None:
    """Export a model of one input as ONNX."""
    name = "images" if example.ndim == 4 else "input"
    axes = {tensor: {0: "N"} for tensor in [name, *outputs]} if dynamic else None
    options = {"input_names": [name], "output_names": outputs, "opset_version": 17, "dynamo": False}
    torch.onnx.export(model.eval(), (example,), str(path), dynamic_axes=axes, **options)


def export_program(model: nn.Module, path: Path, example: Tensor) -> None:
    """Export a model as PyTorch's exported program with an open batch."""
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.export.save(torch.export.export(model.eval(), (example,), dynamic_shapes=({0: batch},)), path)


if __name__ == "__main__":
    main()
