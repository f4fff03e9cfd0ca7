"""Small models of the user's own, made with the libraries that people make theirs with, and data for each."""

from __future__ import annotations

import numpy as np
import torch
from onnx import TensorProto, helper, save
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from trtflow.formats.caffe import NetParameter, array_to_blob, write_caffemodel, write_prototxt

SIDE, COUNT = 16, 24


class SmallCnn(nn.Module):
    """Convolution, batch normalisation, pooling: three classes."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU()
        )
        self.head = nn.Linear(8, 3)

    def forward(self, image):
        return self.head(self.body(image).mean((2, 3)))


class SmallVit(nn.Module):
    """Patches, a token of the class, positions, one encoder layer, as in timm's ViT."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.position = nn.Parameter(torch.randn(1, 17, 16) / 4)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, image):
        patches = self.patch(image).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(image.shape[0], -1, -1), patches], 1) + self.position
        return self.head(self.layer(tokens)[:, 0])


class SmallMobileNet(nn.Module):
    """Hard swish, a depthwise convolution and squeeze-and-excitation, as in MobileNetV3."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.Hardswish())
        self.deep = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.BatchNorm2d(8), nn.Hardswish())
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 1), nn.Hardsigmoid()
        )
        self.head = nn.Linear(8, 3)

    def forward(self, image):
        found = self.deep(self.stem(image))
        return self.head((found * self.gate(found)).mean((2, 3)))


class LstmRegressor(nn.Module):
    """A sequence to two numbers."""

    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(5, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, series):
        return self.head(self.lstm(series)[0][:, -1])


TORCH = {"cnn": SmallCnn, "vit": SmallVit, "mobilenet": SmallMobileNet}


def write_program(name, folder):
    """Write a classifier as an exported program with an open batch, and arrays with labels that it meets."""
    torch.manual_seed(0)
    module, image = TORCH[name]().eval(), torch.randn(COUNT, 3, SIDE, SIDE)
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.export.save(
        torch.export.export(module, (image,), dynamic_shapes={"image": {0: batch}}), folder / f"{name}.pt2"
    )
    with torch.no_grad():
        labels = module(image).argmax(1).numpy()
    np.savez(folder / f"{name}.npz", image=image.numpy(), labels=labels)
    return folder / f"{name}.pt2", folder / f"{name}.npz"


def write_lstm(folder):
    """Write an LSTM as ONNX with a batch of 4 that it fixes, and a .npz with what it should say."""
    torch.manual_seed(0)
    module, series = LstmRegressor().eval(), torch.randn(10, 7, 5)
    options = {"input_names": ["series"], "output_names": ["forecast"], "opset_version": 17, "dynamo": False}
    torch.onnx.export(module, (series[:4],), folder / "lstm.onnx", **options)
    with torch.no_grad():
        np.savez(folder / "lstm.npz", series=series.numpy(), forecast=module(series).numpy())
    return folder / "lstm.onnx", folder / "lstm.npz"


def write_keras(folder):
    """Write a functional model of a picture and features as .keras and as a SavedModel, and a .npz with its answers."""
    import keras  # noqa: PLC0415 - takes seconds

    keras.utils.set_random_seed(0)
    picture, features = keras.Input((8, 8, 3), name="picture"), keras.Input((4,), name="features")
    pooled = keras.layers.Conv2D(6, 3, activation="relu")(picture)
    pooled = keras.layers.Flatten()(keras.layers.MaxPooling2D()(pooled))
    joined = keras.layers.Concatenate()([pooled, keras.layers.Dense(5, activation="relu")(features)])
    model = keras.Model([picture, features], keras.layers.Dense(1, name="price")(joined))
    random = np.random.default_rng(0)
    data = {"picture": random.normal(size=(12, 8, 8, 3)), "features": random.normal(size=(12, 4))}
    data = {name: values.astype(np.float32) for name, values in data.items()}
    model.save(folder / "two.keras")
    model.export(folder / "saved", verbose=False)
    np.savez(folder / "two.npz", **data, targets=model.predict(list(data.values()), verbose=0))
    return folder / "two.keras", folder / "saved", folder / "two.npz"


def write_sklearn(folder):
    """Write a pipeline of scikit-learn's as skl2onnx does, with labels and a ZipMap, and its rows as a CSV file."""

    iris = load_iris()
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(iris.data, iris.target)
    scaler, linear = pipeline[0], pipeline[1]
    ml = {"domain": "ai.onnx.ml"}
    classes = {"classlabels_ints": [0, 1, 2], "multi_class": 1, "post_transform": "SOFTMAX"}
    weights = {"coefficients": linear.coef_.ravel().tolist(), "intercepts": linear.intercept_.tolist()}
    zipped = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    graph = helper.make_graph(
        [
            helper.make_node("Scaler", ["X"], ["scaled"], offset=scaler.mean_, scale=1 / scaler.scale_, **ml),
            helper.make_node("LinearClassifier", ["scaled"], ["label", "raw"], **classes, **weights, **ml),
            helper.make_node("Normalizer", ["raw"], ["probabilities"], norm="L1", **ml),
            helper.make_node("Cast", ["label"], ["output_label"], to=TensorProto.INT64),
            helper.make_node("ZipMap", ["probabilities"], ["output_probability"], classlabels_int64s=[0, 1, 2], **ml),
        ],
        "pipeline",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 4])],
        [
            helper.make_tensor_value_info("output_label", TensorProto.INT64, [None]),
            helper.make_value_info("output_probability", helper.make_sequence_type_proto(zipped)),
        ],
    )
    versions = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 1)]
    save(helper.make_model(graph, opset_imports=versions, ir_version=8), folder / "pipeline.onnx")
    names = [name.replace(" (cm)", "").replace(" ", "_") for name in iris.feature_names]
    rows = [",".join([*names, "species"])]
    rows += [
        ",".join([*map(str, row), iris.target_names[label]]) for row, label in zip(iris.data, iris.target, strict=True)
    ]
    (folder / "iris.csv").write_text("\n".join(rows) + "\n")
    return folder / "pipeline.onnx", folder / "iris.csv", pipeline.predict_proba(iris.data)


