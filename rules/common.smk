"""Configuration and the helpers that rules share. Nothing here imports more than yaml and jsonschema."""

import argparse
import glob
import json
import re
import shlex
import shutil
import sys
from types import SimpleNamespace

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.settings.enums import Quietness
from snakemake.utils import validate

ENVIRONMENT = "../environment.yml"  # with --sdm conda; otherwise what is installed


def check_workflow_profile(arguments):
    """Refuse a workflow profile that is not there: Snakemake would pass over it and run on this machine."""
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--workflow-profile", default="none")
    name = options.parse_known_args(arguments)[0].workflow_profile
    folders = ("", "profiles", os.path.join(workflow.basedir, "profiles"))
    if name != "none" and not any(
        os.path.exists(os.path.join(folder, name)) for folder in folders
    ):
        raise WorkflowError(
            f"--workflow-profile: {name} is not there. See profiles/README.md."
        )


def explain_failure(logs):
    """Print the way out where a cluster refused a job for its GPU."""
    refusals = ("generic resource", "node configuration is not available")
    texts = [open(log).read() for log in logs]
    if any(refusal in text for refusal in refusals for text in texts):
        print(
            "error: the cluster has no such GPU, or not in that partition. Name the partition and type in a profile"
            " (profiles/README.md), or run on CPUs: --config backend=reference",
            file=sys.stderr,
        )


def read_yaml(path):
    """Return the content of a YAML or JSON file; libyaml halves the start of every run, and of every cluster job."""
    with open(path) as file:
        return yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def lift_default_job_rate(scheduler):
    """Take back Snakemake's limit of 100 jobs a second, unless somebody set another.

    With a limit, Snakemake 9.27 wakes its scheduler once more a second for every job that has ended, for the rest of the
    run: after some 80 jobs that alone takes most of a core.
    """
    limiter = getattr(scheduler, "job_rate_limiter", None)
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == (100, 1):
        scheduler.job_rate_limiter = None


check_workflow_profile(sys.argv[1:])
SOURCES = read_yaml(workflow.source_path("sources.yaml"))
# All at once: a file that an input function asks for later may be missing from Snakemake's list of its folder's files.
SOURCE_FILES = {
    name: workflow.source_path(f"../{name}")
    for name in {
        "scripts/_path.py",
        *(
            name
            for part in SOURCES.values()
            for names in part.values()
            for name in names
        ),
    }
}


def fault(error):
    """Return what is wrong and what is allowed, of an error of jsonschema."""
    if error.validator != "additionalProperties":
        return error.message
    known = error.schema["properties"]
    unknown = [key for key in error.instance if key not in known]
    return f"unknown key {', '.join(unknown)}. Known: {', '.join(known)}."


# what trtflow.reporting.page.pages reads
PAGE_TEMPLATES = [
    workflow.source_path(f"../report/page/{name}")
    for name in [
        "page.css",
        *(
            f"{page}.html.j2"
            for page in ("base", "macros", "index", "sample", "comparison")
        ),
    ]
]
CAPTIONS = [
    workflow.source_path(f"../report/{figure}.rst")
    for figure in [
        *("confusion", "contact", "digits", "dog_bboxes", "generated", "pictures"),
        *("precisions", "profile", "ranking", "serving", "training", "translation"),
    ]
]


def check_config(values, schema, source):
    """Validate and fill in defaults; an error names the key, the file and what is allowed."""
    import jsonschema

    rules = read_yaml(schema)
    errors = jsonschema.Draft202012Validator(rules).iter_errors(values)
    error = jsonschema.exceptions.best_match(errors)
    if error is not None:
        key = ".".join(map(str, error.absolute_path)) or "top level"
        raise WorkflowError(
            f"{source}: {key}: {fault(error)} (config/README.md explains every key)"
        )
    for key, described in rules["properties"].items():
        if "default" in described:
            values.setdefault(key, described["default"])


def merged(base, changes):
    """Return `base` with `changes` laid over it, mappings key by key."""
    both = {**base, **changes}
    return {
        key: (
            merged(base[key], value)
            if isinstance(value, dict) and isinstance(base.get(key), dict)
            else value
        )
        for key, value in both.items()
    }


