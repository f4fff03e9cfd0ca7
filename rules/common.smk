"""Configuration and the helpers that rules share. Nothing here imports more than yaml and jsonschema."""

import yaml
from snakemake.exceptions import WorkflowError

ENVIRONMENT = "../environment.yml"  # with --sdm conda; otherwise what is installed


def read_yaml(path):
    """Return the content of a YAML or JSON file."""
    with open(path) as file:
        return yaml.safe_load(file)


SOURCES = read_yaml(workflow.source_path("sources.yaml"))


def fault(error):
    """Return what is wrong and what is allowed, of an error of jsonschema."""
    if error.validator != "additionalProperties":
        return error.message
    known = error.schema["properties"]
    unknown = [key for key in error.instance if key not in known]
    return f"unknown key {', '.join(unknown)}. Known: {', '.join(known)}."


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
    """Return a value with its numbers as numbers: nested ones of the command line arrive as text."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    for number in (int, float):
        try:
            return number(value) if isinstance(value, str) else value
        except ValueError:
            continue
    return value


def check_batches(sample, source):
    """Refuse batches that the calibration pictures do not fill, which no schema can say."""
    pictures = sample["splits"]["calibration"]
    size = sample["calibration"]["batch_size"]
    if pictures % size:
        raise WorkflowError(
            f"{source}: calibration.batch_size: {pictures} pictures (splits.calibration) do not fill batches of {size}"
        )


def load_samples():
    """Read config/samples/*.yaml with the changes from `samples:`."""
    schema = workflow.source_path("../config/schema/sample.schema.json")
    for name in config["samples"]:
        if name not in SOURCES["samples"]:
            known = ", ".join(SOURCES["samples"])
            raise WorkflowError(f"samples.{name}: unknown sample. Known: {known}.")
    samples = {}
    for name in SOURCES["samples"]:
        sample = read_yaml(workflow.source_path(f"../config/samples/{name}.yaml"))
        changes = typed(config["samples"].get(name, {}))
        source = f"samples.{name}" if changes else f"config/samples/{name}.yaml"
        samples[name] = merged(sample, changes)
        check_config(samples[name], schema, source)
        check_batches(samples[name], source)
    return samples


check_config(
    config,
    workflow.source_path("../config/schema/config.schema.json"),
    "configuration",
)
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


def script(name):
    """Return the path of a script, wherever the workflow was imported from."""
    return workflow.source_path(f"../scripts/{name}.py")


def library(name, sample=None):
    """Return the modules that a script imports, and those of the sample it loads, so that an edit reruns the rule."""
    modules = [
        *SOURCES["scripts"][name],
        *(SOURCES["samples"][sample] if sample else []),
    ]
    return [
        workflow.source_path(f"../{module}")
        for module in ["scripts/_path.py", *dict.fromkeys(modules)]
    ]


def sample_library(name):
    """Return an input function: the modules of a script that loads the sample of the job."""

    def modules(wildcards):
        sample_config(wildcards.sample)
        return library(name, wildcards.sample)

    return modules


def picture_files(sample, split):
    """Return the list of the pictures of a split, the pictures and their annotations."""
    root = f"results/{sample}/data/{split}"
    ids = [f"{index:06d}" for index in range(SAMPLES[sample]["splits"][split])]
    return [
        f"{root}/ImageSets/Main/{split}.txt",
        *(f"{root}/JPEGImages/{image}.jpg" for image in ids),
        *(f"{root}/Annotations/{image}.xml" for image in ids),
    ]


def pictures(split):
    """Return an input function for `picture_files`."""

    def files(wildcards):
        sample_config(wildcards.sample)
        return picture_files(wildcards.sample, split)

    return files


def batch_files(sample):
    """Return the INT8 batch files of a sample."""
    settings = SAMPLES[sample]
    count = settings["splits"]["calibration"] // settings["calibration"]["batch_size"]
    return [f"results/{sample}/calibration/batches/batch{i}" for i in range(count)]


def per_precision(pattern):
    """Return an input function: one file a precision of the sample."""

    def files(wildcards):
        precisions = sample_config(wildcards.sample)["precisions"]
        return [
            pattern.format(sample=wildcards.sample, precision=p) for p in precisions
        ]

    return files


def export_files(wildcards):
    """Return what the engine of a sample is built from, with its checksums."""
    names = {"caffe": ["model.prototxt", "model.caffemodel"]}
    source = sample_config(wildcards.sample)["source"]
    return [
        f"results/{wildcards.sample}/export/{name}"
        for name in [*names[source], "SHA256SUMS"]
    ]


def calibration_table(wildcards):
    """Return the table that an int8 engine needs."""
    if wildcards.precision != "int8":
        return []
    return f"results/{wildcards.sample}/calibration/CalibrationTable{wildcards.sample}"


def drawn_pictures(sample):
    """Return the annotated pictures of a sample, as pictures for people and as the guide has them."""
    count = min(SAMPLES[sample]["figures"]["count"], SAMPLES[sample]["splits"]["val"])
    return [
        f"results/{sample}/figures/{index:06d}.{kind}"
        for index in range(count)
        for kind in ("png", "ppm")
    ]
