"""List which modules of trtflow each script and each sample imports, for the rules' inputs.

python scripts/list_sources.py rules/sources.yaml
"""

import ast
from pathlib import Path

import _path  # noqa: F401
import yaml

from trtflow.cli import parser, run
from trtflow.formats.files import write_text

ROOT = Path(__file__).resolve().parents[1]
HEADER = "# Written by scripts/list_sources.py; a test fails where it is out of date.\n"


def imported_names(path: Path) -> set[str]:
    """Return all dotted names that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
    return names


def module_files(name: str) -> list[Path]:
    """Return the files that importing a module of trtflow runs: the packages it lies in, and itself."""
    parts = name.split(".")
    found = []
    for count in range(1, len(parts) + 1):
        place = ROOT.joinpath(*parts[:count])
        found += [path for path in (place / "__init__.py", place.with_suffix(".py")) if path.exists()]
    return found


def closure(start: Path) -> list[str]:
    """Return all files of trtflow that a file imports, directly or not, relative to the root and sorted."""
    seen: set[Path] = set()
    pending = [start]
    while pending:
        for name in imported_names(pending.pop()):
            if name.split(".")[0] == "trtflow":
                new = [path for path in module_files(name) if path not in seen]
                seen.update(new)
                pending += new
    return sorted(path.relative_to(ROOT).as_posix() for path in seen)


def sources() -> dict[str, dict[str, list[str]]]:
    """Return the files of each script, of each sample with its module, and of the module for users' own samples."""
    scripts = sorted(path for path in (ROOT / "scripts").glob("*.py") if not path.name.startswith("_"))
    folder = ROOT / "trtflow" / "samples"
    packages = {path.parent.name: path for path in folder.glob("*/__init__.py")}
    samples = packages | {path.stem: path for path in folder.glob("*.py") if path.name != "__init__.py"}
    listed = {name: sorted({*closure(path), path.relative_to(ROOT).as_posix()}) for name, path in samples.items()}
    return {
        "scripts": {path.stem: closure(path) for path in scripts},
        "own": {"own": listed.pop("own")},
        "samples": listed,
    }


def main() -> None:
    """Read the command line and write the list."""
    arguments = parser(__doc__)
    arguments.add_argument("out", type=Path, help="YAML file to write")
    options = arguments.parse_args()
    write_text(options.out, HEADER + yaml.safe_dump(sources(), sort_keys=True))


if __name__ == "__main__":
    run(main)