def typed(value):
    """Return a value with numbers and truth values as such: nested ones of the command line arrive as text."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    if value in ("true", "false", "True", "False"):
        return value.lower() == "true"
    for number in (int, float):
        try:
            return number(value) if isinstance(value, str) else value
        except ValueError:
            continue
    return value


def check_batches(sample, source):
    """Refuse batches that the calibration pictures do not fill, which no schema can say."""
    if "calibration" not in sample:
        return
    split = sample["calibration"]["split"]
    pictures = sample["splits"][split]
    size = sample["calibration"]["batch_size"]
    if pictures % size:
        raise WorkflowError(
            f"{source}: calibration.batch_size: {pictures} pictures (splits.{split}) do not fill batches of {size}"
        )


def check_inference_batch(sample, source):
    """Refuse more sentences at once than the engines are built for."""
    batch = sample.get("inference", {}).get("batch", 0)
    most = sample["max_batch_size"]
    if batch > most:
        raise WorkflowError(
            f"{source}: inference.batch: {batch} sentences exceed max_batch_size, {most}"
        )


def set_limits(sample, source):
    """Lay the limits of `limits` over those of the gates of these names."""
    gates = {gate["name"]: gate for gate in sample["gates"]}
    for name, limit in sample.pop("limits", {}).items():
        if name not in gates:
            raise WorkflowError(
                f"{source}: limits: no gate {name!r}. Known: {', '.join(gates)}."
            )
        gates[name]["limit"] = limit


def check_owners(samples):
    """Refuse a model of a sample that is not there, trains none itself, or trains another network."""
    for name, sample in samples.items():
        owner = sample["model"].get("trained_by")
        if owner is None:
            continue
        model = samples[owner]["model"] if owner in samples else {}
        if "trained_by" in model or model.get("network") != sample["model"]["network"]:
            raise WorkflowError(
                f"samples.{name}: model.trained_by: sample {owner!r} trains no {sample['model']['network']}"
            )


def check_artefacts(samples):
    """Refuse published files that config/downloads.yaml does not know, and samples to fetch that are not there."""
    for name, sample in samples.items():
        for item in sample.get("artefacts", []):
            known = DOWNLOADS.get(item["file"])
            if known is None:
                raise WorkflowError(
                    f"samples.{name}: artefacts: config/downloads.yaml has no {item['file']!r}"
                )
            if "member" in item and "unpacked" not in known:
                raise WorkflowError(
                    f"samples.{name}: artefacts: {item['file']!r} has no unpacked in config/downloads.yaml"
                )
    for name in config["fetch"]:
        if "artefacts" not in samples.get(name, {}):
            known = ", ".join(
                other for other in samples if "artefacts" in samples[other]
            )
            raise WorkflowError(
                f"fetch: {name!r} has no published files. Known: {known}."
            )


def check_page(samples):
    """Refuse samples of the page that are not there, and a comparison of anything but two runs."""
    for name in config["page"]:
        if name not in samples:
            raise WorkflowError(
                f"page: unknown sample {name!r}. Known: {', '.join(samples)}."
            )
    for folder in config["compare"].values():
        if not glob.glob(os.path.join(folder, "*_report.json")):
            raise WorkflowError(
                f"compare: no *_report.json in {folder!r}. Name the folder of a run, such as docs/results/cpu."
            )


def find_own_samples():
    """Return the files in the folder `own_samples` that describe no chapter of the guide, by their names."""
    found = {}
    for path in sorted(glob.glob(os.path.join(config["own_samples"], "*.yaml"))):
        name = os.path.basename(path).removesuffix(".yaml")
        try:
            values = read_yaml(path)
        except yaml.YAMLError as error:
            raise WorkflowError(f"{path}: not YAML: {error}") from error
        if not isinstance(values, dict) or "chapter" not in values:
            if name in SOURCES["samples"]:
                raise WorkflowError(
                    f"{path}: {name} is a sample of the guide's. Rename it."
                )
            found[name] = path
    return found


def load_own_sample(name):
    """Read a sample of the user's own, in the form that the rules take all others in."""
    own = merged(
        read_yaml(OWN_FILES[name]) or {}, typed(config["samples"].get(name, {}))
    )
    schema = workflow.source_path("../config/schema/own.schema.json")
    check_config(own, schema, OWN_FILES[name])
    if own["name"] != name:
        raise WorkflowError(f"{OWN_FILES[name]}: name: {own['name']!r} is not {name!r}")
    calibration = own.get("calibration")
    count = calibration["batch_size"] * calibration.pop("batches") if calibration else 0
    steps = {"split": "calibration", "batches": "made"}
    return {
        **{key: own[key] for key in ("name", "title", "precisions", "gates")},
        **{"chapter": 0, "upstream": "own", "task": "own", "source": "own"},
        "data": ["mini", "full"],
        "splits": {"calibration": count},
        "model": {"framework": "own"},
        **({"calibration": {**calibration, **steps}} if calibration else {}),
        "max_batch_size": own["max_batch_size"],
        "profile_batch_size": 1,
        "own": {key: own[key] for key in ("model", "data")},
    }


def load_samples():
    """Read config/samples/*.yaml, and the user's own, with the changes from `samples:`."""
    schema = workflow.source_path("../config/schema/sample.schema.json")
    for name in config["samples"]:
        if name not in [*SOURCES["samples"], *OWN_FILES]:
            known = ", ".join([*SOURCES["samples"], *OWN_FILES])
            raise WorkflowError(f"samples.{name}: unknown sample. Known: {known}.")
    samples = {}
    for name in SOURCES["samples"]:
        sample = read_yaml(workflow.source_path(f"../config/samples/{name}.yaml"))
        if "data_set" in sample:
            shared = DATA_SETS[sample["data_set"]]
            artefacts = [*shared["artefacts"], *sample.get("artefacts", [])]
            sample = merged(merged(shared, sample), {"artefacts": artefacts})
        changes = typed(config["samples"].get(name, {}))
        source = f"samples.{name}" if changes else f"config/samples/{name}.yaml"
        if config["data"] == "full":
            sample = merged(sample, sample.get("full", {}))
        samples[name] = merged(sample, changes)
        check_config(samples[name], schema, source)
        set_limits(samples[name], source)
        check_batches(samples[name], source)
        check_inference_batch(samples[name], source)
    check_owners(samples)
    check_artefacts(samples)
    samples |= {name: load_own_sample(name) for name in OWN_FILES}
    check_page(samples)
    return samples


# Given again, for a module's own configuration replaces what `configfile` loaded.
config.update(merged(read_yaml(workflow.source_path("../config/config.yaml")), config))
config["builder"] = typed(config.get("builder", {}))
check_config(
    config,
    workflow.source_path("../config/schema/config.schema.json"),
    "configuration",
)
OWN_FILES = find_own_samples()
DOWNLOADS_FILE = workflow.source_path("../config/downloads.yaml")
DOWNLOADS = read_yaml(DOWNLOADS_FILE)
validate(DOWNLOADS, workflow.source_path("../config/schema/downloads.schema.json"))
DATA_SETS = {"mnist": read_yaml(workflow.source_path("../config/data_sets/mnist.yaml"))}
SAMPLES = load_samples()


wildcard_constraints:
    sample="[a-z][a-z0-9_]*",
    precision="fp32|fp16|int8",


def sample_config(name):
    """Return a sample's configuration; a wrong name is an error before anything runs."""
    if name not in SAMPLES:
        raise WorkflowError(
            f"unknown sample {name!r}. Known: {', '.join(SAMPLES)} (`snakemake list`)."
        )
    sample = SAMPLES[name]
    if config["data"] not in sample["data"]:
        known = ", ".join(sample["data"])
        raise WorkflowError(
            f"sample {name!r} has no data set {config['data']!r}, only {known}. Set data in config/config.yaml."
        )
    return sample


