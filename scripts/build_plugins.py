"""Build the CUDA plugins and the Python module fc_plugin for the TensorRT of a Python.

python scripts/build_plugins.py --engine-python python3.10 --out-dir results/plugins

Needs a CUDA compiler (11.8 or later; no GPU), the headers of cuBLAS, and pybind11 for the module. TensorRT's headers
come from TENSORRT_ROOT, or are downloaded as plugins/headers.json pins them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _path  # noqa: F401

from trtflow.cli import parser, run, run_command
from trtflow.formats import FormatError, UserError
from trtflow.formats.files import sha256_of, write_bytes, write_json
from trtflow.runtime.plugins import RECORD

SOURCES = Path(__file__).resolve().parents[1] / "plugins"
ARCHITECTURES = (70, 75, 80, 86, 89, 90)
LIBRARIES = {  # name of the library: its plugin and its sources
    "flatten_concat_plugin": ("FlattenConcat", ["flatten_concat/flatten_concat_plugin.cpp"]),
    "clip_plugin": ("CustomClipPlugin", ["clip/clip_plugin.cu"]),
    "fc_plugin": ("FCPlugin", ["fc/fc_plugin.cpp", "fc/bias.cu"]),
}
MODULE = "fc_plugin.so"

# What the engine's Python says of itself. pybind11 leaves on each type the version of its internals and the ABI it was
# compiled with; the strings of its C++ library show in the names of its functions.
ASK = """
import json, os, sys, sysconfig
import tensorrt as trt
folder = os.path.dirname(trt.__file__)
mark = next(key for key in vars(trt.ICaffePluginFactoryV2) if key.startswith("__pybind11_module_local_"))
code = open(os.path.join(folder, "tensorrt.so"), "rb").read()
print(json.dumps({"version": trt.__version__, "folder": folder, "mark": mark,
    "cxx11_strings": int(b"pybind11_failERKSs" not in code), "python": "%d.%d" % sys.version_info[:2],
    "include": sysconfig.get_path("include"), "libraries": os.environ.get("LD_LIBRARY_PATH", "").split(":")}))
"""
# The libraries, used: every plugin registered, and the factory taken by TensorRT's Caffe parser.
TRY = """
import sys
from pathlib import Path
import tensorrt as trt
from trtflow.runtime.plugins import fc_plugin_factory, load_plugins
folder, module, *names = sys.argv[1:]
load_plugins(trt, names, Path(folder))
if module == "module":
    trt.CaffeParser().plugin_factory_v2 = fc_plugin_factory(trt, Path(folder))
"""


@dataclass
class Toolchain:
    """What the plugins are built with; `module` is None where the Python module is left out."""

    nvcc: Path
    toolkit: Path
    cuda: str
    architectures: list[int]
    tensorrt: str
    includes: dict[str, Path]  # tensorrt, cublas; cudnn, python, pybind11 where there are
    libraries: dict[str, Path]  # nvinfer, cublas; cudnn where there is
    module: dict[str, Any] | None


def find_nvcc() -> Path:
    """Return the CUDA compiler: CUDACXX, CUDA_HOME, the path, or the toolkit's usual place."""
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    places = [os.environ.get("CUDACXX"), home and f"{home}/bin/nvcc", shutil.which("nvcc"), "/usr/local/cuda/bin/nvcc"]
    for place in places:
        if place and Path(place).exists():
            return Path(place).resolve()
    raise UserError(
        "no CUDA compiler: nvcc is neither in CUDACXX or CUDA_HOME nor on the path. Install the CUDA toolkit (11.8 or "
        "later), or set backend to reference, which runs the same plugins without them."
    )


def cuda_version(nvcc: Path) -> str:
    """Return the version of a CUDA compiler, as 13.0."""
    found = re.search(r"release (\d+\.\d+)", _output([nvcc, "--version"]))
    if found is None:
        raise UserError(f"{nvcc} --version does not name a CUDA release. Set CUDACXX to a working nvcc.")
    return found[1]


def find_toolkit(nvcc: Path) -> Path:
    """Return the folder of a compiler's toolkit, which the compiler knows, also behind a wrapper."""
    steps = subprocess.run(
        [nvcc, "--dryrun", "-x", "cu", "-c", os.devnull], capture_output=True, text=True, check=False
    )
    found = re.search(r"^#\$ TOP=(.+)$", steps.stderr, re.MULTILINE)
    return Path(found[1]).resolve() if found else nvcc.parent.parent


