"""Models of the user's own from `trtflow init` to scores: what it writes is taken, and engines say what the model says.

Everything runs in this process; the workflow itself is followed by tests/test_your_own_model.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import yaml
from own_models import TORCH, write_caffe, write_darknet, write_keras, write_lstm, write_program, write_sklearn
from own_steps import done, job_of, run_engine, through, written

from trtflow.formats import UserError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.caffe import NetParameter
from trtflow.runtime.own_plugins import plugin_files
from trtflow.samples import ITEMS, load
from trtflow.samples.own.calibration import pack, unpack
from trtflow.samples.own.inputs import Input
from trtflow.workflow.by_hand import ROOT
from trtflow.workflow.errors import PlanError
from trtflow.workflow.plan import make_plan


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", TORCH)
def test_exported_programs_of_pytorch(folder, name):
    model, data = write_program(name, folder)
    told, _ = written(model, "--data", data)
    assert told["task"] == "classification"
    assert told["outputs"] == {"output": {"logits": True}}
    metrics, agreement = through(name)
    assert metrics["top1"] == 1
    assert agreement["snr_db"] > 90
    assert agreement["top1_agreement"] == 1


def test_a_keras_model_and_a_saved_model_of_two_inputs(folder):
    model, saved, data = write_keras(folder)
    for place, name in ((model, "two"), (saved, "saved")):
        told, _ = written(place, "--data", data, "--folder", "config/samples")
        metrics, agreement = through(name)
        assert told["task"] == "regression"
        assert agreement["snr_db"] > 90
        assert metrics["r2"] > 0.999999  # of what Keras itself predicted
        Path(f"config/samples/{name}.yaml").unlink()


def test_a_pipeline_of_scikit_learn(folder):
    model, data, wanted = write_sklearn(folder)
    told, _ = written(model, "--data", data)
    assert list(told["outputs"]) == ["probabilities"]  # without labels and ZipMap
    assert told["inputs"]["X"]["from"] == ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    assert told["data"]["classes"] == ["setosa", "versicolor", "virginica"]
    metrics, agreement = through("pipeline")
    assert metrics["top1"] > 0.95
    assert agreement["agreement"] < 1e-6  # from ONNX Runtime with ai.onnx.ml's own operators
    (found, names) = read_arrays("results/pipeline/predictions.fp32.npz", "probabilities", ITEMS)
    np.testing.assert_allclose(found, wanted[names.astype(int)], atol=1e-6)  # from scikit-learn itself


def test_a_tables_only_words_are_labels_whatever_their_name(folder):
    model, data, _ = write_sklearn(folder)
    data.write_text(data.read_text().replace("species", "kind of iris"))
    told, _ = written(model, "--data", data)
    assert (told["task"], told["data"]["classes"]) == ("classification", ["setosa", "versicolor", "virginica"])
    assert told["outputs"]["probabilities"]["target"] == "kind of iris"
    data.write_text(data.read_text().replace("setosa", "versicolor"))  # two words, of three values
    Path("config/samples/pipeline.yaml").unlink()
    told, _ = written(model, "--data", data)
    assert told["task"] == "none"


def test_constants_of_an_open_batch_are_tensors(folder):
    """TensorRT 8.6 reads the attribute value_ints as an empty list, and an item of the batch is lost then."""
    from trtflow.converters.exported_program import export_program  # noqa: PLC0415 - loads PyTorch

    model, _ = write_program("vit", folder)
    export_program(model, Path("vit.onnx"))
    constants = [node for node in onnx.load("vit.onnx").graph.node if node.op_type == "Constant"]
    assert "batch/first" in {node.output[0] for node in constants}
    assert {item.name for node in constants for item in node.attribute} == {"value"}


def test_an_lstm_that_fixes_its_batch(folder):
    model, data = write_lstm(folder)
    told, _ = written(model, "--data", data)
    assert (told["task"], told["batch_size"]) == ("regression", 4)
    metrics, agreement = through("lstm")
    assert metrics["r2"] > 0.999999
    assert agreement["snr_db"] > 90


@pytest.mark.parametrize(
    ("write", "name", "shape"), [(write_caffe, "small", [3, 8, 8]), (write_darknet, "tiny", [3, 16, 16])]
)
def test_caffe_and_darknet_without_data(folder, write, name, shape):
    told, _ = written(write(folder))
    assert told["task"] == "none"
    assert next(iter(np.load(told["data"]["val"]).values())).shape == (64, *shape)
    _, agreement = through(name)
    assert agreement["snr_db"] > 90


def test_what_is_there_stays_as_it_is(folder):
    model = write_darknet(folder)
    _, text = written(model)
    with pytest.raises(
        UserError, match=r"config/samples/tiny.yaml: it is there already. Remove it, or give another --name."
    ):
        written(model)
    assert Path("config/samples/tiny.yaml").read_text() == text


def test_an_operator_that_tensorrt_lacks_is_one_line(folder):
    tree = onnx.helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, nodes_modes=["LEAF"]
    )
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([tree], "g", [info("x", 1, [None, 4])], [info("y", 1, [None, 1])])
    versions = [onnx.helper.make_opsetid("", 15), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=versions, ir_version=8), "tree.onnx")
    with pytest.raises(
        UserError, match=r"tree.onnx: .*TreeEnsembleRegressor.*Export it without that operator"
    ) as caught:
        written("tree.onnx")
    assert "\n" not in str(caught.value)


def test_int8_has_a_calibration_and_gates_without_ceremony(folder):
    write_darknet(folder)
    np.savez("data.npz", inputs=np.random.default_rng(0).normal(size=(40, 3, 16, 16)).astype(np.float32))
    told, _ = written("tiny.cfg", "--data", "data.npz")
    for key in ("gates", "outputs", "inputs"):
        told.pop(key)
    Path("config/samples/tiny.yaml").write_text(yaml.safe_dump(told))
    plan = make_plan(ROOT, {})
    sample = plan.sample("tiny")
    assert sample["calibration"]["algorithm"] == "entropy2"
    assert [gate["name"] for gate in sample["gates"] if gate["precision"] == "int8"] == ["int8_agreement"]
    done(job_of("tiny", "export"))
    own = load("tiny")
    calibrating, scored = (set(own.read_images(Path("data.npz"), split)[1]) for split in ("calibration", "val"))
    assert (len(calibrating), len(scored)) == (8, 32)  # whole batches of 8, up to a quarter
    assert not calibrating & scored
    assert calibrating != set(map(str, range(8)))  # of all parts
    assert plan.batches("tiny") == ["results/tiny/calibration/batches/batch0"]


def test_batch_files_hold_several_inputs_of_any_rank():
    inputs = {
        "tokens": Input("tokens", (7,), "int64"),
        "picture": Input("picture", (3, 4, 5)),
        "size": Input("size", ()),
    }
    random = np.random.default_rng(0)
    prepared = {
        "tokens": random.integers(0, 30_000, (6, 7)),
        "picture": random.normal(size=(6, 3, 4, 5)).astype(np.float32),
        "size": random.normal(size=6).astype(np.float32),
    }
    packed = pack(prepared, inputs)
    assert (packed.shape, packed.dtype) == ((6, 1, 1, 7 + 60 + 1), np.float32)
    found = unpack(packed, inputs)
    assert found["tokens"].dtype == np.int32  # as TensorRT takes them
    for name, values in prepared.items():
        np.testing.assert_array_equal(found[name], values)
    prepared["tokens"][0, 0] = (1 << 24) + 1  # float32 has no such number
    with pytest.raises(UserError, match="input 'tokens' takes whole numbers beyond 16777216"):
        pack(prepared, inputs)


PLUGIN = """
import trtflow.reference as trt