def setting(*keys):
    """Return a params function: one leaf of the sample's configuration."""

    def leaf(wildcards):
        value = sample_config(wildcards.sample)
        for key in keys:
            value = value[key]
        return value

    return leaf


def folder_of(name, up=1):
    """Return a params function: the folder that lies `up` levels above the first file of an input or output."""

    def folder(wildcards, input, output):
        files = getattr(input, name, None) or getattr(output, name)
        path = files if isinstance(files, str) else files[0]
        for _ in range(up):
            path = os.path.dirname(path)
        return path

    return folder


def options(settings):
    """Return settings as command-line options: {batch_size: 8} is --batch-size 8."""
    return [f"--{key.replace('_', '-')} {value}" for key, value in settings.items()]


def digit_network(sample):
    """Return the options that say which digit network to train, and on which form of the digits."""
    model = SAMPLES[sample]["model"]
    mean = ["--mean"] if model.get("mean") else []
    keys = ("network", "pixels", "scale")
    return [*options({key: model[key] for key in keys if key in model}), *mean]


def picture_network(sample):
    """Return the options that say which network of pictures to train, how wide, and on which form of them."""
    model = SAMPLES[sample]["model"]
    return options({key: model[key] for key in ("network", "width", "size", "pixels")})


def scene_shape(sample):
    """Return the option with height and width of a detector's scenes, where they are not those of all others."""
    shape = SAMPLES[sample]["splits"].get("shape")
    return f"--shape {shape[0]} {shape[1]}" if shape else ""


def imported_files(sample):
    """Return what a published Caffe model of a detector becomes: PyTorch's checkpoint first."""
    faster = sample in FASTER_RCNNS
    model = f"results/{sample}/model/{'network' if faster else 'ssd'}.pt"
    stock = "test" if faster else "deploy"
    return [
        model,
        f"results/{sample}/export/{stock}.prototxt",
        *exports_of(sample),
    ]


def imported_network(sample):
    """Return the options that say which network a published Caffe model has."""
    model = SAMPLES[sample]["model"]
    scales = " ".join(map(str, model.get("anchor_scales", [])))
    given = options({key: model[key] for key in ("network", "width")})
    return [
        *given,
        scene_shape(sample),
        objects_of(sample),
        *([f"--anchor-scales {scales}"] if scales else []),
    ]


VOC_TARS = {
    "calibration": "results/downloads/voc/VOCtrainval_06-Nov-2007.tar",
    "val": "results/downloads/voc/VOCtest_06-Nov-2007.tar",
}


def objects_of(sample):
    """Return the option that says what a detector looks for."""
    if sample not in VOC:
        return ""
    return f"--objects {SAMPLES[sample]['splits'].get('objects', 'voc')}"


def objects_of_job(wildcards):
    """Return `objects_of` the sample of a job."""
    return objects_of(wildcards.sample)


def in_full(mini, full):
    """Return what a step needs, which with data: full has larger networks and more pictures."""
    return full if config["data"] == "full" else mini


def script(name):
    """Return the path of a script, wherever the workflow was imported from."""
    return workflow.source_path(f"../scripts/{name}.py")


def library(name, sample=None):
    """Return the modules that a script imports, and those of the sample it loads, so that an edit reruns the rule."""
    own = {name: SOURCES["own"]["own"] for name in OWN_FILES}
    modules = [
        *SOURCES["scripts"][name],
        *((SOURCES["samples"] | own)[sample] if sample else []),
    ]
    return [
        SOURCE_FILES[module] for module in ["scripts/_path.py", *dict.fromkeys(modules)]
    ]


def sample_library(name):
    """Return an input function: the modules of a script that loads the sample of the job."""

    def modules(wildcards):
        sample_config(wildcards.sample)
        return library(name, wildcards.sample)

    return modules


def timing_library(name):
    """Return an input function: the modules of a script that loads the sample of the job where it times with inputs."""

    def modules(wildcards):
        faster = wildcards.sample in FASTER_RCNNS
        return library(name, wildcards.sample if faster else None)

    return modules


def samples_with(**wanted):
    """Return the names of the samples whose configuration has these values; model_… looks below model."""

    def value(sample, key):
        part, _, leaf = key.partition("_")
        return sample[part].get(leaf) if leaf else sample.get(part)

    return [
        name
        for name, sample in SAMPLES.items()
        if all(value(sample, key) == wanted[key] for key in wanted)
    ]


def one_of(names):
    """Return a wildcard constraint: one of these names, or nothing at all."""
    return "|".join(names) or "(?!)"


