"""Plugins of the user's own, a Python file each: `--plugins FILE.py` of `migrate`, `convert-to-uff` and scripts.

Such a file has subclasses of `trtflow.reference.IPluginV2`, each with

- `plugin_type`: the operation that it answers: of a UFF graph `_MaxPool` without its `_`, of a prototxt a layer's type;
- `fields`: what it is made with, each with its default (text, numbers or lists), None for one that must be given;
- `get_output_shape(index, inputs)`: as of `IPluginV2`;
- `lower(graph, inputs)`: what it computes, as ONNX operators: `graph.node(operator, inputs, **attributes)` and
  `graph.constant(name, values)` give names, and the names of the outputs are returned.

They run in the reference runtime alone; TensorRT takes plugins as libraries (docs/plugins.md).
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from trtflow.formats import UserError

_OWN: dict[str, Path] = {}  # file of each plugin, by its type
FAULTS = (AttributeError, IndexError, KeyError, TypeError, ValueError)  # what a mistake in a plugin raises


def load_plugin_file(path: Path) -> list[str]:
    """Register the plugins of a file, and return their types; a second time changes nothing.

    Raises:
        UserError: there is no such file, Python cannot run it, it has no plugin, one that lacks something, or one of a
            type that there is.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file. Give the path of a Python file with plugins (docs/plugins.md).")
    return _load(path.resolve(), path.stat().st_mtime_ns)


@contextmanager
def plugin_files(files: Iterable[Path]) -> Iterator[None]:
    """Have the plugins of files registered meanwhile; those that were there before stay.

    Raises:
        UserError: as of `load_plugin_file`.
    """
    before = dict(_OWN)
    try:
        for file in files:
            load_plugin_file(file)
        yield
    finally:
        if added := _OWN.keys() - before.keys():
            _forget(added)


def _forget(kinds: Iterable[str]) -> None:
    import trtflow.reference as trt  # noqa: PLC0415

    registry = trt.get_plugin_registry()
    for kind in kinds:
        creator = registry.get_plugin_creator(kind, "1", "")
        if creator is not None:
            registry.deregister_creator(creator)
        del _OWN[kind]
    _load.cache_clear()  # so that a file that was forgotten is loaded again


@cache
def _load(path: Path, changed: int) -> list[str]:
    import trtflow.reference as trt  # noqa: PLC0415

    try:
        names = runpy.run_path(str(path))
    except Exception as error:
        raise UserError(f"{path}: Python cannot run it ({type(error).__name__}: {error}). Correct it.") from error
    found = [
        value
        for value in names.values()
        if isinstance(value, type) and issubclass(value, trt.IPluginV2) and value.__module__ == "<run_path>"
    ]
    if not found:
        raise UserError(f"{path}: it has no plugin. Write a subclass of trtflow.reference.IPluginV2 (docs/plugins.md).")
    for plugin in found:
        _register(path, plugin)
    return [plugin.plugin_type for plugin in found]


def _register(path: Path, plugin: Any) -> None:
    import trtflow.reference as trt  # noqa: PLC0415
    from trtflow.reference.lower.graph import lowers_plugin  # noqa: PLC0415

    for name in ("plugin_type", "lower"):
        if not getattr(plugin, name, None):
            raise UserError(f"{path}: the plugin {plugin.__name__} has no {name}. Give it one (docs/plugins.md).")
    kind = plugin.plugin_type
    if _OWN.get(kind, path) != path:
        raise UserError(f"{path}: {_OWN[kind]} has a plugin {kind!r} too. Give one of the two files.")
    registry = trt.get_plugin_registry()
    known = registry.get_plugin_creator(kind, "1", "")
    if known is not None and kind in _OWN:  # an earlier version of the same file
        registry.deregister_creator(known)
    if not registry.register_creator(trt.IPluginCreator(plugin, getattr(plugin, "fields", {}))):
        raise UserError(f"{path}: there is a plugin {kind!r} already. Choose another plugin_type.")
    lowers_plugin(kind)(_lowering(path, plugin))
    _OWN[kind] = path


def _lowering(path: Path, plugin: Any) -> Callable[[Any, Any, list[str]], list[str]]:
    """Return the function that the lowering calls for layers of a plugin."""

    def lower(layer: Any, graph: Any, inputs: list[str]) -> list[str]:
        try:
            outputs = layer.plugin.lower(graph, inputs)
        except FAULTS as error:
            fault = f"{path}: {plugin.__name__}.lower fails for the layer {layer.name!r}"
            raise UserError(f"{fault} ({type(error).__name__}: {error}). Correct it.") from error
        if not isinstance(outputs, list) or len(outputs) != layer.num_outputs:
            fault = f"{path}: {plugin.__name__}.lower returns {outputs!r} for the layer {layer.name!r}"
            raise UserError(f"{fault}. Return a list of {layer.num_outputs} names.")
        return outputs

    lower.__doc__ = plugin.__doc__
    return lower


def own_plugins() -> frozenset[str]:
    """Return the types of the plugins that were loaded from the user's files."""
    return frozenset(_OWN)


class CaffePlugins:
    """A plugin factory for `CaffeParser.plugin_factory_v2`: the layers of a prototxt whose types own plugins answer.

    Fields `blob0`, `blob1` and so on, which a plugin may ask for, are the layer's weights.
    """

    def __init__(self, deploy: Path) -> None:
        self._types: dict[str, str] = {}
        if not _OWN:
            return
        from trtflow.formats.caffe import read_prototxt  # noqa: PLC0415 - the engine's Python has no protobuf

        self._types = {layer.name: layer.type for layer in read_prototxt(deploy).layer if layer.type in _OWN}

    def __bool__(self) -> bool:
        return bool(self._types)

    def is_plugin_v2(self, layer_name: str) -> bool:
        """Whether an own plugin makes the layer of that name."""
        return layer_name in self._types

    def create_plugin(self, layer_name: str, weights: list[Any]) -> Any:
        """Return the plugin of a layer, given its blobs in order."""
        import trtflow.reference as trt  # noqa: PLC0415

        creator = trt.get_plugin_registry().get_plugin_creator(self._types[layer_name], "1", "")
        assert creator is not None
        wanted = {field.name for field in creator.field_names}
        fields = [trt.PluginField(f"blob{index}", blob.numpy()) for index, blob in enumerate(weights)]
        kept = trt.PluginFieldCollection(field for field in fields if field.name in wanted)
        return creator.create_plugin(layer_name, kept)
