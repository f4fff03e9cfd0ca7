"""Pages in headless Chromium: nothing asked for, nothing cut off, all within reach of the keyboard, in both schemes.

Skipped, with the reason, where there is no Chromium; `apt-get install chromium chromium-driver` brings it.
"""

import pytest
from browser import Browser, missing
from pages import CPU, H200, make_run

from trtflow.reporting.page.differences import Run
from trtflow.reporting.page.pages import comparison_page, index_page, sample_page
from trtflow.reporting.page.results import read_result, read_run

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

SCREENS = {"desktop": (1280, 900, "light"), "phone": (390, 844, "light"), "phone-dark": (390, 844, "dark")}
CUT_OFF = """
return [...document.querySelectorAll("body *")]
  .filter(element => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .filter(element => !element.closest(".panel, .scroll, pre, .hidden, .skip"))
  .map(element => element.tagName + ": " + element.textContent.trim().slice(0, 40))
"""
TOO_SMALL = """
return [...document.querySelectorAll("body *")]
  .filter(element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
  .filter(element => parseFloat(getComputedStyle(element).fontSize) < 12)
  .map(element => element.tagName + ": " + element.textContent.trim().slice(0, 40))
"""
PICTURES = "return [...document.images].filter(image => !image.naturalWidth).map(image => image.alt)"
FOCUSED = """
const element = document.activeElement;
return [element.tagName, element.textContent.trim().slice(0, 40), getComputedStyle(element).outlineStyle];
"""
SCROLLING = """
return [...document.querySelectorAll("*")]
  .filter(element => /auto|scroll/.test(getComputedStyle(element).overflowX + getComputedStyle(element).overflowY))
  .filter(element => element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight)
  .filter(element => element.tabIndex < 0).map(element => element.tagName + "." + element.className)
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page of each kind: with all that may be on it, and of reports alone."""
    folder = tmp_path_factory.mktemp("pages")
    result = read_result(make_run(folder / "run", sample="int8_caffe_mnist", failed="top1"))
    cpu, h200 = read_run(CPU), read_run(H200)
    texts = {
        "sample": sample_page(result),
        "report_alone": sample_page(cpu["introductory_parser_samples"]),
        "index": index_page({**h200, "int8_caffe_mnist": result}, linked=set(h200), comparison="comparison.html"),
        "comparison": comparison_page(Run("CPU", cpu), Run("H200", h200)),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in texts}


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", ["sample", "report_alone", "index", "comparison"])
def test_page_fits_its_screen_and_asks_for_nothing(browser, pages, name, screen):
    browser.requests()
    browser.complaints()
    browser.open(pages[name], *SCREENS[screen])
    assert browser.evaluate("return document.documentElement.scrollWidth") == SCREENS[screen][0]
    assert browser.evaluate(CUT_OFF) == []
    assert browser.evaluate(TOO_SMALL) == []
    assert browser.evaluate(PICTURES) == []
    assert browser.evaluate(SCROLLING) == []  # what scrolls can be scrolled by keyboard
    assert browser.requests() == [pages[name].resolve().as_uri()]
    assert browser.complaints() == []


def test_keyboard_starts_at_the_link_to_the_content_and_shows_where_it_is(browser, pages):
    browser.open(pages["sample"])
    browser.press_tab()
    tag, text, _ = browser.evaluate(FOCUSED)
    assert (tag, text) == ("A", "Skip to the content")
    assert browser.evaluate("return document.activeElement.getBoundingClientRect().left") >= 0
    seen = set()
    for _ in range(12):
        browser.press_tab()
        tag, text, outline = browser.evaluate(FOCUSED)
        assert outline != "none", text
        seen.add(tag)
    assert {"A", "DIV"} <= seen  # links, and tables that scroll


def test_dark_scheme_is_dark(browser, pages):
    grounds = {}
    for scheme in ("light", "dark"):
        browser.open(pages["index"], scheme=scheme)
        grounds[scheme] = browser.evaluate("return getComputedStyle(document.body).backgroundColor")
    assert grounds == {"light": "rgb(246, 247, 249)", "dark": "rgb(18, 22, 29)"}


def test_screenshot_is_a_picture(browser, pages, tmp_path):
    browser.open(pages["index"])
    browser.screenshot(tmp_path / "index.png")
    assert (tmp_path / "index.png").read_bytes().startswith(b"\x89PNG")