def write_caffe(folder):
    """Write a caffemodel with a convolution and a softmax, and arrays."""

    random = np.random.default_rng(0)
    net = NetParameter(name="small")
    net.layer.add(name="data", type="Input", top=["data"]).input_param.shape.add(dim=[1, 3, 8, 8])
    layers = [net.layer.add(name="scores", type="InnerProduct", bottom=["data"], top=["scores"])]
    layers[0].inner_product_param.num_output = 4
    net.layer.add(name="prob", type="Softmax", bottom=["scores"], top=["prob"])
    write_prototxt(net, folder / "small.prototxt")
    layers[0].blobs.extend(
        [array_to_blob(random.normal(size=shape).astype(np.float32) / 8) for shape in ((4, 192), (4,))]
    )
    write_caffemodel(net, folder / "small.caffemodel")
    return folder / "small.caffemodel"


CFG = """[net]
height=16
width=16
channels=3

[convolutional]
batch_normalize=1
filters=4
size=3
stride=2
pad=1
activation=leaky

[convolutional]
filters=6
size=1
stride=1
pad=1
activation=linear
"""


def write_darknet(folder):
    """Write a cfg and weights of two convolutions."""
    random = np.random.default_rng(0)
    (folder / "tiny.cfg").write_text(CFG)
    values = [*random.normal(size=12), *random.uniform(0.5, 1, 4), *random.normal(size=4 * 27 + 6 + 6 * 4)]
    header = np.array([0, 2, 0], np.int32).tobytes() + np.array([100], np.int64).tobytes()
    (folder / "tiny.weights").write_bytes(header + np.array(values, np.float32).tobytes())
    return folder / "tiny.cfg"
