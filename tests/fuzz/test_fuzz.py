"""The fuzz harness: what it tells apart, its changes, and a short seeded run over the readers."""

from __future__ import annotations

import io
import random
import time
import zipfile

import numpy as np
import pytest
import trial
from fuzz import Store, table
from mutations import FORMS, LONGEST, mutate, tar_of, zip_of
from readers import all_readers
from trial import Reader, Trial

from trtflow.formats import FormatError
from trtflow.formats.caffe import NetParameter

INPUTS = 30  # of each reader here; `make fuzz` has the time for more
# these load PyTorch or TensorFlow, or copy the process, in which other tests may have threads: `make fuzz` runs them
IN_PROCESSES = {"torch_checkpoint", "checkpoint_index", "checkpoint_data", "keras_model", "frozen_graph"}
NAMES = sorted(set(all_readers()) - IN_PROCESSES)


@pytest.mark.parametrize("name", NAMES)
def test_no_reader_raises_what_is_not_its_own(name, tmp_path):
    reader = all_readers()[name]()
    given, rng = Trial(reader, tmp_path), random.Random(name)
    kinds = [given.check(data).kind for data in reader.seeds]
    assert "read" in kinds  # the seeds are files of this kind, but for those that are to be refused
    for _ in range(INPUTS):
        data = mutate(rng.choice(reader.seeds), reader.form, reader.seeds, reader.words, rng)
        outcome = given.check(data)
        assert not outcome.is_fault, (outcome.said, data[:2000])


def endless(path):
    while True:
        pass


def busy(path):
    end = time.process_time() + 0.15
    while time.process_time() < end:
        pass


def refused(path):
    raise FormatError(path, "no such thing")


def raw(path):
    return {}[path]


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (lambda path: path.read_bytes(), "read"),
        (refused, "refused"),
        (raw, "raw"),
        (endless, "slow"),
        (busy, "slow"),
        (lambda path: np.ones(100 << 20, np.uint8).sum(), "large"),
    ],
)
def test_outcomes(tmp_path, monkeypatch, read, kind):
    monkeypatch.setattr(trial, "SECONDS", 0.1 if kind == "slow" else 5.0)
    found = Trial(Reader("made up", read, ()), tmp_path).check(b"x")
    assert found.kind == kind, found
    assert found.is_fault == (kind not in ("read", "refused"))


def test_faults_of_one_place_are_one_kind(tmp_path):
    def read(path):
        return NetParameter.FromString(path.read_bytes())

    given = Trial(Reader("made up", read, ()), tmp_path)
    first, second = given.check(b"\xff"), given.check(b"\x08\xff\xff")
    assert first.kind == second.kind == "raw"
    assert first.signature == second.signature
    store = Store(tmp_path / "uff")
    assert store.add(b"\x08\xff\xff", second)
    assert not store.add(b"\xff", first)
    store.save()
    (kept,) = (tmp_path / "uff/faults").glob("*.bin")
    assert kept.read_bytes() == b"\xff"  # the shorter one
    assert "| uff | 2 | 0 | 0 | 2 | 0 | 0 | 0 | 1 |" in table(tmp_path)
    assert Store(tmp_path / "uff").counts["raw"] == 2


@pytest.mark.parametrize("form", FORMS)
def test_the_same_draws_give_the_same_changes(form):
    seeds = {"zip": zip_of({"a.npy": b"x"}), "tar": tar_of({"a": b"x"}), "json": b'{"a": [1]}'}
    data = seeds.get(form, b"a 1\nb 2\n")
    first, second = ([mutate(data, form, [data], [b"w"], rng) for _ in range(50)] for rng in map(random.Random, (7, 7)))
    assert first == second
    assert len(set(first)) > 25
    assert max(map(len, first)) <= LONGEST


def share(read, data, form):
    """Return which share of changed files can still be taken apart."""
    rng, good = random.Random(0), 0
    for _ in range(200):
        try:
            read(mutate(data, form, [data], [], rng))
            good += 1
        except Exception:
            pass
    return good / 200


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [archive.read(name) for name in archive.namelist()]


def test_changes_get_past_checksums_and_lengths():
    data = zip_of({"a.json": b'{"a": 1}' * 50, "b.txt": bytes(range(256))})
    assert share(members, data, "zip") > 2 * share(members, data, "bytes") > 0
    net = NetParameter(name="a" * 20)
    for index in range(5):
        net.layer.add(name=f"layer{index}", type="Convolution").convolution_param.num_output = 3
    data = net.SerializeToString()
    assert share(NetParameter.FromString, data, "protobuf") > 1.5 * share(NetParameter.FromString, data, "bytes") > 0
