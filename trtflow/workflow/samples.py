"""The samples of the guide and those of the user's own, as the configuration has them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from trtflow.workflow.configuration import check, complete, merged, read_mapping, typed
from trtflow.workflow.errors import PlanError, unknown
from trtflow.workflow.kinds import Kinds
from trtflow.workflow.own import check_search, load_own


def guide_samples(root: Path) -> list[str]:
    """Return the names of the guide's samples, in alphabetical order."""
    return sorted(path.stem for path in (root / "config/samples").glob("*.yaml") if _chapter(path))


def _chapter(path: Path) -> bool:
    """Whether a file is that of a sample of the guide's: reading a line is enough, and all are read at every start."""
    with path.open("rb") as file:
        return any(line.startswith(b"chapter:") for line in file)


def find_own_samples(folder: str, guide: list[str]) -> dict[str, Path]:
    """Return the files in the folder `own_samples` that describe no chapter of the guide, by their names.

    Raises:
        PlanError: one has the name of a sample of the guide's, cannot be read, or ends in `.yml`.
    """
    found = {}
    for path in Path(folder).glob("*"):
        if path.suffix.lower() in (".yml", ".yaml") and path.suffix != ".yaml":
            raise PlanError(f"{path}: samples end in .yaml. Rename it to {path.stem}.yaml, or move it elsewhere.")
    for path in sorted(Path(folder).glob("*.yaml")):
        if path.is_file() and path.stem in guide and _chapter(path):
            continue
        values = read_mapping(path)
        if "chapter" not in values:
            if path.stem in guide:
                raise PlanError(f"{path}: {path.stem} is a sample of the guide's. Rename it.")
            found[path.stem] = path
    return found


def load_samples(
    root: Path, config: Mapping[str, Any], kinds: Kinds, own: Mapping[str, Path]
) -> dict[str, dict[str, Any]]:
    """Return all samples by name, with the changes from `samples:` of the configuration.

    Raises:
        PlanError: a file or a change is wrong.
    """
    guide = guide_samples(root)
    for name in config["samples"]:
        if name not in [*guide, *own]:
            raise PlanError(f"samples.{name}: {unknown('sample', name, [*guide, *own])}")
    samples = {name: _load_sample(root, config, kinds, name) for name in guide}
    _check_owners(samples)
    return samples | {name: load_own(root, config, kinds, name, own[name]) for name in own}


SHARING = ("data_set", "family")  # kinds that say what their samples have in common


def _load_sample(root: Path, config: Mapping[str, Any], kinds: Kinds, name: str) -> dict[str, Any]:
    path = root / f"config/samples/{name}.yaml"
    sample = read_mapping(path)
    changes = typed(config["samples"].get(name, {}))
    source = f"samples.{name}" if changes else f"config/samples/{name}.yaml"
    if not isinstance(changes, dict):
        raise PlanError(f"samples.{name}: a mapping of keys is expected, as in config/samples/{name}.yaml")
    sample = _with_data_set(sample, kinds, source)
    if config["data"] == "full":
        sample = merged(sample, sample.get("full", {}))
    sample = merged(sample, changes)
    schema = root / "config/schema/sample.schema.json"
    if changes:  # a test checks the files as they are
        check(sample, schema, source)
    complete(sample, schema)
    for kind in SHARING:
        sample = merged(kinds.get(kind, sample[kind], source).get("sample", {}), sample)
    sample["model"].setdefault("weights", "trained")
    kinds.check_sample(sample, source)
    _set_limits(sample, source)
    sample["gates"] = with_best(sample["gates"], sample["precisions"])
    _check_batches(sample, source)
    return sample


def _with_data_set(sample: dict[str, Any], kinds: Kinds, source: str) -> dict[str, Any]:
    """Return a sample with what all samples of its data set have in common; its own goes before."""
    shared = kinds.get("data_set", sample["data_set"], source).get("sample", {})
    artefacts = [*shared.get("artefacts", []), *sample.get("artefacts", [])]
    return merged(merged(shared, sample), {"artefacts": artefacts} if artefacts else {})


