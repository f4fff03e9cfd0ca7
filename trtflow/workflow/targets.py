"""Targets of the command line that are not there, and which ones may be meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from trtflow.workflow.errors import unknown

TARGET = re.compile(r"results/(?P<name>[^/]+?)(?P<file>_report\.json|/.*)")


def unknown_target(target: str, samples: Iterable[str], rules: Iterable[str]) -> str:
    """Return what is wrong with a target whose sample or rule is not there, or "" where nothing is known to be.

    Args:
        target: as on the command line: a file such as results/ssd_report.json, or a rule.
        samples: names of samples.
        rules: names of rules that can be asked for, as all and check.
    """
    samples, rules = list(samples), list(rules)
    if "/" not in target:
        return _unknown_word(target, samples, rules)
    found = TARGET.fullmatch(target)
    if found is None:
        return _misspelt_report(target, samples)
    if found["name"] in samples:
        return ""
    # other folders of results, as downloads, are no samples: there a name must be like a sample's to be one
    if found["file"] != "_report.json" and not get_close_matches(found["name"], samples):
        return ""
    return f"{target}: {unknown('sample', found['name'], samples)}"


def _misspelt_report(target: str, samples: Sequence[str]) -> str:
    if not re.fullmatch(r"results/\w+_rep\w*(\.\w+)?", target):
        return ""
    meant = get_close_matches(target, [f"results/{name}_report.json" for name in samples], n=1)
    return f"{target}: no such target. Did you mean {meant[0]}?" if meant else ""


def _unknown_word(target: str, samples: Sequence[str], rules: Sequence[str]) -> str:
    if target in rules or "." in target:
        return ""
    if target in samples:
        return f"{target}: a sample is no target. Did you mean results/{target}_report.json?"
    for alike in get_close_matches(target, [*rules, *samples], n=1):
        meant = alike if alike in rules else f"results/{alike}_report.json"
        return f"{target}: no such target. Did you mean {meant}?"
    return ""
