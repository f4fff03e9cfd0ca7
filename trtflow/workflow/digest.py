"""Code by content: the hash of a script and of all modules that it imports.

A job depends on this, in place of on the modules' dates: an edit makes again what it touches, while moving, copying,
cloning or touching makes nothing again. Imports are read from the text, so that nothing is loaded to plan a run.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trtflow.workflow.errors import PlanError
from trtflow.workflow.plan import Plan
from trtflow.workflow.steps import StepRule

PACKAGE = "trtflow"
PLANNING = f"{PACKAGE}.workflow"  # no result is made of it: what it decides is in the params of a job
IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<base>\.*[\w.]*)[ \t]+import[ \t]+(?:\((?P<many>[^)]*)\)|(?P<one>[^\n#]+))"
    r"|import[ \t]+(?P<plain>[\w., \t]+))",
    re.MULTILINE,
)
SAMPLES = f"{PACKAGE}/samples/__init__.py"  # loads the modules of samples by name
STAGES = {  # where the functions of each stage are
    "make_data": "trtflow/datasets/{data_set}",
    **dict.fromkeys(("train", "predict", "export"), "trtflow/families/{family}"),
    **dict.fromkeys(("infer", "score", "compare", "draw", "measure", "profile"), "trtflow/tasks/{task}"),
}
LENGTH = 16  # hexadecimal digits: enough to tell versions of this code apart


class Digests:
    """Hashes of the code of a checkout.

    Args:
        root: its folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._closure = cache(self._find_closure)
        self._imports = cache(self._find_imports)
        self._hash = cache(lambda path: hashlib.sha256((root / path).read_bytes()).hexdigest())
        self._digest = cache(self._find_digest)  # of many jobs: those of one step, and of samples with the same code
        self._entry = cache(self._read_entry)
        self._file = cache(self._find_file)
        self._exists = cache(lambda path: os.path.isfile(f"{root}/{path}"))
        self._use = cache(_use_of)
        self._module_names = cache(lambda path: _names_of(ast.parse((root / path).read_text(encoding="utf-8"))))

    def digest(self, script: str, entries: Iterable[tuple[str, str | None]] = (), files: Iterable[str] = ()) -> str:
        """Return the hash of what a script runs.

        Args:
            script: its path, from the root.
            entries: modules that it loads by name, each with the function that it calls there; None for the whole.
            files: what else the code reads of the checkout, such as a schema.
        """
        return self._digest(script, tuple(entries), tuple(files))

    def _find_digest(self, script: str, entries: tuple[tuple[str, str | None], ...], files: tuple[str, ...]) -> str:
        found, parts = set(self._closure(script)), []
        for module, function in entries:
            if function is None:
                found |= self._closure(module)
            else:
                text, imported = self._entry(module, function)
                parts.append(text)
                found |= imported
        parts += [f"{path} {self._hash(path)}" for path in sorted({*found, *files})]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:LENGTH]

    def modules(self, script: str) -> frozenset[str]:
        """Return the files of the checkout that a script or module is made of, itself included."""
        return self._closure(script)

    def used(self, module: str, function: str) -> frozenset[str]:
        """Return the files that a function of a module is made of, but for the module itself."""
        return self._entry(module, function)[1]

    def exists(self, module: str) -> bool:
        """Whether the checkout has a file."""
        return self._exists(module)

    def has(self, module: str, function: str) -> bool:
        """Whether a module defines or imports a name."""
        named, imports = self._module_names(module)
        return function in named or function in imports

    def _find_closure(self, path: str, entry: str = "") -> frozenset[str]:
        """Return the files that a module is made of; `entry`, of which one function counts alone, is left out."""
        found: set[str] = set()
        waiting = [path]
        while waiting:
            current = waiting.pop()
            if current not in found and current != entry:
                found.add(current)
                waiting += self._imports(current)
        return frozenset(found)

    def _find_imports(self, path: str) -> list[str]:
        """Return the files of ours that a module imports."""
        text = (self.root / path).read_text(encoding="utf-8")
        found: list[str] = []
        for match in IMPORT.finditer(text):
            if match["plain"]:
                names = [part.split()[0] for part in match["plain"].split(",") if part.split()]
                found += [file for name in names for file in self._file(name, path.startswith("scripts/"))]
                continue
            listed = re.sub(r"#[^\n]*", "", match["many"] or match["one"] or "").split(",")
            found += self._imported(
                _absolute(match["base"], path), [part.split()[0] for part in listed if part.split()], path
            )
        return found

    def _imported(self, base: str, names: Iterable[str], path: str) -> list[str]:
        """Return the files of `from base import names`: modules of these names, and that of `base` for all others."""
        script = path.startswith("scripts/")
        return [file for name in names for file in self._file(f"{base}.{name}", script) or self._file(base, script)]

    def _find_file(self, module: str, script: bool) -> list[str]:
        """Return the file of a module of ours, or of a neighbour of a script; of any other nothing."""
        if module.startswith(PLANNING):
            return []
        place = module.replace(".", "/")
        if module.split(".", maxsplit=1)[0] != PACKAGE:
            place = f"scripts/{place}" if script else ""
        return [file for file in (f"{place}.py", f"{place}/__init__.py") if place and self.exists(file)]

    def _read_entry(self, module: str, function: str) -> tuple[str, frozenset[str]]:
        """Return the text of a function and of what it uses of its module, and the files that these import.

        So that one module can hold the training and the export of a family, and an edit of one leave the other alone.
        """
        named, imports = self._module_names(module)
        wanted, used = [function], set()
        while wanted:
            name = wanted.pop()
            if name in used:
                continue
            used.add(name)
            for node in named.get(name, []):
                wanted += self._use(node).names
        uses = [self._use(node) for name in sorted(used) for node in named.get(name, [])]
        found: set[str] = set()
        outside = [(imports[name], used) for name in sorted(used) if name in imports]
        for statement, names in [*outside, *((inside, None) for use in uses for inside in use.imports)]:
            for file in self._imported_by(statement, module, names):
                found |= self._closure(file, module)
        return "\n".join(use.text for use in uses), frozenset(found)

    def _imported_by(self, statement: ast.Import | ast.ImportFrom, module: str, used: set[str] | None) -> list[str]:
        """Return the files that a statement imports for the names that are used; None for all."""
        bound = {alias.asname or alias.name.split(".")[0]: alias.name for alias in statement.names}
        names = [name for local, name in bound.items() if used is None or local in used]
        if isinstance(statement, ast.Import):
            return [file for name in names for file in self._file(name, module.startswith("scripts/"))]
        return self._imported(_absolute("." * statement.level + (statement.module or ""), module), names, module)