DETECTORS, CLASSIFIERS = (
    samples_with(task="detection"),
    samples_with(task="classification"),
)
VOC = [name for name in DETECTORS if SAMPLES[name]["splits"].get("source") == "voc"]
PICTURED = [  # detectors that chapter 23's picture is published for
    name
    for name in VOC
    for item in SAMPLES[name].get("artefacts", [])
    if item.get("path") == "artefacts/dog.jpg"
]
SSDS = [
    *samples_with(task="detection", model_network="vgg16"),
    *samples_with(task="detection", model_network="inception_v2"),
]
TRAINED_SSDS = [name for name in SSDS if "trained_by" not in SAMPLES[name]["model"]]
FROZEN_DETECTORS = samples_with(task="detection", model_network="inception_v2")
FASTER_RCNNS = samples_with(task="detection", model_network="faster_rcnn")
# classifiers of coloured pictures; those of digits are all others
PICTURES = [
    *samples_with(model_network="googlenet"),
    *samples_with(model_network="resnet50"),
]
DIGITS = [name for name in CLASSIFIERS if name not in PICTURES]
IMPORTED_DETECTORS = [  # from a published Caffe model
    name
    for name in samples_with(task="detection", source="caffe")
    if SAMPLES[name]["model"].get("weights") == "published"
]
PUBLISHED_FILES = [  # whose model is read as it was published
    name
    for name in [*FROZEN_DETECTORS, *samples_with(source="darknet")]
    if SAMPLES[name]["model"].get("weights") == "published"
]
TEXTS = samples_with(task="generation")
TRANSLATORS = samples_with(task="translation")
RECOMMENDERS = samples_with(task="recommendation")
PUBLISHED = samples_with(model_weights="published")
OWN = list(OWN_FILES)
UNTRAINED = [*PUBLISHED, *OWN] + (TRANSLATORS if config["data"] == "full" else [])
TRAINED_DIGITS = [name for name in DIGITS if name not in UNTRAINED]
DIGITS_IN_PYTORCH = [
    name for name in TRAINED_DIGITS if name in samples_with(model_framework="pytorch")
]
TRAINED_PICTURES = [name for name in PICTURES if name not in UNTRAINED]
PUBLISHED_PICTURES = [name for name in PICTURES if name in UNTRAINED]
IMPORTED_PICTURES = [  # from a published Caffe model, for all forms to be written of it
    name for name in PUBLISHED_PICTURES if "programs" in SAMPLES[name]
]
PUBLISHED_CLASSIFIERS = [
    name for name in CLASSIFIERS if name in UNTRAINED and name not in IMPORTED_PICTURES
]
TRAINED_TEXTS = [name for name in TEXTS if name not in UNTRAINED]
TRAINED_RECOMMENDERS = [name for name in RECOMMENDERS if name not in UNTRAINED]
SERVED = [name for name in SAMPLES if SAMPLES[name].get("serving")]
INT8_SAMPLES = [name for name in SAMPLES if "int8" in SAMPLES[name]["precisions"]]
RANGED = [  # INT8 from dynamic ranges, without a calibrator
    name
    for name in INT8_SAMPLES
    if SAMPLES[name]["calibration"]["algorithm"] == "ranges"
]
PROGRAMS = [name for name in SAMPLES if SAMPLES[name].get("programs")]
PLUGIN_SAMPLES = [name for name in SAMPLES if SAMPLES[name].get("plugins")]
REFITTED = samples_with(name="engine_refit_mnist")  # built with dummy weights first


def model_file(name):
    """Return an input function: a file of the sample's model, trained or published, or of the sample's whose it takes."""

    def file(wildcards):
        model = sample_config(wildcards.sample)["model"]
        owner = model.get("trained_by", wildcards.sample)
        folder = "artefacts" if owner in PUBLISHED_FILES else "model"
        return f"results/{owner}/{folder}/{name}"

    return file


def own_files(path):
    """Return a .npz file, or all files of a folder of the user's own."""
    if os.path.isdir(path):
        files = sorted(glob.glob(os.path.join(path, "**", "*"), recursive=True))
        return [file for file in files if os.path.isfile(file)]
    return [path]


def split_files(sample, split):
    """Return the files of a split: pictures with annotations in VOC's layout or a list of labels, or one of digits."""
    root = f"results/{sample}/data/{split}"
    if sample in OWN:
        return own_files(SAMPLES[sample]["own"]["data"][split])
    if sample in DIGITS:
        return [f"{root}.npz"]
    ids = [f"{index:06d}" for index in range(SAMPLES[sample]["splits"][split])]
    if sample in PICTURES:
        return [f"{root}.txt", *(f"{root}/{image}.jpg" for image in ids)]
    return [
        f"{root}/ImageSets/Main/{split}.txt",
        *(f"{root}/JPEGImages/{image}.jpg" for image in ids),
        *(f"{root}/Annotations/{image}.xml" for image in ids),
    ]


def held_out(wildcards):
    """Return the files of the split that is scored."""
    sample_config(wildcards.sample)
    return split_files(wildcards.sample, "val")


def data_folder(sample):
    """Return a params function: the folder that a split's reader takes, from the input `pictures`."""
    if sample in OWN:
        return own_data(sample)
    return folder_of("pictures", 1 if sample in CLASSIFIERS else 3)


def own_data(sample):
    """Return a params function: where the items lie that a job of a sample of the user's own takes."""
    data = SAMPLES[sample]["own"]["data"]

    def path(wildcards, input, output):
        calibrates = getattr(output, "batches", None)
        return shlex.quote(data["calibration" if calibrates else "val"])

    return path


def data_of_job(wildcards, input, output):
    """Return `data_folder` of the sample of a job."""
    return data_folder(wildcards.sample)(wildcards, input, output)


def batch_files(sample):
    """Return the INT8 batch files of a sample."""
    settings = SAMPLES[sample]["calibration"]
    count = SAMPLES[sample]["splits"][settings["split"]] // settings["batch_size"]
    return [f"results/{sample}/calibration/batches/batch{i}" for i in range(count)]


def per_precision(pattern):
    """Return an input function: one file a precision of the sample."""

    def files(wildcards):
        precisions = sample_config(wildcards.sample)["precisions"]
        return [
            pattern.format(sample=wildcards.sample, precision=p) for p in precisions
        ]

    return files


NMT_WEIGHTS = "encembed encrnn decembed decrnn decatt decmem decproj".split()
WEIGHT_FILES = [f"results/{{sample}}/export/{name}.bin" for name in NMT_WEIGHTS]
VOCABULARIES = [f"results/{{sample}}/export/vocab.{name}" for name in ("de", "en")]


def sentence_files(*splits):
    """Return the files of splits of a translator's data, German first."""
    return [
        f"results/{{sample}}/data/{split}.{language}"
        for split in splits
        for language in ("de", "en")
    ]


def inference_options(*names):
    """Return a params function: options of §11.3 as the sample has them."""

    def given(wildcards):
        settings = sample_config(wildcards.sample)["inference"]
        return options({name: settings[name] for name in names})

    return given


def aggregate_option(wildcards):
    """Return the option that adds up the layers of both engines in one profile, where the sample asks for it."""
    settings = sample_config(wildcards.sample)["inference"]
    return "--aggregate-profile" if settings["aggregate_profile"] else ""


def framework_translations(wildcards):
    """Return TensorFlow's own translations; the published weights come without a checkpoint."""
    trained = config["data"] == "mini"
    return f"results/{wildcards.sample}/model/translations.txt" if trained else []


