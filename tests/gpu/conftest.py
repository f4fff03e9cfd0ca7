"""What tests on a GPU need: results that were made with TensorRT there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from on_gpu import RESULTS, script


@pytest.fixture(scope="session")
def tensorrt_results() -> Path:
    """The folder of results that were made with TensorRT."""
    path = RESULTS / "backend.json"
    if not path.exists() or json.loads(path.read_text())["name"] != "tensorrt":
        pytest.skip("needs results made with TensorRT on a GPU: `make test-gpu` there")
    return RESULTS


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a description of the reference backend."""
    folder = tmp_path_factory.mktemp("reference")
    script("record_backend", "--backend", "reference", "--out", folder / "backend.json")
    return folder