def choose_architectures(asked: str, compiler: str, gpus: str) -> list[int]:
    """Return compute capabilities to compile for, as 90.

    Args:
        asked: what the user wants, as "75;90"; empty for the GPUs that are here, or else every one of ARCHITECTURES.
        compiler: what `nvcc --list-gpu-arch` prints.
        gpus: what `nvidia-smi --query-gpu=compute_cap --format=csv,noheader` prints; empty without a GPU.

    Raises:
        UserError: the compiler has none of them.
    """
    known = {int(number) for number in re.findall(r"compute_(\d+)", compiler)}
    here = {int(line.replace(".", "")) for line in gpus.split() if re.fullmatch(r"\d+\.\d+", line)}
    wanted = {int(number) for number in asked.split(";") if number} or here or set(ARCHITECTURES)
    chosen = sorted(wanted & known)
    if not chosen or (asked and set(chosen) != wanted):
        raise UserError(
            f"this nvcc cannot compile for {', '.join(map(str, sorted(wanted - known)))}, only for "
            f"{', '.join(map(str, sorted(known)))}. Set --architectures, or CUDA_HOME to another toolkit."
        )
    return chosen


def describe_engine(python: str) -> dict[str, Any]:
    """Return the version, place and ABI of the TensorRT of a Python."""
    remedy = "Install tensorrt==8.6.0 there, or name the engine's Python with --engine-python."
    try:
        done = subprocess.run([python, "-c", ASK], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise UserError(f"no such Python: {python}. {remedy}") from error
    if done.returncode:
        raise UserError(f"{python} cannot import TensorRT ({done.stderr.strip().splitlines()[-1]}). {remedy}")
    return dict(json.loads(done.stdout))


def find_headers(version: str, folder: Path, mirror: str) -> Path:
    """Return the folder of TensorRT's headers: TENSORRT_ROOT's, or `folder`, which is filled where it is not.

    Args:
        version: version of the TensorRT that the plugins are for.
        folder: where downloads go.
        mirror: folder or address that is searched first; may be empty.

    Raises:
        UserError, FormatError: there are none, or they are of another version.
    """
    root = os.environ.get("TENSORRT_ROOT")
    found = Path(root) / "include" if root else _download_headers(folder, mirror)
    path = found / "NvInferVersion.h"
    if not path.exists():
        raise FormatError(path, "no such file", "Set TENSORRT_ROOT to an unpacked TensorRT, or unset it to download.")
    parts = re.findall(r"define NV_TENSORRT_(?:MAJOR|MINOR|PATCH) (\d+)", path.read_text())
    if ".".join(parts) != version:
        fault = f"headers of TensorRT {'.'.join(parts)}, but the engine's Python has {version}"
        raise FormatError(path, fault, f"Set TENSORRT_ROOT to TensorRT {version}.")
    return found


def _download_headers(folder: Path, mirror: str) -> Path:
    pinned = json.loads((SOURCES / "headers.json").read_text())
    for name, digest in pinned["sha256"].items():
        if not (folder / name).exists() or sha256_of(folder / name) != digest:
            write_bytes(folder / name, _download(name, digest, [*([mirror] if mirror else []), *pinned["folders"]]))
    return folder


def _download(name: str, digest: str, places: list[str]) -> bytes:
    """Return a file from the first place that has it as it was pinned."""
    faults = []
    for place in places:
        address = f"{place.rstrip('/')}/{name}"
        try:
            with urllib.request.urlopen(address if "://" in address else Path(address).resolve().as_uri()) as answer:
                data = bytes(answer.read())
        except OSError as error:
            faults.append(f"{address}: {error}")
            continue
        if hashlib.sha256(data).hexdigest() == digest:
            return data
        faults.append(f"{address}: its checksum is not {digest}")
    remedy = "Set TENSORRT_ROOT to an unpacked TensorRT 8.6.0, or --mirror to a folder that holds its headers."
    raise UserError(f"cannot get TensorRT's header {name} ({'; '.join(faults)}). {remedy}")


def find_toolchain(options: Any) -> Toolchain:
    """Collect what the plugins are built with; what is missing is an error that says how to get it."""
    nvcc = find_nvcc()
    engine = describe_engine(options.engine_python)
    headers = find_headers(engine["version"], options.out_dir / "include", options.mirror)
    packages = Path(engine["folder"]).parent / "nvidia"
    toolkit = find_toolkit(nvcc)
    include = [packages / "{}/include", *options.include, toolkit / "include", Path("/usr/include")]
    library = [packages / "{}/lib", *map(Path, filter(None, engine["libraries"])), toolkit / "lib64"]
    library += [Path("/usr/lib/x86_64-linux-gnu")]

    includes = {"tensorrt": headers, "cublas": _find("cublas", include, "cublas_v2.h")}
    libraries = {
        "nvinfer": _find("nvinfer", [Path(engine["folder"]), *library], "libnvinfer.so.8"),
        "cublas": _find("cublas", library, "libcublas.so.1[12]"),
    }
    cudnn = [_search("cudnn", include, "cudnn.h"), _search("cudnn", library, "libcudnn.so.8")]
    if cudnn[0] and cudnn[1]:
        includes["cudnn"], libraries["cudnn"] = cudnn[0].parent, cudnn[1]
    module = None if options.without_module else _module(engine, includes)
    gpus = _output(["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]) if _has("nvidia-smi") else ""
    chosen = choose_architectures(options.architectures, _output([nvcc, "--list-gpu-arch"]), gpus)
    includes["cublas"] = includes["cublas"].parent
    return Toolchain(nvcc, toolkit, cuda_version(nvcc), chosen, engine["version"], includes, libraries, module)


def _search(package: str, folders: list[Path], pattern: str) -> Path | None:
    """Return the first file of a pattern in folders; {} in one stands for the package."""
    for folder in folders:
        found = sorted(Path(str(folder).format(package)).glob(pattern))
        if found:
            return found[0].absolute()
    return None


def _find(package: str, folders: list[Path], pattern: str) -> Path:
    found = _search(package, folders, pattern)
    if found is None:
        places = ", ".join(str(folder).format(package) for folder in folders)
        remedy = "Install the whole CUDA toolkit, or its package beside TensorRT, or name a folder with --include."
        raise UserError(f"{pattern} is in none of {places}. {remedy}")
    return found


def _module(engine: dict[str, Any], includes: dict[str, Path]) -> dict[str, Any]:
    """Return how the Python module is compiled so that TensorRT's takes its objects; note the headers for it."""
    remedy = "Install pybind11==2.11.1 beside this script, or leave the module out with --without-module."
    spec = importlib.util.find_spec("pybind11")
    if spec is None or spec.origin is None:
        raise UserError(f"the Python module fc_plugin needs pybind11. {remedy}")
    folder = Path(spec.origin).parent / "include"
    parts = re.fullmatch(r"__pybind11_module_local_v(\d+)_.*?(_cxxabi\d+)__", engine["mark"])
    if parts is None:
        raise UserError(f"TensorRT's Python module was built with an unknown pybind11 ({engine['mark']}). {remedy}")
    internals = (folder / "pybind11/detail/internals.h").read_text()
    if not re.search(rf"define PYBIND11_INTERNALS_VERSION {parts[1]}\b", internals):
        raise UserError(f"{folder} is of another pybind11 than TensorRT's, which has internals {parts[1]}. {remedy}")
    includes |= {"python": Path(engine["include"]), "pybind11": folder}
    if not (includes["python"] / "Python.h").exists():
        raise FormatError(
            includes["python"] / "Python.h", "no such file", "Install the headers of the engine's Python."
        )
    return {"file": MODULE, "python": engine["python"], "abi": parts[2], "cxx11_strings": engine["cxx11_strings"]}


def build_with_cmake(tools: Toolchain, folder: Path) -> None:
    """Build what plugins/CMakeLists.txt says into a folder."""
    settings: dict[str, Any] = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_CUDA_COMPILER": tools.nvcc,
        "CMAKE_CUDA_ARCHITECTURES": ";".join(map(str, tools.architectures)),
        "CUDAToolkit_ROOT": tools.toolkit,
        "CMAKE_LIBRARY_OUTPUT_DIRECTORY": folder,
        **{f"{name.upper()}_INCLUDE": path for name, path in tools.includes.items()},
        **{f"{name.upper()}_LIBRARY": path for name, path in tools.libraries.items()},
    }
    if "cudnn" not in tools.libraries:  # else CMake might find one of another version
        settings |= {"CUDNN_INCLUDE": "CUDNN-NOTFOUND", "CUDNN_LIBRARY": "CUDNN-NOTFOUND"}
    if tools.module:
        settings |= {"PYBIND11_ABI": tools.module["abi"], "PYBIND11_CXX11_STRINGS": tools.module["cxx11_strings"]}
    build = folder / "cmake"
    _run(["cmake", "-S", SOURCES, "-B", build, *(f"-D{key}={value}" for key, value in settings.items())])
    _run(["cmake", "--build", build, "--parallel"])


def build_with_nvcc(tools: Toolchain, folder: Path) -> None:
    """Build the same with one call of the compiler a library, where there is no CMake."""
    last = tools.architectures[-1]
    codes = [f"-gencode=arch=compute_{arch},code=sm_{arch}" for arch in tools.architectures]
    codes.append(f"-gencode=arch=compute_{last},code=compute_{last}")
    flags = ["-std=c++17", "-O3", "-shared", "-Xcompiler", "-fPIC,-fvisibility=hidden,-Wno-deprecated-declarations"]
    shared = [f"-I{path}" for path in [SOURCES / "common", *tools.includes.values()]]
    for name, (_, sources) in LIBRARIES.items():
        used = ["nvinfer", *(["cublas", "cudnn"] if name == "fc_plugin" else [])]
        cudnn = ["-DTRTFLOW_CUDNN=1"] if "cudnn" in tools.libraries else []
        linked = [f"-Xlinker={tools.libraries[library]}" for library in used if library in tools.libraries]
        linked.append(f"-Xlinker=-soname=lib{name}.so")
        files = [SOURCES / source for source in sources]
        _run([tools.nvcc, *flags, *codes, *shared, *cudnn, *files, *linked, "-o", folder / f"lib{name}.so"])
    if tools.module:
        strings, abi = tools.module["cxx11_strings"], tools.module["abi"]
        defined = [f"-D_GLIBCXX_USE_CXX11_ABI={strings}", f'-DPYBIND11_BUILD_ABI="{abi}"']
        host = ["-std=c++17", "-O3", "-shared", "-fPIC", "-fvisibility=hidden", "-Wno-deprecated-declarations"]
        cuda = f"-I{tools.toolkit / 'include'}"
        linked = [str(tools.libraries["nvinfer"]), "-Wl,--no-as-needed", str(folder / "libfc_plugin.so")]
        source = SOURCES / "fc/fc_plugin_module.cpp"
        _run(["g++", *host, *defined, *shared, cuda, source, *linked, "-Wl,-rpath,$ORIGIN", "-o", folder / MODULE])


def describe(tools: Toolchain) -> dict[str, Any]:
    """Return the record that lies beside the libraries, see `trtflow.runtime.plugins`."""
    return {
        "tensorrt": tools.tensorrt,
        "cuda": tools.cuda,
        "architectures": tools.architectures,
        "cudnn": "cudnn" in tools.libraries,
        "plugins": {plugin: f"lib{name}.so" for name, (plugin, _) in LIBRARIES.items()},
        "module": {key: tools.module[key] for key in ("file", "python")} if tools.module else None,
    }


def try_out(python: str, folder: Path, record: dict[str, Any]) -> None:
    """Load the libraries with the engine's Python, which needs no GPU."""
    write_json(folder / RECORD, record)
    environment = {**os.environ, "PYTHONPATH": str(SOURCES.parent)}
    module = "module" if record["module"] else "-"
    done = subprocess.run(
        [python, "-c", TRY, folder, module, *record["plugins"]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(f"the plugins were built, but {python} cannot use them:\n{done.stderr.strip()}")


def _has(command: str) -> bool:
    return shutil.which(command) is not None


def _output(command: list[Any]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _run(command: list[Any]) -> None:
    """Run a compiler; its messages go to this script's output."""
    print("+", *command, flush=True)
    run_command(command)


def main() -> None:
    """Read the command line, build, try out, and put the libraries in place."""
    arguments = parser(__doc__)
    arguments.add_argument("--engine-python", default="python3.10", help="Python that has TensorRT")
    arguments.add_argument("--out-dir", type=Path, default=Path("results/plugins"), help="folder to write")
    arguments.add_argument(
        "--architectures", default="", help='compute capabilities, as "75;90"; else the GPU here, or all'
    )
    arguments.add_argument("--include", type=Path, action="append", default=[], help="folder of more headers")
    arguments.add_argument("--mirror", default="", help="folder or address to search for TensorRT's headers first")
    arguments.add_argument("--without-cmake", action="store_true", help="call the compiler directly")
    arguments.add_argument("--without-module", action="store_true", help="leave the Python module fc_plugin out")
    options = arguments.parse_args()

    tools = find_toolchain(options)
    options.out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out_dir, prefix=".build") as name:
        folder = Path(name).resolve()
        build = build_with_cmake if _has("cmake") and not options.without_cmake else build_with_nvcc
        build(tools, folder)
        record = describe(tools)
        try_out(options.engine_python, folder, record)
        for path in [*sorted(folder.glob("*.so")), folder / RECORD]:
            os.replace(path, options.out_dir / path.name)
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    run(main)
