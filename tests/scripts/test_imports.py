"""What scripts and steps load: no framework of training where none is used."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from trtflow.workflow.digest import STAGES, Digests
from trtflow.workflow.plan import make_plan

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORKS = ("tensorflow", "torch")
# these read a framework's own files, or time it
USERS = {"freeze.py": "tensorflow", "dump_tf_weights.py": "tensorflow", "bench_resnet50_torch.py": "torch"}

# stages whose steps are a framework's work; what tells that a file loads one, at its head or when it is called
TRAINED = ("train", "predict", "export")
LOADS = re.compile(rf"^\s*(?:import|from)\s+({'|'.join(FRAMEWORKS)})\b", re.MULTILINE)

# In one process: what a script or module imports of the frameworks is refused and noted, whoever asked for it.
PROGRAM = """
import contextlib, importlib, importlib.abc, io, json, pkgutil, runpy, sys
frameworks, root, scripts, packages = json.loads(sys.argv[1])
sys.path[:] = [root, *sys.path[1:], root + "/scripts"]
noted, whose = {}, None

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in frameworks:
            noted.setdefault(whose, name.partition(".")[0])
            raise ModuleNotFoundError(f"refused {name}", name=name)

sys.meta_path.insert(0, Refuse())
said = io.StringIO()
for whose in scripts:
    sys.argv = [whose, "--help"]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            runpy.run_path(whose, run_name="__main__")
    except SystemExit as ended:
        assert not ended.code or whose in noted, (whose, ended.code)
    except ModuleNotFoundError:
        assert whose in noted, whose
for package in packages:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, package + "."):
        whose = module.name
        with contextlib.suppress(ImportError):
            importlib.import_module(module.name)
print(json.dumps(noted))
"""


def refused(scripts: list[Path], packages: list[str], names: tuple[str, ...] = FRAMEWORKS) -> dict[str, str]:
    """Return which scripts and modules of packages load a package of `names` as they start, and which it is."""
    asked = json.dumps([names, str(ROOT), [str(path) for path in scripts], packages])
    done = subprocess.run([sys.executable, "-c", PROGRAM, asked], capture_output=True, text=True, check=True, cwd=ROOT)
    return {Path(name).name: framework for name, framework in json.loads(done.stdout).items()}


def test_scripts_and_steps_of_tasks_load_no_framework() -> None:
    scripts = sorted(path for path in (ROOT / "scripts").glob("*.py") if path.name[0] != "_")
    assert len(scripts) > 40
    packages = ["trtflow.tasks", "trtflow.samples", "trtflow.runtime", "trtflow.calibration", "trtflow.reporting"]
    assert refused(scripts, packages) == USERS


def test_the_hook_sees_a_framework_that_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "direct.py").write_text("import torch.nn\n")
    (tmp_path / "none.py").write_text("import json\n")
    assert refused(sorted(tmp_path.glob("*.py")), []) == {"direct.py": "torch"}


def test_scripts_that_only_read_and_write_text_load_no_numpy() -> None:
    pages = ("write_page", "write_index", "write_comparison")
    light = ("write_tables", "write_report", "compare", "score", "train", "export", "draw", *pages)
    assert refused([ROOT / f"scripts/{name}.py" for name in light], [], ("numpy", "matplotlib")) == {}


def files_of_step(digests: Digests, stage: str, says: Mapping[str, Any], sample: Mapping[str, Any]) -> frozenset[str]:
    """Return the files that a step of a sample is made of."""
    places = [STAGES[stage].format(**sample), f"trtflow/samples/{sample['name']}"]
    names = [next(filter(digests.exists, (f"{place}.py", f"{place}/__init__.py"))) for place in places]
    return digests.modules(f"scripts/{stage}.py") | digests.used(names[0], says["function"]) | digests.modules(names[1])


def test_no_code_of_other_steps_loads_a_framework_even_when_it_is_called() -> None:
    plan, digests = make_plan(ROOT, {"backend": "reference"}), Digests(ROOT)
    loads, seen = cache(lambda file: set(LOADS.findall((ROOT / file).read_text()))), set()
    for sample in plan.samples:
        for says in plan.steps(sample).values():
            files = files_of_step(digests, says["stage"], says, plan.sample(sample)) if says["stage"] in STAGES else ()
            seen |= {(says["stage"], name) for file in files for name in loads(file)}
    assert seen == {(stage, name) for stage in TRAINED for name in FRAMEWORKS}