def attention_to_draw(wildcards):
    """Return the attention of the sample's first precision."""
    return f"results/{wildcards.sample}/attention.{first_precision(wildcards)}.npz"


def artefact_files(sample):
    """Return the published files of a sample."""
    items = [item for item in SAMPLES[sample]["artefacts"] if "path" in item]
    return [f"results/{sample}/{item['path']}" for item in items]


EXPORTS = {
    "nmt": [
        *(f"{name}.bin" for name in NMT_WEIGHTS),
        *("vocab.de", "vocab.en", "inference.json"),
    ],
    "caffe": ["model.prototxt", "model.caffemodel", "SHA256SUMS"],
    "wts": ["model.wts", "SHA256SUMS"],
    "arrays": ["weights.npz", "SHA256SUMS"],
    "onnx": ["model.onnx", "SHA256SUMS"],
    "darknet": ["model.onnx", "yolov3.cfg", "SHA256SUMS"],
    "uff": ["model.uff"],
    "wts2": ["model.wts2"],
}
# what a model of the user's own becomes, by the end of its name
IMPORTS = {
    ".onnx": ["model.onnx"],
    ".uff": ["model.uff"],
    ".pb": ["model.uff"],
    ".caffemodel": ["model.caffemodel", "model.prototxt"],
    ".prototxt": ["model.caffemodel", "model.prototxt"],
}


def own_imports(sample):
    """Return what a model of the user's own is built from, the description first."""
    form = os.path.splitext(SAMPLES[sample]["own"]["model"]["file"])[1]
    names = ["sample.json", *IMPORTS[form], "SHA256SUMS"]
    return [f"results/{sample}/export/{name}" for name in names]


def own_model_files(sample):
    """Return the files that such a model is taken from."""
    own = SAMPLES[sample]["own"]
    file, form = own["model"]["file"], os.path.splitext(own["model"]["file"])[1]
    files = [file, own["data"]["classes"]]
    files += [
        own["model"][key] for key in ("deploy", "preprocessor") if key in own["model"]
    ]
    if form == ".prototxt":
        files.append(file.removesuffix(form) + ".caffemodel")
    if form == ".caffemodel" and "deploy" not in own["model"]:
        files.append(file.removesuffix(form) + ".prototxt")
    return files


def published_models(sample):
    """Return the published files that an engine is built from, as they are called in export."""
    return [name for name in EXPORTS[SAMPLES[sample]["source"]] if name != "SHA256SUMS"]


def taken_models(wildcards, input):
    """Return NAME=FILE arguments of those files."""
    return [f"{os.path.basename(path)}={path}" for path in input.models]


def exported_by_classifier(sample):
    """Return the files that scripts/export_classifier.py writes for a sample, and the forms it writes."""
    forms = [SAMPLES[sample]["source"], *SAMPLES[sample].get("programs", [])]
    forms = [form for form in forms if form != "uff"]
    names = [*(name for form in forms for name in EXPORTS[form]), "input.json"]
    return [f"results/{sample}/export/{name}" for name in dict.fromkeys(names)], forms


def pixels_option(sample):
    """Return the option with the form of the pictures, for samples that take several."""
    return (
        f"--pixels {SAMPLES[sample]['model']['pixels']}" if sample in PROGRAMS else ""
    )


def exports_of(sample):
    """Return what the engine of a sample is built from, with its checksums where there are any."""
    if sample in OWN:
        return own_imports(sample)
    if sample in PICTURES:
        uff = "uff" in SAMPLES[sample].get("programs", [])
        converted = [f"results/{sample}/export/model.uff"] if uff else []
        return [*exported_by_classifier(sample)[0], *converted]
    vocabulary = ["vocab.json"] if sample in TEXTS else []
    mean = ["mean.binaryproto"] if SAMPLES[sample]["model"].get("mean") else []
    sizes = ["sizes.json"] if sample in RECOMMENDERS else []
    shape = ["input.json"] if sample in FASTER_RCNNS else []
    names = [*EXPORTS[SAMPLES[sample]["source"]], *mean, *vocabulary, *sizes, *shape]
    return [f"results/{sample}/export/{name}" for name in names]


def preprocessor(wildcards):
    """Return the file that changes a sample's graph before it becomes UFF, where there is one."""
    name = sample_config(wildcards.sample)["model"].get("preprocessor")
    return workflow.source_path(f"../config/preprocessors/{name}") if name else []


def export_files(wildcards):
    """Return an input function's answer: `exports_of` the sample of a job."""
    sample_config(wildcards.sample)
    return exports_of(wildcards.sample)


def calibration_table(wildcards):
    """Return the table that an int8 engine needs."""
    if wildcards.precision != "int8":
        return []
    if wildcards.sample in RANGED:
        return f"results/{wildcards.sample}/calibration/ranges.txt"
    return f"results/{wildcards.sample}/calibration/CalibrationTable{wildcards.sample}"


def table_option(wildcards, input):
    """Return the option that names the table of a job, where it has one."""
    name = "ranges" if wildcards.sample in RANGED else "calibration-table"
    return f"--{name} {input.table}" if input.table else ""


def kept_layers(wildcards):
    """Return the list of layers that an int8 engine leaves in float32, where one is searched."""
    sample = sample_config(wildcards.sample)
    if wildcards.precision != "int8" or "mixed_precision" not in sample:
        return []
    if wildcards.sample not in RANGED:
        raise WorkflowError(
            f"samples.{wildcards.sample}: mixed_precision needs calibration.algorithm: ranges"
        )
    return f"results/{wildcards.sample}/calibration/kept_layers.txt"


def kept_option(wildcards, input):
    """Return the option that names that list, where there is one."""
    return f"--keep {input.kept}" if input.kept else ""


def dla_option(wildcards):
    """Return the option that names the DLA of a sample, where it has one."""
    sample = sample_config(wildcards.sample)
    return f"--dla-core {sample['dla_core']}" if "dla_core" in sample else ""


