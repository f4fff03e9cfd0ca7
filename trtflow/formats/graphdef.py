"""How a TensorFlow graph names what its nodes read; needs no TensorFlow."""


def owner(source: str) -> str:
    """Return the name of the node that an input names: of `^x` and of `x:1` it is x."""
    return source.lstrip("^").partition(":")[0]
