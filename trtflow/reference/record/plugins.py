"""The plugin registry: creators by name and version, plugins by their fields."""

from __future__ import annotations

import copy
import struct
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from trtflow.reference.errors import DeviceError, NetworkError
from trtflow.reference.record.answers import Reporter
from trtflow.reference.record.enums import DataType, PluginFieldType, TensorFormat
from trtflow.reference.record.sealed import Sealed
from trtflow.reference.record.values import Dims, Logger

VERSION = 8600  # NV_TENSORRT_VERSION of 8.6.0


class PluginField(Sealed):
    """One attribute of a plugin: a name and an array of numbers (or text)."""

    def __init__(self, name: str = "", data: Any = None, type: PluginFieldType = PluginFieldType.UNKNOWN) -> None:
        self.name, self.data, self.type = name, data, type

    @property
    def size(self) -> int:
        """Number of elements."""
        return 0 if self.data is None else int(np.size(self.data))

    @size.setter
    def size(self, size: int) -> None:
        if self.data is not None:
            self.data = np.asarray(self.data).ravel()[: int(size)]


class PluginFieldCollection(list[PluginField]):
    """The attributes given to `IPluginCreator.create_plugin`."""


PluginFieldCollection_ = PluginFieldCollection  # what a list of fields becomes on its way to a creator


class IPluginV2(Sealed):
    """A layer that TensorRT does not know: its type, its attributes and the shapes of its outputs.

    A subclass says what comes out (`get_output_shape`); what it computes is registered in
    `trtflow.reference.lower` under its type. It holds no memory and no handles, so `initialize` and `terminate` have
    nothing to do.

    Attributes:
        dynamic: whether it is a plugin of dynamic shapes (IPluginV2DynamicExt), whose shapes have the batch.
        data_type: what `configure_with_format` was last told.
    """

    plugin_type = ""
    plugin_version = "1"
    plugin_namespace = ""
    tensorrt_version = VERSION
    num_outputs = 1
    dynamic = False
    takes_inputs = True  # False: what it gives depends on none, though a collapsed namespace may leave it some
    read_only = ("plugin_type", "plugin_version", "num_outputs", "tensorrt_version")
    data_types: tuple[DataType, ...] = (DataType.FLOAT,)  # that `supports_format` knows

    def __init__(self, **attributes: Any) -> None:
        self.attributes = attributes
        self.data_type = DataType.FLOAT

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return the shape of one output, without the batch dimension unless it is `dynamic`."""
        raise NotImplementedError

    def execute_async(
        self, batch_size: int, inputs: list[Any], outputs: list[Any], workspace: Any, stream_handle: int
    ) -> int:
        """Refuse to run: what a plugin computes is lowered with its network.

        Raises:
            DeviceError: always.
        """
        raise DeviceError(f"{self.plugin_type}: execute_async", "Add it to a network, build that and run the engine.")

    def get_output_datatype(self, index: int, inputs: list[DataType]) -> DataType:
        """Return the type of one output."""
        return DataType.FLOAT

    def supports_format(self, dtype: DataType, format: TensorFormat) -> bool:
        """Whether inputs and outputs can have a type and a memory layout."""
        return dtype in self.data_types and format == TensorFormat.LINEAR

    def configure_with_format(
        self,
        input_shapes: Sequence[Any],
        output_shapes: Sequence[Any],
        dtype: DataType,
        format: TensorFormat,
        max_batch_size: int,
    ) -> None:
        """Note the configuration that the builder chose; the plugin is serialised with it.

        Raises:
            NetworkError: `supports_format` says no to it.
        """
        if not self.supports_format(dtype, format):
            known = " or ".join(data_type.name for data_type in self.data_types)
            raise NetworkError(
                self.plugin_type, f"configured for {dtype.name} {format.name}", f"It takes {known} LINEAR."
            )
        self.data_type = dtype

    def initialize(self) -> int:
        """Return 0: ready."""
        return 0

    def terminate(self) -> None:
        """Do nothing."""

    def destroy(self) -> None:
        """Do nothing; Python frees the object."""

    def get_workspace_size(self, max_batch_size: int) -> int:
        """Return the bytes of scratch memory that a batch needs: none."""
        return 0

    def clone(self: Plugin) -> Plugin:
        """Return a plugin of the same attributes, configured alike."""
        return copy.deepcopy(self)

    @property
    def serialization_size(self) -> int:
        """Number of bytes that `serialize` gives."""
        return len(self.serialize())

    def serialize(self) -> memoryview:
        """Return the bytes that a plan of TensorRT holds for this plugin; plans of the reference runtime need none.

        Raises:
            NetworkError: a plugin whose bytes are TensorRT's own affair.
        """
        raise NetworkError(self.plugin_type, "its serialised form is private to TensorRT", "Serialise the engine.")

    @classmethod
    def deserialize(cls: type[Plugin], data: bytes) -> Plugin:
        """Return the plugin of what `serialize` gave; called by `IPluginCreator.deserialize_plugin`.

        Raises:
            ValueError, struct.error: the bytes are not that.
        """
        raise ValueError(f"the serialised form of {cls.plugin_type} is private to TensorRT")


Plugin = TypeVar("Plugin", bound=IPluginV2)


class IPluginV2Ext(IPluginV2):
    """A plugin of which the builder asks more."""

    tensorrt_version = 1 << 24 | VERSION  # the first byte is the kind of plugin

    def get_output_data_type(self, index: int, input_types: list[DataType]) -> DataType:
        """Return the type of one output."""
        return self.get_output_datatype(index, input_types)

    def configure_plugin(
        self,
        input_shapes: list[Any],
        output_shapes: list[Any],
        input_types: list[DataType],
        output_types: list[DataType],
        input_is_broadcasted: list[bool],
        output_is_broacasted: list[bool],
        format: TensorFormat,
        max_batch_size: int,
    ) -> None:
        """Note the configuration that the builder chose."""
        self.configure_with_format(input_shapes, output_shapes, input_types[0], format, max_batch_size)

    def attach_to_context(self, cudnn: Any, cublas: Any, allocator: Any) -> None:
        """Do nothing: there are no handles."""

    def detach_from_context(self) -> None:
        """Do nothing: there are no handles."""


class IPluginCreator(Sealed):
    """Makes plugins of one type from fields.

    Args:
        plugin: the class of the plugins.
        defaults: every attribute with the value it has when the field is absent; None marks a required array, a type
            a required number.
    """

    read_only = ("name", "plugin_version", "field_names", "tensorrt_version")

    def __init__(self, plugin: type[IPluginV2], defaults: dict[str, Any]) -> None:
        self.plugin, self.defaults = plugin, defaults
        self.name, self.plugin_version = plugin.plugin_type, plugin.plugin_version
        self.plugin_namespace = plugin.plugin_namespace
        self.field_names = PluginFieldCollection(PluginField(name) for name in defaults)

    tensorrt_version = VERSION

    def create_plugin(self, name: str, field_collection: PluginFieldCollection) -> IPluginV2:
        """Return a plugin; a missing or wrong field is an error that names it, an unknown one a warning."""
        given = {field.name: field.data for field in field_collection}
        for unknown in sorted(set(given) - set(self.defaults)):
            known = f"It has {', '.join(self.defaults)}."
            Logger().log(Logger.WARNING, f"layer {name!r}: {self.name} has no field {unknown!r}, passed over. {known}")
            del given[unknown]
        values = {**self.defaults, **given}
        if missing := [key for key, value in values.items() if value is None or isinstance(value, type)]:
            raise NetworkError(name, f"{self.name} needs the field {missing[0]!r}", "Add it to the field collection.")
        try:
            plugin = self.plugin(**{key: _like(self.defaults[key], value) for key, value in values.items()})
        except ValueError as error:
            raise NetworkError(name, f"{self.name}: {error}", "Correct the field collection.") from error
        plugin.plugin_namespace = self.plugin_namespace
        return plugin

    def deserialize_plugin(self, name: str, serialized_plugin: bytes | memoryview) -> IPluginV2:
        """Return the plugin of what `IPluginV2.serialize` gave.

        Raises:
            NetworkError: the bytes are not those of such a plugin. (TensorRT logs that and returns None.)
        """
        try:
            plugin = self.plugin.deserialize(bytes(serialized_plugin))
        except (ValueError, struct.error) as error:
            raise NetworkError(name, f"not a serialised {self.name} ({error})", "Build the engine again.") from error
        plugin.plugin_namespace = self.plugin_namespace
        return plugin


def _like(default: Any, value: Any) -> Any:
    """Bring a field's array to the form of its default: a scalar, text, or an array."""
    if default is None or isinstance(default, (list, np.ndarray)):
        return np.asarray(value)
    kind = default if isinstance(default, type) else type(default)
    return _text(value) if kind is str else kind(np.asarray(value).ravel()[0])


