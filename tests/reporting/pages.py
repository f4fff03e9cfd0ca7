"""Runs to make pages of, and what an assistive technology reads of a page."""

from __future__ import annotations

import itertools
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
CPU, H200 = ROOT / "docs/results/cpu", ROOT / "docs/results/h200"
TENSORS = ("data", "conv1/a_name_that_is_so_long_that_no_phone_has_room_for_all_of_it", "prob")


def make_run(folder: Path, sample: str = "int8", failed: str = "") -> Path:
    """Write a run of one sample with all that may lie beside its report: the report's path.

    Args:
        folder: where the run goes.
        sample: one of docs/results/cpu.
        failed: gate to let fail.
    """
    report = json.loads((CPU / f"{sample}_report.json").read_text())
    for gate in report["gates"]:
        gate["passed"] &= gate["name"] != failed
    report["passed"] &= not failed
    (folder / sample / "figures").mkdir(parents=True)
    (folder / sample / "calibration").mkdir()
    for figure in report["figures"]:
        Image.new("RGB", (640, 360), "white").save(folder / Path(figure).relative_to("results"))
    for precision in report["precisions"]:
        layers = [{"name": f"{name} <{index}>", "ms": index + 0.5} for name in TENSORS for index in range(8)]
        profile = folder / sample / f"profile.{precision}.json"
        profile.write_text(json.dumps({"precision": precision, "runs": 2, "layers": layers}))
    ranges = "".join(f"{name}: {value}\n" for value, name in enumerate(TENSORS, start=1))
    (folder / sample / "calibration/ranges.txt").write_text(ranges)
    (folder / sample / "config.yaml").write_text(f"name: {sample}\n")
    path = folder / f"{sample}_report.json"
    path.write_text(json.dumps(report))
    return path


class Outline(HTMLParser):
    """What a page is made of.

    Attributes:
        elements: tag and attributes of each element, in order.
        title: of the page.
        faults: end tags that match no start.
    """

    VOID = ("meta", "link", "img", "br", "wbr")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.title = self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["title"]:
            self.title += data
        if self.open[-1:] != ["style"]:
            self.text += data

    def all(self, *tags: str) -> list[dict[str, Any]]:
        """Return the attributes of the elements of these names."""
        return [attributes for tag, attributes in self.elements if tag in tags]

    def accessibility_faults(self) -> list[str]:
        """Return what keeps people from reading the page, or machines from reading it to them."""
        ids = [attributes["id"] for _, attributes in self.elements if "id" in attributes]
        named = [attributes["aria-labelledby"] for _, attributes in self.elements if "aria-labelledby" in attributes]
        inside = [attributes["href"][1:] for attributes in self.all("a") if attributes["href"].startswith("#")]
        levels = [int(tag[1]) for tag, _ in self.elements if tag in ("h1", "h2", "h3", "h4")]
        steps = itertools.pairwise(levels)
        found = {
            "tags": self.faults + self.open,
            "title": [] if self.title.strip() else ["none"],
            "lang": [str(attributes) for attributes in self.all("html") if attributes.get("lang") != "en"],
            "landmarks": [tag for tag in ("header", "main", "footer") if len(self.all(tag)) != 1],
            "ids twice": sorted({name for name in ids if ids.count(name) > 1}),
            "no such id": sorted({*named, *inside} - set(ids)),
            "h1": [] if levels.count(1) == 1 and levels[0] == 1 else [str(levels)],
            "heading skipped": [f"h{before} h{after}" for before, after in steps if after > before + 1],
            "alt": [str(image) for image in self.all("img") if not (image.get("alt") or "").strip()],
            "size of picture": [str(image) for image in self.all("img") if not {"width", "height"} <= set(image)],
            "scope": [str(cell) for cell in self.all("th") if "scope" not in cell],
            "regions without name": [
                str(attributes)
                for _, attributes in self.elements
                if attributes.get("role") == "region" and not attributes.get("aria-label")
            ],
            "asks for": [
                attributes[key]
                for _, attributes in self.elements
                for key in ("src", "href")
                if "//" in (attributes.get(key) or "") and not attributes[key].startswith("data:")
            ],
        }
        return [f"{fault}: {', '.join(where)}" for fault, where in found.items() if where]
