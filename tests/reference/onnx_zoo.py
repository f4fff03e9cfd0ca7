"""Networks of PyTorch, torchvision and timm at random weights, exported at several opsets: does the reference agree?

    pip install --target zoo --no-deps torchvision timm huggingface_hub safetensors
    PYTHONPATH=zoo:. python tests/reference/onnx_zoo.py FOLDER [names]

writes each network's exports into FOLDER where they are not yet, runs them in ONNX Runtime and in the reference, and
prints how far the outputs are apart (relative to the largest; 1e-4 counts as the same), or why a model is refused.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnx_table
import onnxruntime
import torch

FORMS = [[(13, True), (18, False)], [(11, False), (17, True)]]  # opset, and whether the batch is dynamic; in turn
IMAGE, SEQUENCE = (2, 3, 64, 64), (3, 7)
VISION = """
resnet18 squeezenet1_1 densenet121 mobilenet_v2 mobilenet_v3_small shufflenet_v2_x0_5 mnasnet0_5 efficientnet_b0
regnet_y_400mf
"""
TIMM = """
convnext_atto ghostnet_050 edgenext_xx_small mobilevit_xxs poolformer_s12 hrnet_w18_small resnest14d hardcorenas_a
res2net50_14w_8s gcresnext26ts nfnet_l0
"""
LARGE = {"mixer_s32_224": 224, "levit_128s": 224, "deit_tiny_patch16_224": 224, "coatnet_pico_rw_224": 224}
LARGE |= {"botnet26t_256": 256, "crossvit_tiny_240": 240}


class Sequence(torch.nn.Module):
    """An embedding, a recurrent network of both directions, and a classifier of each step."""

    def __init__(self, kind):
        super().__init__()
        self.words, self.head = torch.nn.Embedding(50, 16), torch.nn.Linear(24, 5)
        self.cells = getattr(torch.nn, kind)(16, 12, 2, bidirectional=True, batch_first=True)

    def forward(self, words):
        return self.head(self.cells(self.words(words))[0]).log_softmax(-1)


class Encoder(torch.nn.Module):
    """A transformer's encoder over an embedding."""

    def __init__(self):
        super().__init__()
        layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.words = torch.nn.Embedding(50, 16)
        self.layers = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, words):
        return self.layers(self.words(words)).mean(1)


class Segmenter(torch.nn.Module):
    """The first output of torchvision's segmentation networks."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        return self.network(image)["out"]


def networks():
    """Return by name what makes a network, and the shape of its input."""
    library = torch.library.Library("torchvision", "DEF")  # where torchvision has no kernels for this PyTorch
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import timm  # noqa: PLC0415 - after the library
    import torchvision.models as vision  # noqa: PLC0415

    def segmenter(name):
        build = getattr(vision.segmentation, name)
        return lambda: Segmenter(build(weights=None, weights_backbone=None, num_classes=4))

    found = {name: (getattr(vision, name), IMAGE) for name in VISION.split()}
    found["googlenet"] = (lambda: vision.googlenet(aux_logits=False, init_weights=False), IMAGE)
    found["vit"] = (lambda: vision.VisionTransformer(32, 8, 2, 2, 32, 64, num_classes=7), (2, 3, 32, 32))
    windows = ([4, 4], 16, [2, 2], [2, 2], [4, 4])
    found["swin"] = (lambda: vision.SwinTransformer(*windows, num_classes=7), (2, 3, 32, 32))
    for name in ("deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"):
        found[name] = (segmenter(name), IMAGE)
    found["r3d_18"] = (lambda: vision.video.r3d_18(num_classes=5), (1, 3, 8, 32, 32))
    for name in (*TIMM.split(), *LARGE):
        size = LARGE.get(name, 64)
        found[name] = (lambda name=name: timm.create_model(name, pretrained=False), (2, 3, size, size))
    found |= {kind: (lambda kind=kind: Sequence(kind), SEQUENCE) for kind in ("LSTM", "GRU", "RNN")}
    return found | {"encoder": (Encoder, SEQUENCE)}


def export(make, shape, path, opset, dynamic):
    """Write a network and its input beside it."""
    torch.manual_seed(0)
    network = make().eval()
    data = torch.randint(0, 50, shape) if shape == SEQUENCE else torch.randn(shape)
    axes = {0: "N", 1: "L"} if shape == SEQUENCE else {0: "N"}
    options = {
        "input_names": ["x"],
        "output_names": ["y"],
        "dynamic_axes": {"x": axes, "y": {0: "N"}} if dynamic else None,
    }
    torch.onnx.export(network, (data,), str(path), opset_version=opset, dynamo=False, **options)
    np.save(path.with_suffix(".npy"), data.numpy())


def compare(path):
    """Return what the reference makes of a model that ONNX Runtime runs."""
    model, feeds = path.read_bytes(), {"x": np.load(path.with_suffix(".npy"))}
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    wanted = dict(zip([value.name for value in session.get_outputs()], session.run(None, feeds), strict=True))
    (kind, found), _ = onnx_table.answer(model, feeds)
    if kind != "ran":
        return f"{kind}: {found}"
    worst = max(np.abs(found[name] - array).max() / np.abs(array).max() for name, array in wanted.items())
    return f"{'same' if worst < 1e-4 else 'DIFFERS'} {worst:.1e}"


def main(folder, *names):
    """Export and compare."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    for index, (name, (make, shape)) in enumerate(networks().items()):
        for opset, dynamic in FORMS[index % 2] if not names or name in names else ():
            path, begun = Path(folder) / f"{name}.{opset}.{'dynamic' if dynamic else 'static'}.onnx", time.time()
            try:
                if not path.with_suffix(".npy").exists():
                    export(make, shape, path, opset, dynamic)
                result = compare(path)
            except Exception as error:  # of PyTorch's exporter, or what a user must never see
                result = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:100]}"
            print(f"{path.name}: {result} ({time.time() - begun:.1f} s)", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