class Doubled(trt.IPluginV2):
    plugin_type = "OwnDoubled"

    def get_output_shape(self, index, inputs):
        return inputs[0]

    def lower(self, graph, inputs):
        return [graph.node("Add", [inputs[0], inputs[0]])]
"""


def test_a_layer_of_a_plugin_of_the_users_own(folder):
    model = write_caffe(folder)
    net = Path("small.prototxt").read_text().replace('"Softmax"', '"OwnDoubled"')
    Path("small.prototxt").write_text(net)
    Path("doubled.py").write_text(PLUGIN)
    with pytest.raises(UserError, match="OwnDoubled"):
        written(model)
    told, _ = written(model, "--plugins", "doubled.py")
    assert told["model"]["plugins"] == ["doubled.py"]
    (name,) = told["outputs"]
    done(job_of("small", "export"))
    sample, data = load("small"), np.load(told["data"]["val"])["data"]
    with plugin_files([]):  # what is registered within goes again
        found = run_engine(sample, {"data": data}, len(data))[f"output/{name}"]
    caffe = NetParameter()
    caffe.ParseFromString(Path("small.caffemodel").read_bytes())
    kernel, bias = (np.array(blob.data, np.float32) for blob in caffe.layer[1].blobs)
    wanted = 2 * (data.reshape(len(data), -1) @ kernel.reshape(4, -1).T + bias)
    np.testing.assert_allclose(found.reshape(len(data), 4), wanted, atol=1e-4)


HOOK = """
import numpy as np

def preprocess(data):
    return {"000_net": data["pixels"].reshape(-1, 3, 16, 16) / 255}

def postprocess(outputs):
    return {name: np.maximum(values, 0) for name, values in outputs.items()}

def score(outputs, data):
    return {"mean": float(next(iter(outputs.values())).mean())}