def recurrent_option(wildcards):
    """Return the option that says what the recurrent parts of a sample are made of, where it has such."""
    sample = sample_config(wildcards.sample)
    return f"--recurrent {sample['recurrent']}" if "recurrent" in sample else ""


def calibration_algorithm(wildcards):
    """Return the option that names the algorithm of the table, where there is one."""
    calibration = sample_config(wildcards.sample).get("calibration")
    if calibration is None or wildcards.sample in RANGED:
        return ""
    return f"--algorithm {calibration['algorithm']}"


def random_batch(wildcards):
    """Return the options of a batch that is scored on its own, where there is one."""
    batch = sample_config(wildcards.sample).get("random_batch")
    return f"--random-batch {batch['size']} --seed {batch['seed']}" if batch else ""


def drawn_pictures(sample):
    """Return the annotated pictures of a detector, as pictures for people and as the guide has them."""
    count = min(SAMPLES[sample]["figures"]["count"], SAMPLES[sample]["splits"]["val"])
    return [
        f"results/{sample}/figures/{index:06d}.{kind}"
        for index in range(count)
        for kind in ("png", "ppm")
    ]


def timed_inputs(wildcards):
    """Return the inputs to time an engine with, where the time depends on them: suppression ends when it has enough."""
    faster = wildcards.sample in FASTER_RCNNS
    return f"results/{wildcards.sample}/inputs.npz" if faster else []


def timed_inputs_option(wildcards, input):
    """Return the options that name those inputs and the sample that knows what they are."""
    return (
        f"--sample {wildcards.sample} --inputs {input.values}" if input.values else ""
    )


def first_precision(wildcards):
    """Return the sample's highest precision."""
    return sample_config(wildcards.sample)["precisions"][0]


def last_predictions(wildcards):
    """Return the predictions of the sample's lowest precision."""
    precision = sample_config(wildcards.sample)["precisions"][-1]
    return f"results/{wildcards.sample}/predictions.{precision}.npz"


def figures(wildcards):
    """Return the pictures that a report names."""
    return figures_of(wildcards.sample)


def figures_of(sample):
    """Return the pictures that the report of a sample names, the one that it is known by first."""
    first = {
        **dict.fromkeys(DETECTORS, "contact"),
        **dict.fromkeys(TEXTS, "generated"),
        **dict.fromkeys(TRANSLATORS, "translation"),
        **dict.fromkeys(RECOMMENDERS, "ranking"),
        **dict.fromkeys(PICTURES, "pictures"),
        **dict.fromkeys(OWN, "confusion"),
    }
    names = [first.get(sample, "digits"), "precisions", "profile"]
    names += ["dog_bboxes"] if sample in PICTURED else []
    names += [] if sample in UNTRAINED else ["training"]
    names += ["serving"] if sample in SERVED else []
    return [f"results/{sample}/figures/{name}.png" for name in names]


def texts(wildcards):
    """Return the texts that a report holds: the answers as the guide prints them, and the layers."""
    folder = f"results/{wildcards.sample}"
    first = {
        **dict.fromkeys(FASTER_RCNNS, ["profile"]),
        **dict.fromkeys(DIGITS, ["digits"]),
        **dict.fromkeys([*PICTURES, *OWN], ["top5", "profile"]),
        **dict.fromkeys(TEXTS, ["generated"]),
        **dict.fromkeys(TRANSLATORS, ["translation"]),
        **dict.fromkeys(RECOMMENDERS, ["recommendations"]),
    }
    names = first.get(wildcards.sample, [])
    names = ["serving", *names] if wildcards.sample in SERVED else names
    drawn = [f"{folder}/figures/{name}.txt" for name in names]
    drawn += [f"{folder}/tensors.txt"] if wildcards.sample in RANGED else []
    return [*drawn, f"{folder}/layers.{first_precision(wildcards)}.txt"]


def timed_batches(wildcards):
    """Return the batch sizes to time: one, and the largest where the engine has a larger one."""
    sample = sample_config(wildcards.sample)
    return sorted({1, sample["max_batch_size"]})


def metric_of(wildcards):
    """Return the metric that a sample's precisions are plotted by."""
    metrics = {
        **dict.fromkeys(DETECTORS, "map"),
        **dict.fromkeys(TEXTS, "perplexity"),
        **dict.fromkeys(TRANSLATORS, "bleu"),
        **dict.fromkeys(RECOMMENDERS, "hr10"),
    }
    return metrics.get(wildcards.sample, "top1")


def artefact(path):
    """Return an input function: a published file of the sample with data: full, otherwise nothing."""

    def file(wildcards):
        full = config["data"] == "full"
        return f"results/{wildcards.sample}/artefacts/{path}" if full else []

    return file


def download_options(wildcards, input):
    """Return where and how long to try; as it takes the input, a change is no reason to download again."""
    mirror = f"--mirror {shlex.quote(config['mirror'])}" if config["mirror"] else ""
    return f"{mirror} --attempts {config['download_attempts']} --timeout {config['download_timeout']}"


def pinned(wildcards):
    """Return the checksums of a published file: where they change, it is another file."""
    entry = DOWNLOADS[wildcards.file]
    return [entry[name] for name in ("sha256", "sha1", "md5") if name in entry]


def most_unpacked(wildcards):
    """Return the options that say how much an archive may hold."""
    limits = DOWNLOADS[wildcards.file]["unpacked"]
    return options({f"max_{name}": limits[name] for name in ("bytes", "files")})


def source_of(item):
    """Return what a published file is copied from: its download, or the folder of its archive."""
    folder = "unpacked" if "member" in item else "downloads"
    return f"results/{folder}/{item['file']}"


def member_options(item):
    """Return the options that name a file of an archive."""
    return [
        f"--{key} {shlex.quote(item[key])}" for key in ("member", "md5") if key in item
    ]


def size_of(file):
    """Return how large a published file is, as people read it."""
    entry = DOWNLOADS[file]
    if "size" in entry:
        return f"{entry['size'] / 1e6:.1f} MB"
    return f"~{entry['about_mb']} MB" if "about_mb" in entry else "not known"


