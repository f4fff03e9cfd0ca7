"""Give this process NVIDIA's names, as the process that started it has them; then do what was done without this."""

import importlib.util
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def give_names() -> None:
    """Install what the parent told; a Python of another version is left as it is."""
    told = json.loads(os.environ.get("TRTFLOW_NAMES", "{}"))
    if not told or tuple(told["python"]) != sys.version_info[:2]:
        return
    if importlib.util.find_spec("trtflow") is None:
        sys.path.append(told["root"])
    from trtflow.nvidia.children import start  # noqa: PLC0415 - only where it is wanted

    start(told["names"])


def run_other() -> None:
    """Run the `sitecustomize` that this one stands before."""
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or os.curdir) != HERE]
    spec = importlib.util.find_spec("sitecustomize") if sys.modules.pop("sitecustomize", None) else None
    if spec is not None and spec.loader is not None and spec.origin != __file__:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


this = sys.modules.get("sitecustomize")
run_other()
sys.modules.setdefault("sitecustomize", this)  # type: ignore[arg-type]
give_names()
