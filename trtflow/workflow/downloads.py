"""Published files: what is known of them, where they come from, which of them a run wants."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from trtflow.workflow.plan import Plan

Place = Callable[[str], str]


def options(plan: Plan) -> list[str]:
    """Return the command-line options that say where and how long to try."""
    config = plan.config
    mirror = ["--mirror", config["mirror"]] if config["mirror"] else []
    return [*mirror, "--attempts", str(config["download_attempts"]), "--timeout", str(config["download_timeout"])]


def pinned(plan: Plan, file: str) -> list[str]:
    """Return the checksums of a published file: where they change, it is another file."""
    entry = plan.downloads[file]
    return [entry[name] for name in ("sha256", "sha1", "md5", "git_sha1") if name in entry]


def archives(plan: Plan) -> list[str]:
    """Return the published files that are unpacked."""
    return [file for file, entry in plan.downloads.items() if "unpacked" in entry]


def limits(plan: Plan, file: str) -> list[str]:
    """Return the options that say how much an archive may hold."""
    given = plan.downloads[file]["unpacked"]
    return [word for name in given for word in (f"--max-{name}", str(given[name]))]


def placed(plan: Plan) -> list[str]:
    """Return the names that published files have in results/<sample>/artefacts."""
    names = {os.path.basename(item["path"]) for sample, item in _items(plan) if "path" in item}
    return sorted(names)


def _items(plan: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, sample in plan.samples.items():
        for item in sample.get("artefacts", []):
            yield name, item


def _item(plan: Plan, sample: str, file: str) -> dict[str, Any] | None:
    path = f"artefacts/{file}"
    found = [item for name, item in _items(plan) if name == sample and item.get("path") == path]
    return found[0] if found else None


def source(plan: Plan, sample: str, file: str) -> str:
    """Return what a published file is copied from: its download, or the folder of its archive."""
    item = _item(plan, sample, file)
    if item is None:  # a name that only other samples have
        return f"results/downloads/{file} of {sample}"
    folder = "unpacked" if "member" in item else "downloads"
    return f"results/{folder}/{item['file']}"


def member(plan: Plan, sample: str, file: str) -> list[str]:
    """Return the options that name a file of an archive."""
    item = _item(plan, sample, file) or {}
    return [word for key in ("member", "md5") if key in item for word in (f"--{key}", item[key])]


def size(entry: dict[str, Any]) -> str:
    """Return how large a published file is, as people read it."""
    if "size" in entry:
        return f"{entry['size'] / 1e6:.1f} MB"
    return f"~{entry['about_mb']} MB" if "about_mb" in entry else "not known"


class Fetch:
    """The published files that `fetch` downloads.

    Args:
        plan: of the run.
        place: where a file is downloaded to, seen from the folder of the run: a module has a prefix.
    """

    def __init__(self, plan: Plan, place: Place) -> None:
        self.plan, self.place = plan, place

    def users(self) -> dict[str, dict[str, None]]:
        """Return the files of the samples of `fetch`, each with the names of these samples."""
        users: dict[str, dict[str, None]] = {}
        for name in self.plan.config["fetch"] or self.plan.samples:
            for item in self._wanted(name):
                users.setdefault(item["file"], {})[name] = None
        return users

    def _wanted(self, name: str) -> list[dict[str, Any]]:
        """Return the published files that a run of a sample with data: full asks for."""
        sample = self.plan.samples[name]
        # as `fetch` may come before data is set to full
        places = (sample, sample.get("full", {}), self.plan.config["samples"].get(name, {}))
        weights = [place["model"]["weights"] for place in places if "weights" in place.get("model", {})]
        return [
            item for item in sample.get("artefacts", []) if "weights" not in item or item["weights"] in weights[-1:]
        ]

    def is_left_out(self, file: str) -> bool:
        """Whether only a mirror can have a file, and neither a folder `mirror` has it nor an earlier run took it."""
        places = [self.place(file)]
        # an address is never one of these: whether it has the file is known too late
        if self.plan.config["mirror"]:
            places.append(os.path.join(self.plan.config["mirror"], file))
        return not self.plan.downloads[file]["urls"] and not any(map(os.path.exists, places))

    def files(self) -> list[str]:
        """Return the files to download."""
        return [file for file in self.users() if not self.is_left_out(file)]

    def listing(self) -> list[str]:
        """Return lines that say what they are and how large: sizes come before anything else."""
        wanted = self.files()
        missing = [file for file in wanted if not os.path.exists(self.place(file))]
        lines = []
        for file in self.users():
            entry = self.plan.downloads[file]
            state = "" if file in missing else "there" if file in wanted else "left out"
            lines.append(f"{size(entry):>10}  {file:<48} {state:<8} {entry['licence']}")
        entries = [self.plan.downloads[file] for file in missing]
        known = sum(entry.get("size", entry.get("about_mb", 0) * 1e6) for entry in entries) / 1e6
        lines.append(f"{len(missing)} of {len(wanted)} files to download, {known:.1f} MB and what is not known")
        return [*lines, *self.left_out()]

    def left_out(self) -> list[str]:
        """Return lines that name the files that are left out, how to come by them, and which samples want them."""
        users = self.users()
        files = [file for file in users if self.is_left_out(file)]
        if not files:
            return []
        names = ", ".join(dict.fromkeys(name for file in files for name in users[file]))
        return [
            *(f"only from a mirror: {file}: {self.plan.downloads[file]['made']}" for file in files),
            f"left out, and needed with data: full by: {names}. "
            "Put them under these names into a folder, and set mirror to it.",
        ]
