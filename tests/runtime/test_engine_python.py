"""What runs under the Python that has TensorRT and PyCUDA needs nothing but NumPy beside them (envs/engine.txt)."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Loads every module of packages, with nobody else's to be had.
LOAD = """
import importlib, pkgutil, sys
from unittest.mock import MagicMock

class Missing:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top not in sys.stdlib_module_names and top not in ("numpy", "trtflow", "__main__"):
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Missing())
for name in ("pycuda", "pycuda.driver", "pycuda.autoprimaryctx", "tensorrt"):  # these it has
    sys.modules[name] = MagicMock()
count = 0
for package in sys.argv[1:]:
    module = importlib.import_module(package)
    names = [package, *(found.name for found in pkgutil.walk_packages(getattr(module, "__path__", []), package + "."))]
    for name in names:
        importlib.import_module(name)
        count += 1
print(count)
"""
PACKAGES = ("runtime", "samples", "tasks", "calibration", "job", "metrics.scores", "cli")


def test_it_loads_with_numpy_alone():
    names = [f"trtflow.{package}" for package in PACKAGES]
    done = subprocess.run([sys.executable, "-c", LOAD, *names], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 70
