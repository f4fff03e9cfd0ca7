"""Plugins by name on either backend; a stand-in for TensorRT's module where only its registry and version count."""

import shutil
import subprocess
from types import ModuleType

import pytest

from trtflow import reference
from trtflow.formats import FormatError, UserError
from trtflow.formats.files import write_json
from trtflow.runtime.plugins import fc_plugin_factory, load_plugins

REBUILD = "Delete it and build the plugins again with scripts/build_plugins.py"


class Registry:
    """Knows what was put into it."""

    def __init__(self, *names):
        self.names = names

    def get_plugin_creator(self, name, version, namespace=""):
        return object() if name in self.names else None


def tensorrt(*registered, version="8.6.0"):
    module = ModuleType("tensorrt")
    module.__version__ = version
    module.get_plugin_registry = lambda: Registry(*registered)
    return module


@pytest.fixture
def folder(tmp_path):
    """Return a folder of plugins: a record, and a library that the C compiler made of nothing."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc, to make a shared library")
    library = tmp_path / "libclip_plugin.so"
    subprocess.run(["gcc", "-shared", "-x", "c", "/dev/null", "-o", library], check=True)
    record = {"tensorrt": "8.6.0", "plugins": {"CustomClipPlugin": library.name}, "module": None}
    write_json(tmp_path / "plugins.json", record)
    return tmp_path


def test_names_resolve_on_the_reference():
    load_plugins(reference, ["FCPlugin", "CustomClipPlugin", "FlattenConcat"])
    load_plugins(reference, ["FCPlugin"])  # a second time changes nothing
    registry = reference.get_plugin_registry()
    assert [creator.name for creator in registry.plugin_creator_list].count("FCPlugin") == 1
    assert fc_plugin_factory(reference).is_plugin_v2("ip2")
    with pytest.raises(UserError, match="unknown plugin 'Clip'. The reference runtime has FCPlugin, CustomClipPlugin"):
        load_plugins(reference, ["Clip"])


def test_library_that_registers_its_plugin_is_taken(folder):
    load_plugins(tensorrt("CustomClipPlugin"), ["CustomClipPlugin"], folder)
    load_plugins(tensorrt("CustomClipPlugin", version="8.6.1"), ["CustomClipPlugin"], folder)


def test_library_that_registers_nothing_is_refused(folder):
    with pytest.raises(FormatError, match=f"libclip_plugin.so: it does not register a plugin .*{REBUILD}"):
        load_plugins(tensorrt(), ["CustomClipPlugin"], folder)


def test_library_of_another_tensorrt_is_refused(folder):
    with pytest.raises(FormatError, match=f"built for TensorRT 8.6.0, this is 8.5.3. {REBUILD}"):
        load_plugins(tensorrt("CustomClipPlugin", version="8.5.3"), ["CustomClipPlugin"], folder)


def test_library_with_a_symbol_that_nothing_has_is_refused(folder):
    source = "void nobody_has_this(void); void (*call)(void) = nobody_has_this;"
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", folder / "libclip_plugin.so"]
    subprocess.run(command, input=source, text=True, check=True)
    with pytest.raises(FormatError, match="cannot be loaded .*undefined symbol: nobody_has_this"):
        load_plugins(tensorrt("CustomClipPlugin"), ["CustomClipPlugin"], folder)


def test_missing_and_damaged_files_are_named(folder):
    with pytest.raises(UserError, match="unknown plugin 'FCPlugin'.*plugins.json has CustomClipPlugin"):
        load_plugins(tensorrt(), ["FCPlugin"], folder)
    (folder / "libclip_plugin.so").write_bytes(b"not a library")
    with pytest.raises(FormatError, match="libclip_plugin.so: cannot be loaded .* it is damaged"):
        load_plugins(tensorrt(), ["CustomClipPlugin"], folder)
    (folder / "libclip_plugin.so").unlink()
    with pytest.raises(FormatError, match="libclip_plugin.so: the library is missing. Build the plugins with scripts/"):
        load_plugins(tensorrt(), ["CustomClipPlugin"], folder)
    (folder / "plugins.json").write_text("{}")
    with pytest.raises(FormatError, match="plugins.json: not a record of plugins"):
        load_plugins(tensorrt(), ["CustomClipPlugin"], folder)
    (folder / "plugins.json").unlink()
    with pytest.raises(FormatError, match="plugins.json: no such file, so no plugins were built"):
        load_plugins(tensorrt(), ["CustomClipPlugin"], folder)


def test_factory_needs_the_python_module(folder):
    record = {"tensorrt": "8.6.0", "plugins": {"FCPlugin": "libclip_plugin.so"}, "module": None}
    write_json(folder / "plugins.json", record)
    with pytest.raises(FormatError, match="built without the Python module fc_plugin"):
        fc_plugin_factory(tensorrt("FCPlugin"), folder)
    write_json(folder / "plugins.json", {**record, "module": {"file": "fc_plugin.so", "python": "3.10"}})
    (folder / "fc_plugin.so").write_bytes((folder / "libclip_plugin.so").read_bytes())
    with pytest.raises(FormatError, match="fc_plugin.so: Python cannot import it"):
        fc_plugin_factory(tensorrt("FCPlugin"), folder)