"""


def with_hook(folder, text):
    """Take a model over with a hook of this text."""
    if not Path("tiny.cfg").exists():
        write_darknet(folder)
        pixels = np.random.default_rng(0).integers(0, 256, (40, 768)).astype(np.float32)
        np.savez("data.npz", pixels=pixels, inputs=np.zeros((40, 3, 16, 16), np.float32))
        written("tiny.cfg", "--data", "data.npz")
    Path("hook.py").write_text(text)
    path = Path("config/samples/tiny.yaml")
    told = {**yaml.safe_load(path.read_text()), "hook": "hook.py"}
    path.write_text(yaml.safe_dump(told, sort_keys=False))


def test_a_hook_prepares_changes_and_scores(folder):
    with_hook(folder, HOOK)
    metrics, agreement = through("tiny")
    (name,) = load("tiny").outputs
    (found,) = read_arrays("results/tiny/predictions.fp32.npz", f"output/{name}")
    assert found.min() == 0
    assert metrics == {"mean": pytest.approx(found.mean())}
    assert agreement["snr_db"] > 90


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "/ 255",
            "/ nothing",
            r"hook.py: preprocess raised NameError: name 'nothing' is not defined at line 5. Correct it",
        ),
        (
            "3, 16, 16",
            "3, 256",
            r"hook.py: preprocess gave shape \(2, 3, 256\) for input '000_net', which takes \(2, 3, 16, 16\)",
        ),
        ('"000_net"', '"x"', r"hook.py: preprocess gave x, but no 000_net"),
        (
            "np.maximum(values, 0)",
            "values.sum()",
            r"hook.py: postprocess returned dict, not arrays|postprocess gave shape",
        ),
        ("import numpy as np", "import nothing_such", r"hook.py: Python cannot run it \(ModuleNotFoundError"),
    ],
)
def test_a_hook_that_fails_is_told_before_anything_is_built(folder, old, new, message):
    with_hook(folder, HOOK.replace(old, new))
    with pytest.raises(UserError, match=message):
        done(job_of("tiny", "export"))
    assert not Path("results/tiny/export/sample.json").exists()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("a,b,c,d,labels\n1,2,3,4,5\n", r"iris.csv: labels from 5 to 5. The model's 3 classes are"),
        ("a,b,c,d,labels\n1,2,3,4,rose\n", r"iris.csv: the label of row 0 'rose' is no class"),
        ("a,b,c,d,labels\n", r"iris.csv: it has no items"),
        ("a,b,c,labels\n1,2,3,1\n", r"iris.csv: no column or array 'd', which input 'X' needs"),
        ("a,b,c,d,labels\n1,2,3,four,1\n", r"iris.csv: 'd' holds no numbers, which input 'X' needs"),
        ("a,b,c,d,labels\n1,2,3\n", r"iris.csv: row 2 has 3 fields, but there are 5 columns"),
    ],
)
def test_data_that_do_not_fit(folder, columns, message):
    model, data, _ = write_sklearn(folder)
    told, _ = written(model, "--data", data)
    told |= {"inputs": {"X": {"from": ["a", "b", "c", "d"]}}, "outputs": {"probabilities": {}}, "precisions": ["fp32"]}
    del told["gates"]
    Path("config/samples/pipeline.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
    data.write_text(columns)
    with pytest.raises(UserError, match=message):
        done(job_of("pipeline", "export"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "regress"}, r"task: unknown task of a model of your own 'regress'. Did you mean 'regression'\?"),
        ({"task": "classification"}, r"data.classes: missing, which task 'classification' needs"),
        (
            {"gates": [{"name": "g", "metric": "top1", "precision": "fp32", "op": ">=", "limit": 1}]},
            r"unknown metric 'top1'",
        ),
        ({"model": {"file": "tiny.h5"}}, r"model.file: 'tiny.h5' does not match"),
    ],
)
def test_a_mistake_in_the_file_is_told_at_once(folder, change, message):
    told, _ = written(write_darknet(folder))
    Path("config/samples/tiny.yaml").write_text(yaml.safe_dump({**told, **change}))
    with pytest.raises(PlanError, match=message):
        make_plan(ROOT, {})


def test_a_pruned_model_is_the_part_that_the_output_needs(folder):
    from trtflow.converters.onnx_model import pruned, read_onnx  # noqa: PLC0415

    model, _, _ = write_sklearn(folder)
    part = pruned(read_onnx(model), ["scaled"])
    assert [node.op_type for node in part.graph.node] == ["Scaler"]
    rows = np.array([[5.1, 3.5, 1.4, 0.2]], np.float32)
    sessions = [onnxruntime.InferenceSession(text) for text in (part.SerializeToString(), model.read_bytes())]
    np.testing.assert_array_equal(sessions[0].run(["scaled"], {"X": rows})[0].shape, (1, 4))
    with pytest.raises(UserError, match="no output 'nowhere' in the model. It has output_label, output_probability"):
        pruned(read_onnx(model), ["nowhere"])