def download_of(file):
    """Return where a published file is downloaded to, seen from the folder of the run: a module has a prefix."""
    return str(rules.fetch_artefact.output[0]).replace("{file}", file)


def is_left_out(file):
    """Return whether only a mirror can have a file, and neither a folder `mirror` has it nor an earlier run took it."""
    places = [download_of(file)]
    # an address is never one of these: whether it has the file is known too late
    if config["mirror"]:
        places.append(os.path.join(config["mirror"], file))
    return not DOWNLOADS[file]["urls"] and not any(map(os.path.exists, places))


def wanted_artefacts(name):
    """Return the published files that a run of a sample with data: full asks for."""
    sample = SAMPLES[name]
    # as `fetch` may come before data is set to full
    places = (sample, sample.get("full", {}), config["samples"].get(name, {}))
    weights = [
        place["model"]["weights"]
        for place in places
        if "weights" in place.get("model", {})
    ]
    return [
        item
        for item in sample.get("artefacts", [])
        if "weights" not in item or item["weights"] in weights[-1:]
    ]


def users_of_files():
    """Return the published files of the samples of `fetch`, each with the names of these samples."""
    users = {}
    for name in config["fetch"] or SAMPLES:
        for item in wanted_artefacts(name):
            users.setdefault(item["file"], {})[name] = None
    return users


def name_left_out():
    """Print the files that `fetch` leaves out, how to come by them, and which samples do not run without."""
    users = users_of_files()
    files = [file for file in users if is_left_out(file)]
    for file in files:
        print(f"only from a mirror: {file}: {DOWNLOADS[file]['made']}", file=sys.stderr)
    if files:
        names = ", ".join(dict.fromkeys(name for file in files for name in users[file]))
        print(
            f"left out, and needed with data: full by: {names}. Put them under these names into a folder, and set mirror to it.",
            file=sys.stderr,
        )


def name_left_out_at_end():
    """Print them again after a run of `fetch`: its list has scrolled away by now."""
    quiet = Quietness.ALL in (workflow.output_settings.quiet or ())
    if not quiet and any(job.rule.name == "fetch" for job in workflow.dag.jobs):
        name_left_out()


def files_to_fetch(wildcards):
    """Return the downloads of the samples of `fetch`, and print what they are: sizes come before anything else."""
    files = list(users_of_files())
    wanted = [file for file in files if not is_left_out(file)]
    missing = [file for file in wanted if not os.path.exists(download_of(file))]
    for file in files:
        state = "" if file in missing else "there" if file in wanted else "left out"
        licence = DOWNLOADS[file]["licence"]
        print(
            f"{size_of(file):>10}  {file:<48} {state:<8} {licence}",
            file=sys.stderr,
        )
    known = sum(
        DOWNLOADS[file].get("size", DOWNLOADS[file].get("about_mb", 0) * 1e6)
        for file in missing
    )
    print(
        f"{len(missing)} of {len(wanted)} files to download, {known / 1e6:.1f} MB and what is not known",
        file=sys.stderr,
    )
    name_left_out()
    return [f"results/downloads/{file}" for file in wanted]


def optional(option, name):
    """Return a params function: an option with the file of an input, where there is one."""

    def given(wildcards, input):
        return f"{option} {input[name]}" if input.get(name) else ""

    return given


def published_digits(wildcards, input):
    """Return the options that name MNIST's files, where digits are not made."""
    names = ("images", "labels", "val_images", "val_labels")
    return options({name: input[name] for name in names if input.get(name)})


def checkpoint_files(wildcards):
    """Return the files of the TensorFlow checkpoint of a sample, trained or published."""
    folder = "artefacts" if wildcards.sample in UNTRAINED else "model"
    prefix = f"results/{wildcards.sample}/{folder}/network"
    return [f"{prefix}.index", f"{prefix}.data-00000-of-00001"]


def checkpoint_prefix(wildcards, input):
    """Return what the names of those files begin with."""
    return input.checkpoint[0].removesuffix(".index")


def choices_file(wildcards):
    """Return the movies that users of a recommender choose from, made or published."""
    folder = "artefacts" if wildcards.sample in UNTRAINED else "data"
    return f"results/{wildcards.sample}/{folder}/test.negative"


def frozen_inputs(wildcards):
    """Return the options that name the inputs of a frozen graph."""
    names = sample_config(wildcards.sample)["model"]["input"]
    return [
        f"--input {name}" for name in ([names] if isinstance(names, str) else names)
    ]


def published_movies(wildcards):
    """Return the option with the movies that are known to be the best of the first users, where some are."""
    known = sample_config(wildcards.sample).get("published", [])
    return ["--published", *known] if known else []


def serving_options(wildcards):
    """Return the options of how many processes ask the engine at once."""
    settings = dict(SAMPLES[wildcards.sample]["serving"])
    counts, exclusive = settings.pop("processes"), settings.pop("exclusive")
    flag = ["--exclusive"] if exclusive else []
    return [f"--processes {' '.join(map(str, counts))}", *options(settings), *flag]


def measurements(wildcards):
    """Return what a sample that several processes asked has of it."""
    if wildcards.sample not in SERVED:
        return []
    return f"results/{wildcards.sample}/serving.{wildcards.precision}.json"


def first_measurements(wildcards):
    """Return what several processes reached with the sample's first precision."""
    return f"results/{wildcards.sample}/serving.{first_precision(wildcards)}.json"


def published_texts(wildcards):
    """Return the option with what is known to follow each seed, where something is."""
    known = SAMPLES[wildcards.sample]["generation"].get("published", [])
    return ["--published", *known] if known else []


def named_by_precision(files):
    """Return PRECISION=FILE arguments of files such as engine.fp32.plan."""
    return [f"{path.split('.')[-2]}={path}" for path in files]