def _text(value: Any) -> str:
    """Return a field's text, without the b'' that TensorFlow's has in UFF."""
    text = value if isinstance(value, str) else bytes(np.asarray(value, np.int8)).decode(errors="replace")
    return text[2:-1] if text[:2] in ("b'", 'b"') and text[-1:] == text[1] else text


class IPluginRegistry(Reporter):
    """Creators by type, version and namespace."""

    def __init__(self) -> None:
        super().__init__()
        self.parent_search_enabled = True
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
        creator.plugin_namespace = plugin_namespace
        return True

    def deregister_creator(self, creator: IPluginCreator) -> bool:
        """Remove a creator; False when it is not registered."""
        keys = [key for key, registered in self._creators.items() if registered is creator]
        for key in keys:
            del self._creators[key]
        return bool(keys)

    def get_plugin_creator(self, type: str, version: str, plugin_namespace: str = "") -> IPluginCreator | None:
        """Return the creator of a type, or None."""
        return self._creators.get((type, version, plugin_namespace))

    def load_library(self, plugin_path: str) -> Any:
        """Refuse to load plugins that are compiled.

        Raises:
            DeviceError: always.
        """
        way_out = "Give what its plugins compute as a file of Python: trtflow run --plugins FILE.py."
        raise DeviceError(f"load_library({plugin_path!r}), a library of compiled plugins", way_out)

    def deregister_library(self, handle: Any) -> None:
        """Do nothing: no library was loaded."""


_REGISTRY = IPluginRegistry()


def get_plugin_registry() -> IPluginRegistry:
    """Return the registry that all networks share."""
    return _REGISTRY
