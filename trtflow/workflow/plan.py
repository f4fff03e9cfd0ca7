"""The plan of a run: its configuration, its samples, and the files that their steps read and write."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from trtflow.workflow.configuration import check, holds, leaf, merged, read_yaml, typed
from trtflow.workflow.errors import PlanError, unknown
from trtflow.workflow.kinds import Kinds
from trtflow.workflow.lists import is_list, is_table, listed_files
from trtflow.workflow.own import AUTO, INT8, TRIED, UNQUANTISED, stays_uff
from trtflow.workflow.samples import find_own_samples, guide_samples, load_samples, read_downloads
from trtflow.workflow.states import state_of

CHECKSUMS = "SHA256SUMS"
CONVERTED = {  # what rules of their own make of frozen graphs, checkpoints and Darknet's files
    "uff": ("model.uff",),
    "wts2": ("model.wts2",),
    "darknet": ("model.onnx", "yolov3.cfg", CHECKSUMS),
}
OWN_EXPORTS = {  # what a model of the user's own becomes, by the end of its name
    ".onnx": ("model.onnx",),
    ".uff": ("model.uff",),
    ".pb": ("model.onnx",),
    ".caffemodel": ("model.caffemodel", "model.prototxt"),
    ".prototxt": ("model.caffemodel", "model.prototxt"),
    ".cfg": ("model.onnx",),
    ".weights": ("model.onnx",),
    ".pt2": ("model.onnx",),
    ".keras": ("model.onnx",),
    "": ("model.onnx",),  # the folder of a SavedModel
}
BESIDE = {".prototxt": ".caffemodel", ".cfg": ".weights", ".weights": ".cfg"}  # files that need another


@dataclass(frozen=True)
class Plan:
    """What a run is configured to do.

    Attributes:
        root: folder of the workflow's checkout.
        config: the configuration, complete.
        kinds: families, tasks and data sets.
        samples: the configuration of each sample by name, those of the user's own last.
        downloads: config/downloads.yaml.
        own: the names of the user's own samples.
    """

    root: Path
    config: Mapping[str, Any]
    kinds: Kinds
    samples: Mapping[str, dict[str, Any]]
    downloads: Mapping[str, dict[str, Any]]
    own: tuple[str, ...]
    _steps: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict, repr=False)  # asked for at every turn

    def sample(self, name: str) -> dict[str, Any]:
        """Return a sample's configuration.

        Raises:
            PlanError: there is no such sample, or it has no such data set.
        """
        if name not in self.samples:
            raise PlanError(f"{unknown('sample', name, self.samples)} `snakemake list` tells more.")
        sample = self.samples[name]
        if self.config["data"] not in sample["data"]:
            known = ", ".join(sample["data"])
            raise PlanError(
                f"sample {name!r} has no data set {self.config['data']!r}, only {known}. "
                "Set data in config/config.yaml."
            )
        return sample

    def told(self, name: str, key: str, default: Any = None) -> Any:
        """Return what a sample's family, or else its task or data set, says of something."""
        return self.kinds.told(self.sample(name), key, default)

    def values(self, name: str) -> dict[str, Any]:
        """Return a sample's configuration as conditions see it: with `data`, and what its family says of itself."""
        sample = self.sample(name)
        return {**sample, "data": self.config["data"], "timed_inputs": self.kinds.told(sample, "timed_inputs")}

    def with_setting(self, wanted: Mapping[str, Any]) -> list[str]:
        """Return the names of the samples whose configuration has these values, as `when` states them."""
        return [name for name in self.samples if holds(wanted, {**self.samples[name], "data": self.config["data"]})]

    def setting(self, name: str, key: str, default: Any = None) -> Any:
        """Return a setting of a sample by its dotted name."""
        return leaf(self.sample(name), key, default)

    def with_form(self, form: str) -> list[str]:
        """Return the names of the samples with an engine that is built from a form, such as uff."""
        return [name for name in self.samples if form in forms_of(self.samples[name])]

    def owner(self, name: str) -> str:
        """Return the sample that trains the model of a sample."""
        return str(self.sample(name)["model"].get("trained_by", name))

    def steps(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the steps of a sample by name, as its data set, its task and its family declare them."""
        if name in self._steps:
            return self._steps[name]
        values = self.values(name)
        declared: dict[str, dict[str, Any]] = {}
        for kind, told in self.kinds.of(values).items():
            for step, says in told["steps"].items():
                if holds(says.get("when"), values):
                    declared[step] = {"function": step, **says, "of": values.get(kind, "")}
        self._steps[name] = declared
        return declared

    def _idle(self, name: str) -> set[str]:
        """Return the files of steps that are declared for samples of other kinds alone, and that no step makes here."""
        declared = [says for told in self.kinds.of(self.values(name)).values() for says in told["steps"].values()]
        made = {str(file) for says in self.steps(name).values() for file in says.get("output", {}).values()}
        return {str(file) for says in declared for file in says.get("output", {}).values()} - made

    def is_trained(self, name: str) -> bool:
        """Whether the model of a sample is trained here, by itself or by the sample whose model it takes."""
        return any(step["stage"] == "train" for step in self.steps(self.owner(name)).values())

    # files, all seen from the folder of the run

    def path(self, name: str, file: str) -> str:
        """Return a file of a sample."""
        return file[1:] if file.startswith("/") else f"results/{name}/{file}"

    def per_precision(self, name: str, pattern: str) -> list[str]:
        """Return one file a precision of a sample, of a pattern such as engine.{precision}.plan."""
        precisions = self.sample(name)["precisions"]
        return [self.path(name, pattern.replace("{precision}", precision)) for precision in precisions]

    def exports(self, name: str) -> list[str]:
        """Return what the engine of a sample is built from, with its checksums where there are any."""
        sample = self.sample(name)
        if name in self.own:
            model = sample["own"]["model"]
            form = ".uff" if stays_uff(model) else os.path.splitext(model["file"])[1]
            hook = ["hook.py"] if "hook" in sample["own"] else []
            plugins = [f"plugin{number}.py" for number, _ in enumerate(model.get("plugins", []))]
            plain = [UNQUANTISED] if model.get("quantised") else []
            names = ["sample.json", *OWN_EXPORTS[form], *plain, *hook, *plugins, CHECKSUMS]
        else:
            by_source = self.told(name, "exports")
            if sample["source"] not in by_source:
                raise PlanError(f"samples.{name}: source: {unknown('form', sample['source'], by_source)}")
            names = [file for form in self.forms(name) for file in by_source[form]]
            also = self.told(name, "also", [])
            names += [item["file"] for item in also if holds(item.get("when"), self.values(name))]
        return [self.path(name, f"export/{file}") for file in dict.fromkeys(names)]

    def forms(self, name: str) -> list[str]:
        """Return the forms in which the engines of a sample take its model."""
        return forms_of(self.sample(name))

    def exported(self, name: str, by: str) -> list[str]:
        """Return those files of `exports` that one step writes: no other step, and no converter."""
        others = {
            file
            for step, says in self.steps(name).items()
            if step != by
            for files in says["output"].values()
            for file in (files if isinstance(files, list) else [files])
        }
        others |= {f"export/{file}" for form in self.forms(name) for file in CONVERTED.get(form, ())}
        if name in self.own:
            others = set()
        return [file for file in self.exports(name) if file not in {self.path(name, other) for other in others}]

    def published(self, name: str) -> list[str]:
        """Return the published files that an engine is built from."""
        made = (CHECKSUMS, "input.json")
        names = [file for file in self.told(name, "exports")[self.sample(name)["source"]] if file not in made]
        return [self.path(name, f"artefacts/{file}") for file in names]

    def artefacts(self, name: str) -> list[str]:
        """Return the published files of a sample where it wants them."""
        return [self.path(name, item["path"]) for item in self.sample(name)["artefacts"] if "path" in item]

    def of_owner(self, name: str, key: str) -> str:
        """Return a file or folder of the sample that has the model, trained or published, as its family names it."""
        owner = self.owner(name)
        return self.path(owner, self.told(owner, key)[self.samples[owner]["model"]["weights"]])

    def split(self, name: str, split: str) -> list[str]:
        """Return what a step reads that takes a split: its manifest, its one file, or pictures that are tracked."""
        sample = self.sample(name)
        if name in self.own:
            return [self.path(name, f"own/{split}.sha256")]
        data_set = self.kinds.get("data_set", sample["data_set"], name)
        place = data_set["splits"][split]
        if "pictures" not in data_set:
            return [self.path(name, place)]
        if split not in data_set.get("tracked", []):
            return [self.path(name, f"{place}.sha256")]
        return self._pictures(name, split, data_set)

    def made_split(self, name: str, split: str) -> list[str]:
        """Return what makes up a split of pictures: a folder and its manifest, or pictures that are tracked."""
        sample = self.sample(name)
        data_set = self.kinds.get("data_set", sample["data_set"], name)
        place = data_set["splits"][split]
        if split in data_set.get("tracked", []):
            return self._pictures(name, split, data_set)
        labels = [f"{place}.txt"] if data_set.get("labels") else []
        return [self.path(name, file) for file in (place, f"{place}.sha256", *labels)]

    def _pictures(self, name: str, split: str, data_set: Mapping[str, Any]) -> list[str]:
        place, count = data_set["splits"][split], self.sample(name)["splits"][split]
        lists = [f"{place}/{file.replace('{split}', split)}" for file in data_set.get("lists", [])]
        labels = [f"{place}.txt"] if data_set.get("labels") else []
        patterns = [f"{place}/{pattern}" for pattern in data_set["pictures"]]
        pictures = [pattern.replace("{id}", f"{index:06d}") for pattern in patterns for index in range(count)]
        return [self.path(name, file) for file in (*lists, *labels, *pictures)]

    def data_folder(self, name: str, split: str) -> str:
        """Return what the reader of a split takes: the folder of the data set, or the split's own where it has one."""
        sample = self.sample(name)
        if name in self.own:
            return str(sample["own"]["data"][split])
        data_set = self.kinds.get("data_set", sample["data_set"], name)
        lists = "lists" in data_set  # in Pascal VOC's layout a split is a folder of its own
        return self.path(name, data_set["splits"][split] if lists else "data")

    def batches(self, name: str) -> list[str]:
        """Return the INT8 batch files of a sample."""
        settings = self.sample(name)["calibration"]
        count = self.sample(name)["splits"][settings["split"]] // settings["batch_size"]
        return [self.path(name, f"calibration/batches/batch{index}") for index in range(count)]

    def drawn(self, name: str) -> list[str]:
        """Return the annotated pictures of a detector, as pictures for people and as the guide has them."""
        sample = self.sample(name)
        count = min(sample["figures"]["count"], sample["splits"]["val"])
        kinds = ("png", "ppm")
        return [self.path(name, f"figures/{index:06d}.{kind}") for index in range(count) for kind in kinds]

    def figures(self, name: str) -> list[str]:
        """Return the pictures that the report of a sample names, the one that it is known by first."""
        sample = self.sample(name)
        idle = self._idle(name)
        told = [figure for figure in self.told(name, "figures", []) if f"figures/{figure}.png" not in idle]
        names = [*told, "precisions", "profile"]
        names += ["dog_bboxes"] if sample.get("picture") else []
        names += ["training"] if self.is_trained(name) else []
        names += ["serving"] if sample.get("serving") else []
        return [self.path(name, f"figures/{figure}.png") for figure in names]

    def texts(self, name: str) -> list[str]:
        """Return the texts that a report holds: the answers as the guide prints them, and the layers."""
        sample = self.sample(name)
        files = ["figures/serving.txt"] if sample.get("serving") else []
        idle = self._idle(name)
        files += [file for file in self.told(name, "texts", []) if file not in idle]
        files += ["tensors.txt"] if self.is_ranged(name) else []
        files += ["figures/losses.txt"] if self.losses(name) else []
        return [self.path(name, file) for file in (*files, f"layers.{sample['precisions'][0]}.txt")]

    def is_ranged(self, name: str) -> bool:
        """Whether INT8 of a sample takes dynamic ranges in place of a calibrator."""
        return bool(leaf(self.sample(name), "calibration.algorithm") == "ranges")

    def ranged(self) -> list[str]:
        """Return the samples whose INT8 takes dynamic ranges."""
        return [name for name in self.samples if leaf(self.samples[name], "calibration.algorithm") == "ranges"]

    def calibrated(self) -> list[str]:
        """Return the samples that are calibrated: INT8 takes a calibration table, which is not there already."""
        without = {*self.ranged(), *self.with_setting({"calibration.table": "set"})}
        return [name for name, sample in self.samples.items() if "calibration" in sample and name not in without]

    def calibrated_by_one(self) -> list[str]:
        """Return those of them whose calibrator is named, and not to be chosen."""
        return [name for name in self.calibrated() if self.setting(name, "calibration.algorithm") != AUTO]

    def tables_to_choose_from(self, name: str) -> list[str]:
        """Return the tables of a sample whose algorithm is auto, one a calibrator that is tried."""
        return [self.path(name, f"calibration/{algorithm}/CalibrationTable{name}") for algorithm in TRIED]

    def table(self, name: str, precision: str) -> list[str]:
        """Return the table or the ranges that an engine with INT8 needs."""
        if precision not in INT8 or leaf(self.sample(name), "own.model.quantised"):
            return []
        file = "ranges.txt" if self.is_ranged(name) else f"CalibrationTable{name}"
        return [self.path(name, f"calibration/{file}")]

    def kept_layers(self, name: str, precision: str) -> list[str]:
        """Return the list of layers that an engine with INT8 does not run in it, where one is searched."""
        searched = precision in INT8 and "mixed_precision" in self.sample(name)
        return [self.path(name, "calibration/kept_layers.txt")] if searched else []

    def calibration(self, name: str) -> list[str]:
        """Return the table or the ranges that a sample's page shows."""
        return next(filter(None, (self.table(name, precision) for precision in self.sample(name)["precisions"])), [])

    def losses(self, name: str) -> list[str]:
        """Return what INT8 loses of each tensor, which a model of the user's own that calibrates tells."""
        told = name in self.own and name in self.calibrated()
        return [self.path(name, "calibration/losses.json")] if told else []

    def networks(self) -> list[str]:
        """Return the names of the engines that samples have besides their own."""
        return sorted(
            {network for name in self.samples for network in self.kinds.told(self.samples[name], "networks", [])}
        )

    def frozen(self, name: str) -> list[str]:
        """Return the frozen TensorFlow graph of a sample."""
        return [self.of_owner(name, "frozen")]

    def checkpoint(self, name: str) -> list[str]:
        """Return the two files of the TensorFlow checkpoint of a sample."""
        return [f"{self.of_owner(name, 'checkpoint')}.{end}" for end in ("index", "data-00000-of-00001")]

    def darknet(self, name: str, kind: str = "") -> list[str]:
        """Return Darknet's cfg or weights of a sample, or without a kind the folder of both."""
        folder = self.of_owner(name, "darknet")
        return [f"{folder}/yolov3.{kind}" if kind else folder]

    def picture(self, name: str) -> list[str]:
        """Return the picture that a chapter looks at."""
        return [self.path(name, self.sample(name)["picture"])]

    def preprocessor(self, name: str) -> str | None:
        """Return the file, from the checkout, that changes a sample's graph before it becomes UFF."""
        file = self.setting(name, "model.preprocessor")
        return f"config/preprocessors/{file}" if file else None

    def training_log(self, name: str) -> list[str]:
        """Return the losses of the training of a sample's model."""
        return [self.path(self.owner(name), "model/training.json")]

    def compared(self, name: str) -> list[str]:
        """Return what steps of a sample compare besides engine and framework, and a refitted engine's scores before."""
        files = [
            file
            for step in self.steps(name).values()
            if step["stage"] == "compare"
            for key, file in step["output"].items()
            if key != "agreement"
        ]
        before = self.per_precision(name, "before_refit.{precision}.json") if self.sample(name).get("refit") else []
        return [*(self.path(name, file) for file in files), *before]

    def page(self) -> list[str]:
        """Return the samples of the page: those of `page` in the configuration, or all."""
        return list(self.config["page"]) or list(self.samples)

    def compared_runs(self) -> tuple[list[str], list[str], str]:
        """Return the names and folders of the two runs of `compare`, and a hash of their reports.

        Raises:
            PlanError: there are not two.
        """
        if len(self.config["compare"]) != 2:
            raise PlanError(
                "compare: name two runs and their folders: "
                "--config 'compare={CPU: docs/results/cpu, H200: docs/results/h200}'"
            )
        found = hashlib.sha256()
        for folder in self.config["compare"].values():
            for path in sorted(Path(folder).glob("*_report.json")):
                found.update(path.name.encode() + path.read_bytes())
        return list(self.config["compare"]), list(self.config["compare"].values()), found.hexdigest()

    def as_yaml(self, name: str) -> str:
        """Return a sample's configuration as YAML."""
        return str(yaml.dump(self.sample(name), Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))

    def threads(self, name: str, says: Mapping[str, Any], cores: int) -> int:
        """Return how many threads a step takes: those of the training, all where it measures time, or a number."""
        if says.get("alone"):
            return cores
        threads = says.get("threads", 1)
        return int(self.sample(name)["training"]["threads"] if threads == "training" else threads)

    def resource(self, says: Mapping[str, Any], key: str) -> int:
        """Return the memory, MB, or the time, minutes, that a step may take."""
        full = says.get("full", {}) if self.config["data"] == "full" else {}
        return int(full.get(key, says[key]))

    def own_places(self, name: str, part: str) -> list[str]:
        """Return the files and folders of the user's own that the model of a sample, or a split, lies in."""
        own = self.sample(name)["own"]
        if part != "model":
            labels = [own["data"][key] for key in ("labels", "masks") if part == "val" and key in own["data"]]
            pictures = [own["data"]["folder"]] if "folder" in own["data"] and is_table(own["data"][part]) else []
            return [own["data"][part], *labels, *pictures]
        model, classes = own["model"], own["data"].get("classes")
        stem, form = os.path.splitext(model["file"])
        files = [model["file"], *(model[key] for key in ("deploy", "preprocessor") if key in model)]
        files += model.get("plugins", [])
        files += [own["hook"]] if "hook" in own else []
        files += [own["decoding"]["priors"]] if "priors" in own.get("decoding", {}) else []
        files += [f"{stem}{BESIDE[form]}"] if form in BESIDE else []
        if form == ".caffemodel" and "deploy" not in model:
            files.append(f"{stem}.prototxt")
        return [*files, classes] if isinstance(classes, str) else files

    def own_listing(self, name: str, part: str) -> list[str]:
        """Return what the script that lists these files takes: the files and folders, and where a list's pictures lie.

        A list is the first of a split's.
        """
        places, folder = self.own_places(name, part), self._list_folder(name, part)
        return places if folder is None else [*places[1:], "--list", places[0], "--folder", folder]

    def _list_folder(self, name: str, part: str) -> str | None:
        """Return the folder of the pictures that a split's list names; None where no list is its place."""
        data = self.sample(name)["own"]["data"]
        return str(data["folder"]) if part != "model" and is_list(data[part]) else None

    def own_state(self, name: str, part: str) -> str:
        """Return a hash of the names, sizes and dates of those files: another one has them listed anew.

        Raises:
            PlanError: one is not there, or comes from the future.
        """
        places, folder = self.own_places(name, part), self._list_folder(name, part)
        what, way_out = f"samples.{name}", "Correct the path in its YAML file."
        state = state_of(what, places, way_out)
        if folder is None:
            return state
        return state + state_of(what, listed_files(places[0], folder), way_out)

    def given_table_state(self, name: str) -> str:
        """Return such a hash of the calibration table, or ranges, that the user gives a sample.

        Raises:
            PlanError: it is not there, or comes from the future.
        """
        return state_of(f"samples.{name}.calibration.table", [self.setting(name, "calibration.table")], "Correct it.")


def forms_of(sample: Mapping[str, Any]) -> list[str]:
    """Return the forms in which the engines of a sample take its model, given its configuration."""
    return [sample["source"], *sample.get("programs", [])]


def make_plan(root: Path, config: dict[str, Any]) -> Plan:
    """Return the plan of a configuration, which is checked and completed in place.

    Args:
        root: folder of the workflow's checkout.
        config: what the user set; config/config.yaml says the rest.

    Raises:
        PlanError: something in it, or in a file that it names, is wrong.
    """
    config.update(merged(read_yaml(root / "config/config.yaml"), config))
    for key in ("builder", "reference"):
        config[key] = typed(config.get(key, {}))
    check(config, root / "config/schema/config.schema.json", "configuration")
    own = find_own_samples(config["own_samples"], guide_samples(root))
    kinds = Kinds(root)
    samples = load_samples(root, config, kinds, own)
    downloads = read_downloads(root, config, samples)
    _check_page(config, samples)
    return Plan(root, config, kinds, samples, downloads, tuple(own))


def _check_page(config: Mapping[str, Any], samples: Mapping[str, Any]) -> None:
    """Refuse samples of the page that are not there, and runs to compare without reports."""
    for name in config["page"]:
        if name not in samples:
            raise PlanError(f"page: {unknown('sample', name, samples)}")
    for folder in config["compare"].values():
        if not glob.glob(os.path.join(glob.escape(folder), "*_report.json")):
            raise PlanError(
                f"compare: no *_report.json in {folder!r}. Name the folder of a run, such as docs/results/cpu."
            )
