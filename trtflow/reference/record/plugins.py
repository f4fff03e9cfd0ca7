"""The plugin registry: creators by name and version, plugins by their fields."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import DataType, PluginFieldType
from trtflow.reference.record.values import Dims


class PluginField:
    """One attribute of a plugin: a name and an array of numbers (or text)."""

    def __init__(self, name: str, data: Any = None, type: PluginFieldType = PluginFieldType.UNKNOWN) -> None:
        self.name, self.data, self.type = name, data, type


class PluginFieldCollection(list[PluginField]):
    """The attributes given to `IPluginCreator.create_plugin`."""


class IPluginV2:
    """A layer that TensorRT does not know: its type, its attributes and the shapes of its outputs.

    A subclass says what comes out (`get_output_shape`); what it computes is registered in
    `trtflow.reference.lower` under its type.
    """

    plugin_type = ""
    plugin_version = "1"
    plugin_namespace = ""
    num_outputs = 1

    def __init__(self, **attributes: Any) -> None:
        self.attributes = attributes

    def get_output_shape(self, index: int, inputs: list[Dims]) -> Dims:
        """Return the shape of one output, without the batch dimension."""
        raise NotImplementedError

    def get_output_datatype(self, index: int, inputs: list[DataType]) -> DataType:
        """Return the type of one output."""
        return DataType.FLOAT


class IPluginCreator:
    """Makes plugins of one type from fields.

    Args:
        plugin: the class of the plugins.
        defaults: every attribute with the value it has when the field is absent; None marks a required one.
    """

    def __init__(self, plugin: type[IPluginV2], defaults: dict[str, Any]) -> None:
        self.plugin, self.defaults = plugin, defaults
        self.name, self.plugin_version = plugin.plugin_type, plugin.plugin_version
        self.plugin_namespace = plugin.plugin_namespace
        self.field_names = PluginFieldCollection(PluginField(name) for name in defaults)

    def create_plugin(self, name: str, field_collection: PluginFieldCollection) -> IPluginV2:
        """Return a plugin; an unknown or a missing field is an error that names it."""
        given = {field.name: field.data for field in field_collection}
        if unknown := sorted(set(given) - set(self.defaults)):
            raise NetworkError(name, f"{self.name} has no field {unknown[0]!r}", f"It has {', '.join(self.defaults)}.")
        values = {**self.defaults, **given}
        if missing := [key for key, value in values.items() if value is None]:
            raise NetworkError(name, f"{self.name} needs the field {missing[0]!r}", "Add it to the field collection.")
        return self.plugin(**{key: _like(self.defaults[key], value) for key, value in values.items()})


def _like(default: Any, value: Any) -> Any:
    """Bring a field's array to the form of its default: a scalar, or an array."""
    if default is None or isinstance(default, (list, np.ndarray)):
        return np.asarray(value)
    return type(default)(np.asarray(value).ravel()[0])


class IPluginRegistry:
    """Creators by type, version and namespace."""

    def __init__(self) -> None:
        self._creators: dict[tuple[str, str, str], IPluginCreator] = {}

    @property
    def plugin_creator_list(self) -> list[IPluginCreator]:
        """All creators, in order of registration."""
        return list(self._creators.values())

    def register_creator(self, creator: IPluginCreator, plugin_namespace: str = "") -> bool:
        """Add a creator; False, and nothing changes, when its name and version are taken."""
        key = (creator.name, creator.plugin_version, plugin_namespace)
        if key in self._creators:
            return False
        self._creators[key] = creator
        return True

    def get_plugin_creator(self, type: str, version: str, plugin_namespace: str = "") -> IPluginCreator | None:
        """Return the creator of a type, or None."""
        return self._creators.get((type, version, plugin_namespace))


_REGISTRY = IPluginRegistry()


def get_plugin_registry() -> IPluginRegistry:
    """Return the registry that all networks share."""
    return _REGISTRY
