# make_example.py
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

digits = load_digits()
train, rest = slice(0, 1200), slice(1200, 1500)
trained = LogisticRegression(max_iter=200).fit(digits.data[train] / 16, digits.target[train])

weights = {"kernel": trained.coef_.reshape(10, 1, 8, 8), "bias": trained.intercept_}
graph = helper.make_graph(
    [
        helper.make_node("Conv", ["image", "kernel", "bias"], ["scores"]),
        helper.make_node("Flatten", ["scores"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ],
    "digits",
    [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])],
    [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
    [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
model.ir_version = 8
onnx.save(model, "digits.onnx")

for index in range(rest.start, rest.stop):
    folder = Path("pictures", str(digits.target[index]))
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray((digits.images[index] * 15).astype(np.uint8)).save(folder / f"{index}.png")
for index in range(train.start, train.start + 200):
    Path("calibration").mkdir(exist_ok=True)
    Image.fromarray((digits.images[index] * 15).astype(np.uint8)).save(f"calibration/{index}.png")
Path("classes.txt").write_text("".join(f"{digit}\n" for digit in range(10)))