def _set_limits(sample: dict[str, Any], source: str) -> None:
    """Lay the limits of `limits` over those of the gates of these names."""
    gates = {gate["name"]: gate for gate in sample["gates"]}
    for name, limit in sample.pop("limits", {}).items():
        if name not in gates:
            raise PlanError(f"{source}: limits: {unknown('gate', name, gates)}")
        gates[name]["limit"] = limit


def with_best(gates: list[dict[str, Any]], precisions: Collection[str]) -> list[dict[str, Any]]:
    """Return gates, and where there is an engine `best` those of int8 for it too, unless it has its own of a metric."""
    if "best" not in precisions:
        return gates
    own = {gate["metric"] for gate in gates if gate["precision"] == "best"}
    taken = {gate["name"] for gate in gates}
    more = []
    for gate in gates:
        name = gate["name"].replace("int8", "best") if "int8" in gate["name"] else f"best_{gate['name']}"
        if gate["precision"] == "int8" and gate["metric"] not in own and name not in taken:
            more.append({**gate, "name": name, "precision": "best"})
    return [*gates, *more]


def _check_batches(sample: Mapping[str, Any], source: str) -> None:
    """Refuse batches that the calibration pictures do not fill, or larger ones than engines take, and idle tables."""
    if "calibration" in sample:
        split, size = sample["calibration"]["split"], sample["calibration"]["batch_size"]
        pictures = sample["splits"][split]
        if "table" in sample["calibration"] and sample["calibration"]["algorithm"] == "ranges":
            way_out = "Leave table out, or name the algorithm that made it"
            raise PlanError(f"{source}: calibration.table: with algorithm: ranges there is no table. {way_out}.")
        if pictures % size:
            raise PlanError(
                f"{source}: calibration.batch_size: {pictures} pictures (splits.{split}) do not fill batches of {size}"
            )
    check_search(sample, source)
    batch, most = sample.get("inference", {}).get("batch", 0), sample["max_batch_size"]
    if batch > most:
        raise PlanError(f"{source}: inference.batch: {batch} sentences exceed max_batch_size, {most}")


def _check_owners(samples: Mapping[str, dict[str, Any]]) -> None:
    """Refuse a model of a sample that is not there, trains none itself, or trains another network."""
    for name, sample in samples.items():
        owner = sample["model"].get("trained_by")
        if owner is None:
            continue
        model = samples[owner]["model"] if owner in samples else {}
        if "trained_by" in model or model.get("network") != sample["model"].get("network"):
            raise PlanError(
                f"samples.{name}: model.trained_by: sample {owner!r} trains no {sample['model'].get('network')}"
            )


def read_downloads(
    root: Path, config: Mapping[str, Any], samples: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return config/downloads.yaml: the published files by name.

    Raises:
        PlanError: a sample names a file that is not there, or `fetch` a sample that has none.
    """
    path = root / "config/downloads.yaml"
    downloads: dict[str, dict[str, Any]] = read_mapping(path)
    check(downloads, root / "config/schema/downloads.schema.json", path)
    for name, sample in samples.items():
        for item in sample.get("artefacts", []):
            known = downloads.get(item["file"])
            if known is None:
                raise PlanError(f"samples.{name}: artefacts: config/downloads.yaml has no {item['file']!r}")
            if "member" in item and "unpacked" not in known:
                raise PlanError(f"samples.{name}: artefacts: {item['file']!r} has no unpacked in config/downloads.yaml")
    with_files = [name for name, sample in samples.items() if "artefacts" in sample]
    for name in config["fetch"]:
        if name not in with_files:
            raise PlanError(f"fetch: {name!r} has no published files. Known: {', '.join(with_files)}.")
    return downloads