def _absolute(base: str, path: str) -> str:
    """Return the name of a module that may be written relative to the one at `path`."""
    dots = len(base) - len(base.lstrip("."))
    if not dots:
        return base
    parents = Path(path).parts[:-1]
    place = parents[: len(parents) - dots + 1]
    return ".".join([*place, *([base[dots:]] if base[dots:] else [])])


def _names_of(tree: ast.Module) -> tuple[dict[str, list[ast.stmt]], dict[str, ast.Import | ast.ImportFrom]]:
    """Return the statements that define each name of a module, and those that import one."""
    named: dict[str, list[ast.stmt]] = {}
    imports: dict[str, ast.Import | ast.ImportFrom] = {}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                imports[alias.asname or alias.name.split(".")[0]] = node
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            named.setdefault(node.name, []).append(node)
        else:
            for target in ast.walk(node):
                if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
                    named.setdefault(target.id, []).append(node)
    return named, imports


@dataclass(frozen=True)
class _Use:
    """What a statement says, the names that it uses and the imports in it."""

    text: str
    names: list[str]
    imports: list[ast.Import | ast.ImportFrom]


def _use_of(node: ast.stmt) -> _Use:
    parts = list(ast.walk(node))
    names = [part.id for part in parts if isinstance(part, ast.Name)]
    return _Use(ast.unparse(node), names, [part for part in parts if isinstance(part, ast.Import | ast.ImportFrom)])


class Code:
    """The hash of the code that each job of a plan runs.

    Args:
        plan: of the run.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.digests = Digests(plan.root)

    def of_script(self, name: str, sample: str | None = None, files: Iterable[str] = ()) -> str:
        """Return the hash of a script, with the module of the sample where the script loads one.

        Args:
            name: of the script.
            sample: of the job, if it is of one.
            files: files or folders of the checkout that the script reads besides.
        """
        return self.digests.digest(f"scripts/{name}.py", self._loaded(name, sample), self._files(files, sample))

    def of_step(self, rule: StepRule, sample: str) -> str:
        """Return the hash of the code of a step: its function and what that uses, and the sample's module.

        Raises:
            PlanError: the module is not there, or has no such function.
        """
        says = self.plan.steps(sample)[rule.step]
        entry = (self._module(says["stage"], sample), says["function"])
        if not self.digests.has(*entry):
            raise PlanError(
                f"samples.{sample}: {entry[0]} has no function {entry[1]}, which step {rule.step} asks for. "
                f"Write it, or name another with `function:` of the step."
            )
        return self.digests.digest(f"scripts/{says['stage']}.py", [entry, *self._loaded(says["stage"], sample, *entry)])

    def _module(self, stage: str, sample: str) -> str:
        """Return the file with the functions of a stage for a sample."""
        place = STAGES[stage].format(**self.plan.sample(sample))
        found = [file for file in (f"{place}.py", f"{place}/__init__.py") if self.digests.exists(file)]
        if not found:
            raise PlanError(f"samples.{sample}: {place}.py is not there, which stage {stage} of the sample needs")
        return found[0]

    def _loaded(
        self, script: str, sample: str | None, module: str = "", function: str = ""
    ) -> list[tuple[str, str | None]]:
        """Return the module of a sample where the code loads it by name."""
        used = [self.digests.modules(f"scripts/{script}.py")]
        if module:
            used.append(self.digests.used(module, function))
        if sample is None or not any(SAMPLES in files for files in used):
            return []
        name = "own" if sample in self.plan.own else sample
        place = f"{PACKAGE}/samples/{name}"
        return [(f"{place}/__init__.py" if self.digests.exists(f"{place}/__init__.py") else f"{place}.py", None)]

    def _files(self, names: Iterable[str], sample: str | None) -> list[str]:
        """Return files of the checkout, those in folders included; `preprocessor` is the sample's."""
        found: list[str] = []
        for name in names:
            file = self.plan.preprocessor(sample) if name == "preprocessor" and sample else name
            if file is None:
                continue
            path = self.plan.root / file
            parts = sorted(path.rglob("*")) if path.is_dir() else [path]
            found += [str(part.relative_to(self.plan.root)) for part in parts if part.is_file()]
        return found
