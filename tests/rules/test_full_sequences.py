"""char_rnn, nmt and the recommenders with data: full: random weights under the published names, in their layouts."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from full import full_copy, pin, run
from jobs import step
from stand_ins import LSTM, NMT_ARCHIVE, write_char_rnn, write_movielens, write_nmt
from workflow_copy import ROOT

from trtflow.formats.wts import read_wts2

GENERATION = "generation: {length: 24, seeds: [ROMEO, The K, Hi], published: [a, b, c]}"
INFERENCE = "{batch: 4, beam: 3, max_input_sequence_length: 10, max_output_sequence_length: 6}"
SMALL = f"""samples={{
    char_rnn: {{splits: {{train: 2000, val: 500}}, precisions: [fp32, fp16], {GENERATION}}},
    nmt: {{precisions: [fp32, fp16], max_batch_size: 4, inference: {INFERENCE}}},
    movielens: {{precisions: [fp32]}}, movielens_mps: {{serving: {{processes: [1, 2]}}}}}}"""
CHANCE = {  # gates on results that random weights have not; all others must pass
    "char_rnn": {"perplexity", "published_share"},
    "nmt": {"bleu"},
    "movielens": {"hr10", "ndcg10", "published_share"},
    "movielens_mps": {"hr10", "ndcg10", "published_share"},
}


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    root = tmp_path_factory.mktemp("full")
    made, mirror = full_copy(root), root / "mirror"
    files = write_char_rnn(mirror / "char_rnn") + write_movielens(mirror / "movielens", 150)
    files += write_nmt(mirror / "nmt", 8, 6)
    pin(made, files)
    know_vocabulary(made, root / "mirror/nmt_files/vocab.bpe.32000.de")
    return made


def know_vocabulary(workflow, path):
    """Let the copy hold the archive's vocabularies against the sum of the stand-in, and not of the guide's."""
    listed = workflow.folder / "config/samples/nmt.yaml"
    found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    text, count = re.subn("md5: [0-9a-f]{32}", f"md5: {found}", listed.read_text())
    assert count == 2
    listed.write_text(text)


def report_of(workflow, name):
    """Make a report; return it when no gate but those of chance has failed."""
    run(workflow, f"results/{name}_report.json", " ".join(SMALL.split()))
    report = json.loads((workflow.folder / f"results/{name}_report.json").read_text())
    assert report["data"] == "full"
    assert not any("training" in path for path in report["figures"])
    failed = {gate["name"] for gate in report["gates"] if not gate["passed"]}
    assert failed == CHANCE[name], report["gates"]
    return report


def test_a_checkpoint_of_tensorflow_char_rnn_becomes_an_engine_that_writes_what_tensorflow_does(workflow):
    report = report_of(workflow, "char_rnn")
    assert report["precisions"]["fp32"]["metrics"]["generated_agreement"] == 1
    weights = read_wts2(workflow.folder / "results/char_rnn/export/model.wts2")
    assert {name.replace("/", "_") for name in LSTM} <= set(weights)
    assert not [name for name in weights if "Adam" in name]  # as dumpTFWts.py writes them


def test_nvidias_archive_translates_as_tensorflow_does_with_the_checkpoint_it_was_made_of(workflow, tmp_path):
    report = report_of(workflow, "nmt")
    assert {"encrnn.bin", "decproj.bin", "vocab.de", "inference.json"} <= set(report["inputs"])
    folder, mirror = workflow.folder / "results/nmt", workflow.folder.parent / "mirror"
    inputs = {"checkpoint": mirror / "nmt_checkpoint/translate.index"}
    inputs |= {"val": mirror / "nmt/newstest2015.tok.bpe.32000.de"}
    inputs |= {"vocabularies": [mirror / f"nmt_files/vocab.bpe.32000.{language}" for language in ("de", "en")]}
    settings = {"inference": {"batch": 4, "beam": 3, "max_output_sequence_length": 6}}
    given = step(
        "predict", family="nmt", settings=settings, inputs=inputs, outputs={"translations": tmp_path / "found.txt"}
    )
    subprocess.run([sys.executable, ROOT / "scripts/predict.py", *given], check=True, capture_output=True)
    expected = (tmp_path / "found.txt").read_text()
    assert len(set(expected.split())) > 5
    assert (folder / "translations.fp32.txt").read_text() == expected


@pytest.mark.parametrize("name", ["movielens", "movielens_mps"])
def test_a_file_of_keras_1_becomes_an_engine_that_recommends_what_tensorflow_does(workflow, name):
    report = report_of(workflow, name)
    found = report["precisions"]["fp32"]["metrics"]
    assert found["top_item_agreement"] == 1
    assert found["probability_difference"] <= 1e-5
    probabilities = np.load(workflow.folder / f"results/{name}/predictions.fp32.npz")["probabilities"]
    assert len(probabilities) == 150
    assert np.ptp(probabilities) > 0.1


@pytest.mark.parametrize(
    ("target", "file", "message"),
    [
        ("results/char_rnn/export/model.wts2", "char_rnn/model-85340.index", "not a checkpoint of TensorFlow's"),
        ("results/nmt/artefacts/decrnn.bin", NMT_ARCHIVE, "cannot be unpacked"),
        ("results/movielens/model/network.keras", "movielens/ml-1m_MLP_[64,32,16,8]_1501652038.h5", "not the weights"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(workflow, tmp_path, target, file, message):
    made = full_copy(tmp_path)
    shutil.copytree(workflow.folder.parent / "mirror", tmp_path / "mirror")
    path = tmp_path / "mirror" / file
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    files = [found.relative_to(tmp_path / "mirror").as_posix() for found in path.parent.iterdir() if found.is_file()]
    pin(made, files)
    settings = ("data=full", "backend=reference", "download_attempts=1", f"mirror={tmp_path / 'mirror'}")
    done = made.run(target, config=(*settings, " ".join(SMALL.split())))
    assert done.returncode != 0
    told = list(dict.fromkeys(line for line in done.stdout.splitlines() if line.startswith("failed: ")))
    assert len(told) == 1
    assert message in told[0]
