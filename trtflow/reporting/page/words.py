"""What pages call metrics and say of pictures."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

METRICS = {
    "map": "mAP",
    "f1": "F1",
    "f1_micro": "F1, of all labels",
    "f1_macro": "F1, mean of the classes",
    "label_agreement": "labels as the framework's",
    "map_area": "mAP, area",
    "coco_map": "COCO mAP",
    "coco_map50": "COCO mAP, IoU 0.5",
    "coco_map75": "COCO mAP, IoU 0.75",
    "framework_map": "mAP of the framework",
    "framework_map_drop": "mAP lost against the framework",
    "matched_iou": "least IoU with the framework's boxes",
    "top1": "top-1",
    "top5": "top-5",
    "top5_agreement": "top-5 agreement",
    "caffe_top5_agreement": "top-5 agreement with Caffe",
    "uff_top5_agreement": "top-5 agreement with UFF",
    "top1_before_refit": "top-1 before the refit",
    "hr10": "HR@10",
    "ndcg10": "NDCG@10",
    "bleu": "BLEU",
    "greedy_bleu": "BLEU, greedy",
    "bleu_difference": "BLEU lost against the framework",
    "perplexity": "perplexity",
    "agreement": "difference from the framework",
    "snr_db": "signal to noise against the framework, dB",
}
# What alternative texts call pictures, by the names of their files; rules give them the same labels, and their captions
# are those of `snakemake --report`.
FIGURES = {
    "confusion": "confusion",
    "contact": "detections",
    "digits": "ten digits",
    "dog_bboxes": "the chapter's picture",
    "generated": "generated text",
    "labels": "labels",
    "masks": "masks",
    "objects": "detections",
    "pictures": "pictures",
    "precisions": "precisions",
    "profile": "layer times",
    "ranking": "ranking",
    "scatter": "predicted against true",
    "serving": "processes",
    "training": "training",
    "translation": "attention and BLEU",
}
TEXTS = {
    "digits": "Digits, as the guide prints them",
    "generated": "Generated text",
    "labels": "Labels, said and true",
    "layers": "Layers of network and engine",
    "profile": "Layer times as text",
    "recommendations": "Recommendations, as the guide prints them",
    "serving": "Processes",
    "tensors": "Tensors and their ranges",
    "top5": "The five likeliest classes",
    "translation": "Translations",
}


def metric(name: str) -> str:
    """Return what people call a metric."""
    return METRICS.get(name, name.replace("_", " "))


def figure(stem: str) -> str:
    """Return the name of a picture of a report, by that of its file without an ending."""
    return FIGURES.get(stem, stem.replace("_", " "))


def without_markup(text: str) -> str:
    """Return reStructuredText as one line of text: without its marks of emphasis and of code."""
    return " ".join(re.sub(r"\*\*|``", "", text).split())


def text(name: str) -> str:
    """Return the heading of a text of a report."""
    return TEXTS.get(name, name.replace("_", " ").capitalize())


def runtime(backend: dict[str, Any]) -> str:
    """Return what built and ran the engines."""
    name = "TensorRT" if backend["name"] == "tensorrt" else "reference runtime"
    return f"{name} {backend['version']} on {backend['device']}"


def number(value: float | None) -> str:
    """Return a number with four digits, as people write it; a dash where there is none."""
    if value is None:
        return "–"  # noqa: RUF001 - a dash, as tables have it
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:.0f}"
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else f"{value:.4g}"


def size(count: int) -> str:
    """Return a number of bytes as kB or MB."""
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def score(value: float | None) -> str:
    """Return a metric with as many decimals as its neighbours have."""
    return number(None) if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def milliseconds(value: float) -> str:
    """Return a time with three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def times(factor: float) -> str:
    """Return how many times as long something takes: 0.73×, 85.1×."""
    return f"{factor:.2f}×" if factor < 10 else f"{factor:.3g}×"  # noqa: RUF001 - the sign of multiplication


def breakable(name: str) -> Markup:
    """Return a name that may go on in the next line after each underscore or slash."""
    return Markup("<wbr>").join(re.findall(r"[^_/]*[_/]?", name))
