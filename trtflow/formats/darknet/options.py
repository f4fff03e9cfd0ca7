"""The options of Darknet's sections: which say what a layer computes, and which are for the training alone.

An option is known in one of three ways. What a layer computes is read, with Darknet's default. What changes a layer in
a way that is not converted passes with its neutral value alone. What only the training, its log or its memory asks for
is passed over. Any other is an error that names it (github.com/AlexeyAB/darknet and github.com/pjreddie/darknet,
src/parser.c; YOLOv4-CSP's fork WongKinYiu/PyTorch_YOLOv4 calls swish silu).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from trtflow.formats.darknet.cfg import Section

ACTIVATIONS = (
    *("linear", "leaky", "relu", "logistic", "mish", "swish", "silu", "relu6", "ramp", "tanh", "elu", "selu", "gelu"),
    *("hard_mish", "hardtan", "relie", "loggy"),
)
LARGEST = 2**31 - 1
REQUIRED = object()  # the default of an option that must be there
Option = tuple[Callable[[str], Any], Any]


def _integer(text: str) -> int:
    value = float(text)
    if not value.is_integer():
        raise ValueError("not a whole number")
    if abs(value) > LARGEST:
        raise ValueError("more than Darknet's int holds")
    return int(value)


def _number(text: str) -> float:
    value = float(text)
    if not abs(value) < 1e30:  # nor is NaN less
        raise ValueError("not a number that can be computed with")
    return value


def _integers(text: str) -> tuple[int, ...]:
    return tuple(_integer(word) for word in text.split(",") if word)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(_number(word) for word in text.split(",") if word)


def _one_of(*names: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"known are {', '.join(names)}")
        return text

    return read


_activation = _one_of(*ACTIVATIONS)


@dataclass(frozen=True)
class Kind:
    """The options of one kind of section.

    Attributes:
        options: how to read what the layer computes, and its value where it is not given.
        neutral: what is not converted, with the values at which it changes nothing.
        training: what inference does not ask for.
    """

    options: dict[str, Option] = field(default_factory=dict)
    neutral: dict[str, tuple[float, ...]] = field(default_factory=dict)
    training: tuple[str, ...] = ()


# of any layer: how it is trained, kept and measured
EVERY_TRAINING = (
    *("stopbackward", "onlyforward", "dont_update", "burnin_update", "train_only_bn", "learning_rate", "clip"),
    *("dontsave", "smooth", "truth"),
)
EVERY_NEUTRAL = {"dontload": (0.0,), "dontloadscales": (0.0,), "numload": (0.0,)}  # the weights hold less than they do

NET = Kind(
    dict.fromkeys(("channels", "height", "width", "inputs"), (_integer, 0)),
    {"time_steps": (1.0, 0.0)},
    (
        *("batch", "subdivisions", "learning_rate", "learning_rate_min", "momentum", "decay", "max_batches", "policy"),
        *("steps", "scales", "seq_scales", "scale", "step", "gamma", "power", "burn_in", "adam", "B1", "B2", "eps"),
        *("sgdr_cycle", "sgdr_mult", "max_crop", "min_crop", "max_ratio", "min_ratio", "center", "crop", "flip"),
        *("angle", "aspect", "saturation", "exposure", "hue", "blur", "gaussian_noise", "mixup", "cutmix", "mosaic"),
        *("mosaic_bound", "letter_box", "random", "notruth", "label_smooth_eps", "resize_step", "attention"),
        *("adversarial_lr", "max_chart_loss", "track", "augment_speed", "sequential_subdivisions", "try_fix_nan"),
        *("weights_reject_freq", "equidistant_point", "badlabels_rejection_percentage", "num_sigmas_reject_badlabels"),
        *("ema_alpha", "use_cuda_graph", "loss_scale", "dynamic_minibatch", "optimized_memory", "seen", "max_epochs"),
        *("workspace_size_limit_MB", "contrastive", "contrastive_jit_flip", "contrastive_color", "unsupervised"),
        *("show_receptive_field", "input_calibration", "clip", "hierarchy"),
    ),
)
SIDES: dict[str, Option] = {"stride": (_integer, 1), "stride_x": (_integer, 0), "stride_y": (_integer, 0)}
CONVOLUTIONAL = Kind(
    {
        "batch_normalize": (_integer, 0),
        "cbn": (_integer, 0),
        "filters": (_integer, 1),
        "size": (_integer, 1),
        **SIDES,
        "dilation": (_integer, 1),
        "pad": (_integer, 0),
        "padding": (_integer, 0),
        "groups": (_integer, 1),
        "flipped": (_integer, 0),
        "share_index": (_integer, None),
        "xnor": (_integer, 0),
        "activation": (_activation, "logistic"),
    },
    dict.fromkeys(
        ("binary", "antialiasing", "sway", "rotate", "stretch", "stretch_sway", "coordconv", "reverse"), (0.0,)
    ),
    ("bin_output", "assisted_excitation", "angle", "dot", "grad_centr", "stream", "wait_stream"),
)
POOLING = Kind(
    {"size": (_integer, 0), **SIDES, "padding": (_integer, -1)},
    {"maxpool_depth": (0.0,), "antialiasing": (0.0,), "maxpool_zero_nonmax": (0.0,)},
    ("out_channels",),  # it is read with maxpool_depth alone
)
# losses of detectors and what is tracked between pictures; how boxes are suppressed follows decoding
DETECTOR_TRAINING = (
    *("jitter", "resize", "ignore_thresh", "truth_thresh", "iou_thresh", "random", "max", "max_delta", "focal_loss"),
    *("objectness_smooth", "iou_normalizer", "obj_normalizer", "cls_normalizer", "delta_normalizer", "uc_normalizer"),
    *("iou_loss", "iou_thresh_kind", "label_smooth_eps", "counters_per_class", "show_details", "beta_nms", "beta1"),
    *("nms_kind", "map", "track_history_size", "sim_thresh", "dets_for_track", "dets_for_show", "track_ciou_norm"),
    "embedding_layer",
)
YOLO: dict[str, Option] = {
    "mask": (_integers, None),
    "anchors": (_numbers, REQUIRED),
    "classes": (_integer, 20),
    "num": (_integer, 1),
    "scale_x_y": (_number, 1.0),
}
REGION_TRAINING = (
    *("thresh", "bias_match", "rescore", "absolute", "classfix", "log", "sqrt", "noobject_scale", "object_scale"),
    *("class_scale", "coord_scale", "mask_scale", "jitter", "resize", "random", "max", "focal_loss", "map", "forced"),
)
WEIGHTS_TYPES = ("none", "per_feature", "per_layer", "per_channel")
NORMALIZATIONS = ("none", "relu", "avg_relu", "softmax")
ACTIVATED: dict[str, Option] = {"activation": (_activation, "linear")}
FROM: dict[str, Option] = {"from": (_integer, REQUIRED)}

KINDS: dict[str, Kind] = {
    "convolutional": CONVOLUTIONAL,
    "connected": Kind(
        {"output": (_integer, 1), "batch_normalize": (_integer, 0), "activation": (_activation, "logistic")}
    ),
    "local": Kind(
        {
            **dict.fromkeys(("filters", "size", "stride"), (_integer, 1)),
            "pad": (_integer, 0),
            "activation": (_activation, "logistic"),
        }
    ),
    "batchnorm": Kind(),
    "activation": Kind(ACTIVATED),
    "maxpool": POOLING,
    "local_avgpool": POOLING,
    "avgpool": Kind(),
    "upsample": Kind({"stride": (_integer, 2), "scale": (_number, 1.0)}),
    "reorg": Kind(
        {key: (_integer, default) for key, default in (("stride", 1), ("reverse", 0), ("extra", 0))},
        {"flatten": (0.0,)},
    ),
    "reorg3d": Kind({"stride": (_integer, 1)}, {"reverse": (0.0,)}),
    "crop": Kind(
        {"crop_height": (_integer, 1), "crop_width": (_integer, 1), "noadjust": (_integer, 0)},
        training=("flip", "angle", "saturation", "exposure", "shift"),
    ),
    "route": Kind(
        {"layers": (_integers, REQUIRED), "groups": (_integer, 1), "group_id": (_integer, 0)},
        training=("stream", "wait_stream"),
    ),
    "route_lhalf": Kind({"layers": (_integers, REQUIRED)}),
    "shortcut": Kind(
        {
            "from": (_integers, REQUIRED),
            "alpha": (_number, 1.0),
            "beta": (_number, 1.0),
            "weights_type": (_one_of(*WEIGHTS_TYPES), "none"),
            "weights_normalization": (_one_of(*NORMALIZATIONS), "none"),
            **ACTIVATED,
        }
    ),
    "scale_channels": Kind({**FROM, "scale_wh": (_integer, 0), **ACTIVATED}),
    "sam": Kind({**FROM, **ACTIVATED}),
    "softmax": Kind(
        {"groups": (_integer, 1), "temperature": (_number, 1.0), "spatial": (_integer, 0), "tree": (str, "")},
        training=("noloss",),
    ),
    "dropout": Kind(training=("probability", "dropblock", "dropblock_size_rel", "dropblock_size_abs")),
    "cost": Kind(training=("type", "scale", "ratio", "noobj", "thresh")),
    "contrastive": Kind(
        training=("classes", "temperature", "yolo_layer", "cls_normalizer", "max_delta", "contrastive_neg_max")
    ),
    "empty": Kind(),
    "yolo": Kind({**YOLO, "new_coords": (_integer, 0)}, training=DETECTOR_TRAINING),
    "Gaussian_yolo": Kind(
        {**YOLO, "yolo_point": (_one_of("center", "left_top", "right_bottom"), "center")}, training=DETECTOR_TRAINING
    ),
    "region": Kind(
        {
            "anchors": (_numbers, REQUIRED),
            "classes": (_integer, 20),
            "num": (_integer, 1),
            "coords": (_integer, 4),
            "softmax": (_integer, 0),
            "tree": (str, ""),
        },
        {"background": (0.0,)},
        REGION_TRAINING,
    ),
    "detection": Kind(
        {key: (_integer, default) for key, default in (("coords", 1), ("classes", 1), ("num", 1), ("side", 7))},
        training=(*REGION_TRAINING, "softmax", "reorg"),
    ),
}
# Darknet's own short names, and one of a fork
NAMES = {
    "conv": "convolutional",
    "conn": "connected",
    "max": "maxpool",
    "avg": "avgpool",
    "local_avg": "local_avgpool",
    "soft": "softmax",
    "silence": "empty",
}
WHY_NOT = {
    **dict.fromkeys(
        ("rnn", "gru", "lstm", "crnn", "conv_lstm", "history"),
        "it keeps a state from one picture or character to the next, which a feed-forward network has not",
    ),
    **dict.fromkeys(
        ("implicit", "implicit_add", "implicit_mul", "implicit_cat", "shift_channels", "control_channels"),
        "it is YOLOR's, whose values are a PyTorch checkpoint and no .weights file",
    ),
    **dict.fromkeys(("normalization", "lrn"), "Darknet's own sums over channels miss one of them"),
    "iseg": "masks of instances are not converted",
}


def read_options(kind: Kind, section: Section) -> dict[str, Any]:
    """Return what a section says of inference, with Darknet's defaults.

    Raises:
        ValueError: an option is unknown, missing or not to be read, or it is there twice with different values.
    """
    for key, text in section.options.items():
        _check(kind, key, text)
    for repeat in section.repeats:
        if repeat.option in kind.options and repeat.value != section.options[repeat.option]:
            first = section.options[repeat.option]
            raise ValueError(f"{repeat.option} is {first!r}, and {repeat.value!r} on line {repeat.line}")
    values = {}
    for key, (read, default) in kind.options.items():
        if key not in section.options and default is REQUIRED:
            raise ValueError(f"option {key} is missing")
        values[key] = _read(key, section.options[key], read) if key in section.options else default
    return values


def _check(kind: Kind, key: str, text: str) -> None:
    if key in kind.options or key in kind.training or key in EVERY_TRAINING:
        return
    neutral = (EVERY_NEUTRAL | kind.neutral).get(key)
    if neutral is None:
        raise ValueError(f"unknown option {key}; known are {', '.join([*kind.options, *kind.neutral, *kind.training])}")
    if _read(key, text, _number) not in neutral:
        raise ValueError(f"{key} is {text}, which is not converted: known is {neutral[0]:g}")


def _read(key: str, text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{key} is {text[:60]!r} ({error})") from error
