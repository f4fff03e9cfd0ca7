"""Objects whose attributes are fixed, as those of TensorRT are."""

from __future__ import annotations

from typing import Any, ClassVar

OURS = __name__.split(".record", maxsplit=1)[0]  # the package


class _SealedType(type):
    """Seals an object when it is made: its attributes are those that it has then."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        inherited: frozenset[str] = frozenset().union(*(getattr(base, "fixed_names", ()) for base in bases))
        cls.fixed_names = inherited | frozenset(namespace.get("read_only", ()))

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        object.__setattr__(made, "_sealed", True)
        return made


class Sealed(metaclass=_SealedType):
    """An object without attributes of the user's own, as those of TensorRT.

    A class that a user derives from one of TensorRT's has them, as any class of Python's.

    Attributes:
        read_only: names of the attributes that a class lets nobody set.
    """

    read_only: ClassVar[tuple[str, ...]] = ()

    def __setattr__(self, name: str, value: Any) -> None:
        ours = type(self).__module__.startswith(OURS)
        if ours and "_sealed" in self.__dict__ and not name.startswith("_"):
            if name in type(self).fixed_names:
                raise AttributeError(f"can't set attribute {name!r} of {type(self).__name__!r}")
            if name not in self.__dict__ and not hasattr(type(self), name):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.startswith("_") or name.startswith("__")]

    def _set(self, name: str, value: Any) -> None:
        """Set an attribute that only the class itself may set."""
        object.__setattr__(self, name, value)
