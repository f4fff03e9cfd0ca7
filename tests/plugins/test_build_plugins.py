"""What the build of the plugins needs, and what it says when that is missing; a real build where all of it is there."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import build_plugins
import pytest

from trtflow.formats import FormatError, UserError

ROOT = Path(__file__).resolve().parents[2]
NVCC_13 = "compute_75\ncompute_80\ncompute_86\ncompute_87\ncompute_88\ncompute_89\ncompute_90\ncompute_100\n"
NVCC_12 = "compute_50\ncompute_70\n" + NVCC_13


@pytest.mark.parametrize(
    ("asked", "compiler", "gpus", "chosen"),
    [
        ("", NVCC_12, "", [70, 75, 80, 86, 89, 90]),
        ("", NVCC_13, "", [75, 80, 86, 89, 90]),  # CUDA 13 has no Volta any more
        ("", NVCC_13, "9.0\n9.0\n", [90]),
        ("", NVCC_13, "No devices were found\n", [75, 80, 86, 89, 90]),
        ("80;90", NVCC_13, "9.0\n", [80, 90]),
    ],
)
def test_architectures(asked, compiler, gpus, chosen):
    assert build_plugins.choose_architectures(asked, compiler, gpus) == chosen


@pytest.mark.parametrize(("asked", "gpus"), [("70;90", ""), ("", "7.0\n")])
def test_architecture_that_the_compiler_lacks_is_named(asked, gpus):
    with pytest.raises(UserError, match="this nvcc cannot compile for 70, only for 75, 80"):
        build_plugins.choose_architectures(asked, NVCC_13, gpus)


def test_missing_compiler_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(build_plugins.Path, "exists", lambda path: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no CUDA compiler: nvcc is neither .* or set backend to reference"):
        build_plugins.find_nvcc()


def test_python_without_tensorrt_is_named(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'tensorrt'\" >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(UserError, match="cannot import TensorRT .ModuleNotFoundError.* Install tensorrt==8.6.0 there"):
        build_plugins.describe_engine(str(python))
    with pytest.raises(UserError, match="no such Python: .*nowhere"):
        build_plugins.describe_engine(str(tmp_path / "nowhere"))


VERSION = "#define NV_TENSORRT_MAJOR 8\n#define NV_TENSORRT_MINOR 6\n#define NV_TENSORRT_PATCH 0\n"


@pytest.fixture
def pinned(monkeypatch, tmp_path):
    """Pin one header, which lies in the folder `mirror`."""
    monkeypatch.delenv("TENSORRT_ROOT", raising=False)
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/NvInferVersion.h").write_text(VERSION)
    digest = hashlib.sha256(VERSION.encode()).hexdigest()
    pins = {"folders": [str(tmp_path / "nothing")], "sha256": {"NvInferVersion.h": digest}}
    (tmp_path / "headers.json").write_text(json.dumps(pins))
    monkeypatch.setattr(build_plugins, "SOURCES", tmp_path)
    return tmp_path


def test_headers_come_from_a_mirror_once(pinned):
    found = build_plugins.find_headers("8.6.0", pinned / "include", str(pinned / "mirror"))
    assert (found / "NvInferVersion.h").read_text() == VERSION
    assert build_plugins.find_headers("8.6.0", pinned / "include", "") == found  # they are there and as pinned


def test_headers_that_cannot_be_had_are_named(pinned):
    with pytest.raises(UserError, match="cannot get TensorRT's header NvInferVersion.h .*nothing.* Set TENSORRT_ROOT"):
        build_plugins.find_headers("8.6.0", pinned / "include", "")
    (pinned / "mirror/NvInferVersion.h").write_text("something else")
    with pytest.raises(UserError, match="its checksum is not"):
        build_plugins.find_headers("8.6.0", pinned / "include", str(pinned / "mirror"))
    assert not (pinned / "include/NvInferVersion.h").exists()


def test_headers_of_another_tensorrt_are_refused(pinned, monkeypatch):
    with pytest.raises(FormatError, match="headers of TensorRT 8.6.0, but the engine's Python has 8.6.1. Set TENSORRT"):
        build_plugins.find_headers("8.6.1", pinned / "include", str(pinned / "mirror"))
    monkeypatch.setenv("TENSORRT_ROOT", str(pinned / "nothing"))
    with pytest.raises(FormatError, match="NvInferVersion.h: no such file"):
        build_plugins.find_headers("8.6.0", pinned / "include", "")


def test_every_header_is_pinned_by_checksum():
    pins = json.loads((ROOT / "plugins/headers.json").read_text())
    assert pins["version"] in pins["folders"][0]
    assert all(len(digest) == 64 for digest in pins["sha256"].values())
    assert not list((ROOT / "plugins").rglob("Nv*.h")), "NVIDIA's headers are not to be committed"


def test_sources_of_both_builds_are_the_same():
    cmake = (ROOT / "plugins/CMakeLists.txt").read_text()
    for name, (plugin, sources) in build_plugins.LIBRARIES.items():
        assert f"add_plugin({name} {' '.join(sources)})" in cmake
        assert any(f'kType = "{plugin}"' in (ROOT / "plugins" / source).read_text() for source in sources)


@pytest.mark.parametrize("way", [[], ["--without-cmake"]])
def test_build(tmp_path, way):
    python = os.environ.get("ENGINE_PYTHON")
    if python is None or not os.environ.get("TENSORRT_ROOT"):
        pytest.skip("needs nvcc, ENGINE_PYTHON (the Python that has TensorRT) and TENSORRT_ROOT; a GPU is not needed")
    script = [sys.executable, ROOT / "scripts/build_plugins.py", "--architectures", "90", *way]
    subprocess.run([*script, "--engine-python", python, "--out-dir", tmp_path], check=True)
    record = json.loads((tmp_path / "plugins.json").read_text())
    assert sorted(record["plugins"]) == ["CustomClipPlugin", "FCPlugin", "FlattenConcat"]
    assert all((tmp_path / name).exists() for name in [*record["plugins"].values(), record["module"]["file"]])
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
