"""What Snakemake's own report shows first: report/workflow.rst, rendered as snakemake/report/__init__.py does it."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from browser import Browser, missing
from docutils.core import publish_parts
from jinja2 import Environment
from PIL import Image

TEMPLATE = Path(__file__).resolve().parents[2] / "report/workflow.rst"
PICTURE = {"name": "results/a/figures/precisions.png", "labels": {"what": "precisions"}, "mime": "image/png"}
PAGE = {"name": "results/a/index.html", "labels": {"what": "all <results>", "gates": "4 of 5 passed"}}
INDEX = {"name": "results/index.html", "labels": {"what": "page of all samples"}}


class Category(SimpleNamespace):
    """As Snakemake's: what is hashed and sorted by its name."""

    __hash__ = object.__hash__

    def __lt__(self, other):
        return self.name < other.name


def record(name, labels, mime="text/html"):
    return SimpleNamespace(path=Path(name), labels=labels, mime=mime)


def rendered(**categories):
    known = {
        Category(name=name): {Category(name="Other"): [record(**told) for told in records]}
        for name, records in categories.items()
    }
    env = Environment(trim_blocks=True, lstrip_blocks=True)
    about = SimpleNamespace(config={"data": "mini", "backend": "reference"})
    text = env.from_string(TEMPLATE.read_text()).render(snakemake=about, categories=known, files=[])
    strict = {"halt_level": 2}  # a warning of docutils would stand in the report
    return publish_parts(text, writer="html", settings_overrides=strict)["html_body"]


class Links(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if "data-path" in told:
            self.found.append((tag, told["data-path"], told["data-kind"]))


def test_every_result_is_one_click_away():
    html = rendered(a=[PICTURE, PAGE], All=[INDEX])
    assert Links(html).found == [
        ("a", "results/index.html", "html"),
        ("a", "results/a/index.html", "html"),
        ("a", "results/a/figures/precisions.png", "img"),
    ]
    assert "all &lt;results&gt;</a> (gates: 4 of 5 passed)" in html


def test_the_page_of_one_sample_opens_by_itself():
    assert Links(rendered(a=[PICTURE, PAGE])).found[-1] == ("img", "results/a/index.html", "html")


def test_a_report_without_results_is_no_error():
    assert Links(rendered()).found == []


STUB = """<!doctype html><title>x</title><script>
var results = {"results/index.html": {data_uri: "data:all"}, "results/a/index.html": {data_uri: "data:a"},
               "results/a/figures/precisions.png": {data_uri: "data:png"}};
var seen = [], app = {setView(view) { seen.push(view) }};
</script><div id="content"></div><script>
document.querySelector("#content").innerHTML = @described@;  // as React's dangerouslySetInnerHTML does
</script>"""
AGAIN = "const place = document.querySelector('#content'); place.innerHTML = place.innerHTML"


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_a_browser_lands_on_results_once(tmp_path):
    pages = {
        "one": (rendered(a=[PICTURE, PAGE]), [["html", "data:a"]]),
        "several": (rendered(a=[PICTURE, PAGE], All=[INDEX]), [["metadata", None]]),
    }
    with Browser(tmp_path / "profile") as browser:
        for name, (html, wanted) in pages.items():
            path = tmp_path / f"{name}.html"
            path.write_text(STUB.replace("@described@", json.dumps(html)))
            browser.open(path)
            for _ in range(2):  # React puts the description up again when a reader asks for the graph
                assert browser.evaluate("return seen.map(({content, contentPath}) => [content, contentPath])") == wanted
                browser.evaluate(AGAIN)
            browser.evaluate("document.querySelector('a[data-kind=img]').click()")
            assert browser.evaluate("return seen.at(-1)") == {
                "content": "img",
                "contentPath": "data:png",
                "resultPath": "results/a/figures/precisions.png",
            }


def test_the_gif_is_one(tmp_path):
    (data,) = re.findall(r"data:image/gif;base64,([^\"]+)", rendered())
    (tmp_path / "x.gif").write_bytes(base64.b64decode(data))
    with Image.open(tmp_path / "x.gif") as image:
        image.load()
        assert image.size == (1, 1)
