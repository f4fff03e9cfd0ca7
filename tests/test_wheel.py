"""The wheel, tried outside the checkout in an environment that has what it declares and nothing else."""

from __future__ import annotations

import email
import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import tomllib
from documents import agrees, commands_of, files_of
from kept import kept
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import trtflow

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("trtflow", "snakemake_logger_plugin_trtflow", "pyproject.toml", "README.md", "LICENSE")
BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
INSTALL = ("install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
Shell = Callable[..., str]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def installed_with(requirements: Iterable[str]) -> set[str]:
    """Return the packages that requirements bring, with all that these need, as this environment has them."""
    found: set[str] = set()
    pending = [Requirement(text) for text in requirements]
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        pending += map(Requirement, metadata.requires(name) or ())
    return found


def link_packages(names: Iterable[str], place: Path) -> None:
    """Link packages of this environment into another, as if they were installed there."""
    for name in names:
        package = metadata.distribution(name)
        for top in {file.parts[0] for file in package.files or () if not file.parts[0].startswith(".")}:
            source = Path(str(package.locate_file(top)))
            if source.exists() and not (place / top).exists() and top != "__pycache__":
                (place / top).symlink_to(source)


def install(folder: Path) -> None:
    """Build the wheel from a copy of the sources, and install it into a new environment."""
    source = folder / "source"
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, source / name)
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=source, check=True, capture_output=True)
    shutil.rmtree(source)
    venv.create(folder / "environment", with_pip=False, symlinks=True)
    python = folder / "environment/bin/python"
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *INSTALL, str(wheel)], check=True)
    (place,) = (folder / "environment/lib").glob("python*/site-packages")
    link_packages(installed_with(PROJECT["dependencies"]), place)


@pytest.fixture(scope="module")
def built() -> Path:
    """A folder with the wheel, and `environment`, where it is installed; kept until something in it changes."""
    return kept("wheel", "".join((ROOT / name).read_text() for name in SOURCES[2:]), install)


@pytest.fixture
def shell(built: Path, tmp_path: Path) -> Shell:
    """Return a function that runs a command in an empty folder, with the environment's programs alone."""
    environment = {"PATH": f"{built / 'environment/bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}

    def run(command: str, fails: bool = False) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    return run


def test_wheel_has_the_library_and_nothing_else(built: Path) -> None:
    (path,) = built.glob("*.whl")
    assert path.name == f"trtflow-{trtflow.__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(path).namelist()
    modules = {str(file.relative_to(ROOT)) for file in (ROOT / "trtflow").rglob("*.py")}
    assert modules <= set(names)
    tops = {name.split("/")[0] for name in names}
    info = f"trtflow-{trtflow.__version__}.dist-info"
    assert tops == {"trtflow", "snakemake_logger_plugin_trtflow", info}
    assert f"{info}/licenses/LICENSE" in names
    said = email.message_from_bytes(zipfile.ZipFile(path).read(f"{info}/METADATA"))
    assert said["Version"] == trtflow.__version__
    assert set(said.get_all("Provides-Extra")) == {"tensorflow", "torch", "migrate", "openvino", "workflow", "fuzz"}


def test_commands_and_the_reference_load_from_it(shell: Shell, built: Path) -> None:
    assert shell("trtflow --version") == f"trtflow {trtflow.__version__}\n"
    assert shell("convert-to-uff --help").startswith("usage: convert-to-uff")
    assert "mnist_api" in shell("trtflow list")
    program = "import trtflow.reference as trt, sys, json; print(json.dumps([trt.__file__, sorted(sys.modules)]))"
    place, modules = json.loads(shell(f"python -c '{program}'"))
    assert Path(place).is_relative_to(built / "environment")
    assert {"onnx", "numpy"} <= set(modules)
    assert "onnxruntime" not in modules  # until something runs


def test_script_of_the_tutorial_runs_with_the_wheel_alone(shell: Shell, tmp_path: Path) -> None:
    page = (ROOT / "docs/tutorials/laptop.md").read_text()
    for name, content in files_of(page).items():
        (tmp_path / name).write_text(content)
    for lines, printed in commands_of(page):
        if "pytest" not in lines[0]:
            out = "".join(map(shell, lines))
            assert printed is None or agrees(out, printed), out


def test_caffe_model_is_migrated_without_what_extras_bring(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "make_lenet.py").write_text(
        files_of((ROOT / "docs/tutorials/caffe-to-onnx.md").read_text())["make_lenet.py"]
    )
    shell("python make_lenet.py")
    assert shell("trtflow migrate lenet.caffemodel").endswith("passed\n")
    assert "No independent runtime has run the original:" in (tmp_path / "lenet.migration.txt").read_text()
    (tmp_path / "frozen.pb").write_bytes(b"\n\0")
    said = shell("trtflow migrate frozen.pb", fails=True).splitlines()[-1]
    assert said == "error: this needs tensorflow, which is not installed. Install it: pip install 'trtflow[tensorflow]'"


def pins() -> dict[str, str]:
    """Return the versions that tests run with, by package."""
    lines = [
        line
        for name in ("constraints.txt", "requirements.txt", "requirements-dev.txt")
        for line in (ROOT / name).read_text().splitlines()
    ]
    found = re.findall(r"^([\w.-]+)[^=]*==(\S+)$", "\n".join(lines), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def test_bounds_hold_for_what_tests_run_with() -> None:
    extras = PROJECT["optional-dependencies"]
    bounds = [*PROJECT["dependencies"], *extras["tensorflow"], *extras["torch"], *extras["migrate"]]
    for requirement in map(Requirement, bounds):
        if requirement.name != "trtflow":
            assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)]), requirement


def test_workflow_extra_is_what_a_checkout_installs() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert PROJECT["optional-dependencies"]["workflow"] == [line for line in lines if line and line[0] != "#"]


def test_version_stands_in_one_place() -> None:
    assert "version" in PROJECT["dynamic"]
    sections = re.findall(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [section for section in sections if section != "Unreleased"]
    assert released[0] == trtflow.__version__
    assert sections in (released, ["Unreleased", *released])
    pattern = re.compile(rf"version\w*\W+{re.escape(trtflow.__version__)}\b", re.IGNORECASE)
    files = (*ROOT.glob("*.toml"), *ROOT.glob("*.yml"), *(ROOT / "trtflow").rglob("*.py"))
    assert [path for path in files if pattern.search(path.read_text())] == [ROOT / "trtflow/__init__.py"]


def test_environment_has_only_what_is_declared(built: Path) -> None:
    (place,) = (built / "environment/lib").glob("python*/site-packages")
    assert not any((place / name).exists() for name in ("tensorflow", "torch", "snakemake", "yaml", "cv2", "PIL"))
    assert os.readlink(place / "numpy")
