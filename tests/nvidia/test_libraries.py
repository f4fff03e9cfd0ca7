"""Compiled plugins: an error that names the creators, or the user's reference in their place."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

import trtflow.reference as trt
from trtflow.nvidia import nvidia_names
from trtflow.nvidia.libraries import PluginLibraryError, creators_in
from trtflow.runtime.own_plugins import own_plugins

CREATORS = """
namespace nvinfer1 {
struct IPluginCreator { virtual ~IPluginCreator() {} virtual const char* name() const = 0; };
namespace plugin { struct BaseCreator : IPluginCreator {}; }
}
struct ClipPluginCreator : nvinfer1::IPluginCreator {
    const char* name() const override { return "CustomClipPlugin"; }
};
namespace {
struct MishCreator : nvinfer1::plugin::BaseCreator { const char* name() const override { return "Mish"; } };
}
ClipPluginCreator clip;
MishCreator mish;
extern "C" int answer() { return 42; }
"""
PLUGIN = """
import trtflow.reference as trt

class Clip(trt.IPluginV2):
    plugin_type = "{type}"
    fields = {"clipMin": 0.0}
    def get_output_shape(self, index, inputs):
        return inputs[0]
    def lower(self, graph, inputs):
        return [graph.node("Relu", inputs)]
"""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with libclip.so, which needs libnvinfer.so.8, and libother.so, the same code without that."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    folder = tmp_path_factory.mktemp("libraries")
    (folder / "clip.cpp").write_text(CREATORS)
    (folder / "concat.cpp").write_text('extern "C" const char* name() { return "FlattenConcat"; }')
    (folder / "empty.cpp").write_text('extern "C" int nothing() { return 0; }')
    build = [compiler, "-shared", "-fPIC", "-O0"]
    subprocess.run(
        [*build, "-Wl,-soname,libnvinfer.so.8", "empty.cpp", "-o", "libnvinfer.so.8"], cwd=folder, check=True
    )
    link = ["-Wl,--no-as-needed", "./libnvinfer.so.8"]
    subprocess.run([*build, "clip.cpp", "-o", "libclip.so", *link], cwd=folder, check=True)
    subprocess.run([*build, "concat.cpp", "-o", "libconcat.so", *link], cwd=folder, check=True)
    subprocess.run([*build, "clip.cpp", "-o", "libother.so"], cwd=folder, check=True)
    return folder


def test_the_error_names_the_creators(libraries: Path) -> None:
    library = libraries / "libclip.so"
    with nvidia_names():
        for load in (ctypes.CDLL, ctypes.cdll.LoadLibrary):
            with pytest.raises(PluginLibraryError, match="ClipPluginCreator, MishCreator.*--plugins FILE.py"):
                load(str(library))
        with pytest.raises(OSError, match="cannot run on a CPU"):
            ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)


def test_other_libraries_are_loaded(libraries: Path) -> None:
    with nvidia_names():
        assert ctypes.CDLL(str(libraries / "libother.so")).answer() == 42
        with pytest.raises(OSError, match="cannot open shared object file"):
            ctypes.CDLL(str(libraries / "libmissing.so"))
    assert creators_in((libraries / "libother.so").read_bytes()) == ["ClipPluginCreator", "MishCreator"]


def test_a_file_of_plugins_takes_its_place(libraries: Path, tmp_path: Path) -> None:
    plugins = tmp_path / "clip.py"
    plugins.write_text(PLUGIN.replace("{type}", "ClipOfTheLibrary"))
    with nvidia_names(plugins=[plugins]):
        import tensorrt  # noqa: PLC0415

        library = ctypes.CDLL(str(libraries / "libclip.so"))
        with pytest.raises(AttributeError, match="answered on the host"):
            library.answer  # noqa: B018
        names = [creator.name for creator in tensorrt.get_plugin_registry().plugin_creator_list]
        assert "ClipOfTheLibrary" in names
        with pytest.raises(OSError, match="cannot open shared object file"):  # the script's own error stays
            ctypes.CDLL(str(libraries / "libmissing.so"))
    assert "ClipOfTheLibrary" not in own_plugins()
    assert trt.get_plugin_registry().get_plugin_creator("ClipOfTheLibrary", "1", "") is None
    with nvidia_names(plugins=[plugins]):  # and again, though the file is known
        assert "ClipOfTheLibrary" in own_plugins()


def test_plugins_that_the_reference_has_are_taken(libraries: Path, capsys: pytest.CaptureFixture) -> None:
    with nvidia_names():
        ctypes.CDLL(str(libraries / "libconcat.so"))
        import tensorrt  # noqa: PLC0415

        assert tensorrt.get_plugin_registry().get_plugin_creator("FlattenConcat", "1", "") is not None
    assert "libconcat.so: the reference answers FlattenConcat" in capsys.readouterr().err


def test_an_empty_file_stands_for_a_library_beside_plugins_alone(tmp_path: Path) -> None:
    (tmp_path / "clip.py").write_text(PLUGIN.replace("{type}", "ClipOfNoLibrary"))
    (tmp_path / "libclip.so").touch()
    with nvidia_names(plugins=[tmp_path / "clip.py"]):
        ctypes.CDLL(str(tmp_path / "libclip.so"))
    with nvidia_names(), pytest.raises(OSError, match="file too short"):
        ctypes.CDLL(str(tmp_path / "libclip.so"))


def test_cut_names_are_no_names() -> None:
    assert creators_in(b"\x0099Creator\0N8nvinfer16plugin11BaseCreatorE\013GroupNCreator\0") == []
    assert creators_in(b"\x0014GroupN_Creator\0") == ["GroupN_Creator"]