def compared(wildcards):
    """Return what engines of other precisions and of other forms of a model say beside the first."""
    sample, folder = wildcards.sample, f"results/{wildcards.sample}"
    several = sample in PICTURES and len(SAMPLES[sample]["precisions"]) > 1
    top5 = [f"{folder}/top5.json"] if several else []
    return [*top5, *([f"{folder}/programs.json"] if sample in PROGRAMS else [])]


def of_other_precisions(wildcards):
    """Return the predictions of all precisions but the first."""
    precisions = sample_config(wildcards.sample)["precisions"][1:]
    return [
        f"results/{wildcards.sample}/predictions.{precision}.npz"
        for precision in precisions
    ]


def of_other_programs(wildcards):
    """Return the predictions of the other forms of a sample's model."""
    programs = sample_config(wildcards.sample)["programs"]
    return [
        f"results/{wildcards.sample}/{program}/predictions.npz" for program in programs
    ]


def before_refit(wildcards):
    """Return what a refitted engine's scores were before, where it is one."""
    if wildcards.sample not in REFITTED:
        return []
    return per_precision("results/{sample}/before_refit.{precision}.json")(wildcards)


def engine_python():
    """Return the Python that has TensorRT, from the workflow's own folder where the configuration means one there."""
    own = os.path.join(workflow.basedir, config["engine_python"])
    return own if os.path.exists(own) else config["engine_python"]


def gpus():
    """Return how many GPUs a step with an engine takes; where the backend cannot be TensorRT, it does not ask at all."""
    possible = config["backend"] == "tensorrt" or (
        config["backend"] == "auto" and shutil.which(engine_python()) is not None
    )
    return 1 if possible else None


def builder_options():
    """Return the command-line options of config/config.yaml's builder settings."""
    settings = dict(config["builder"])
    tf32, cache = settings.pop("tf32"), settings.pop("timing_cache")
    given = [*options(settings), *(["--tf32"] if tf32 else [])]
    return [*given, *([f"--timing-cache {shlex.quote(cache)}"] if cache else [])]


def compiled_plugins(wildcards):
    """Return the compiled plugins that an engine needs: none on the reference runtime, which has them in Python."""
    if wildcards.sample not in PLUGIN_SAMPLES or config["backend"] == "reference":
        return []
    if config["backend"] == "auto":
        backend = checkpoints.record_backend.get().output[0]
        if read_yaml(backend)["name"] == "reference":
            return []
    return "results/plugins/plugins.json"


def page_samples():
    """Return the samples of the page: those of `page` in the configuration, or all."""
    return config["page"] or list(SAMPLES)


def own_calibration(wildcards):
    """Return the tables or ranges that a sample's page shows."""
    found = SimpleNamespace(sample=wildcards.sample, precision="int8")
    wanted = "int8" in sample_config(wildcards.sample)["precisions"]
    return calibration_table(found) if wanted else []


def compared_reports(wildcards):
    """Return the reports of the two runs of `compare` in the configuration."""
    if len(config["compare"]) != 2:
        raise WorkflowError(
            "compare: name two runs and their folders: --config 'compare={CPU: docs/results/cpu, H200: docs/results/h200}'"
        )
    return [
        path
        for folder in config["compare"].values()
        for path in sorted(glob.glob(os.path.join(folder, "*_report.json")))
    ]


def comparison(wildcards):
    """Return the page of two runs, where two are named."""
    return "results/comparison.html" if config["compare"] else []


def comparison_option(wildcards):
    """Return the option that names that page, seen from the page of all samples."""
    return "--comparison comparison.html" if config["compare"] else ""


def listed_samples(wildcards):
    """Return as JSON what `list` tells of each sample, with the configuration laid over it."""
    keys = ("name", "chapter", "title", "model", "needs", "plugins", "serving")
    samples = []
    for name, sample in SAMPLES.items():
        told = {key: sample[key] for key in keys if key in sample}
        files = dict.fromkeys(item["file"] for item in sample.get("artefacts", []))
        told["artefacts"] = [{"file": file} for file in files]
        if name in OWN:
            told |= {"model": sample["own"]["model"]}
            del told["chapter"]
        samples.append(json.dumps(told))
    return samples


REPORT = "_report.json"


def folder_of_reports(wildcards):
    """Return the folder of all reports, which in a module lies below its prefix."""
    return os.path.dirname(rules.write_report.output[0])


def started_from():
    """Return the terminal that the run was started from and may tell its progress to, or nothing."""
    if workflow.output_settings.quiet or not sys.stderr.isatty():
        return ""
    try:
        return os.ttyname(sys.stderr.fileno())
    except OSError:  # a container may have a terminal without its device
        return ""


# jobs inherit it (trtflow/progress.py)
os.environ.update(TRTFLOW_TERMINAL=started_from())


def show_gates():
    """Print the gates of the reports that a run was asked for, if `check` has not printed them."""
    if Quietness.ALL in (workflow.output_settings.quiet or ()):
        return
    jobs = list(workflow.dag.jobs)
    names = {path for job in jobs for path in job.output if path.endswith(REPORT)}
    reports = [f"results/{name}{REPORT}" for name in SAMPLES]
    reports = [path for path in reports if path in names]
    if reports and not any(job.rule.name == "check" for job in jobs):
        program = script("check_reports")
        # a courtesy: what stands in its way, as a Python without rich, is no fault of the run
        shell("python {program:q} {reports} --closing 2> logs/show_gates.log || true")


def name_logs():
    """Name the logs of the jobs that failed, with the last line of each: all else has scrolled away by now."""
    failed = sorted(workflow.scheduler.failed, key=str)
    jobs = [part for job in failed for part in (job.jobs if job.is_group() else [job])]
    for job in jobs:
        of = f" of {job.wildcards.sample}" if "sample" in job.wildcards.keys() else ""
        for path in job.log:
            print(
                f"failed: {job.rule.name}{of}, see {path}: {last_line(path)}",
                file=sys.stderr,
            )


def last_line(path):
    """Return the last line of a log that says something."""
    try:
        with open(path, errors="replace") as file:
            lines = [line.strip() for line in file if line.strip()]
    except OSError:
        return "it is not there"
    return lines[-1] if lines else "it is empty"
