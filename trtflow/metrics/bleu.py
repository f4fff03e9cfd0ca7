"""BLEU of translations, by sacrebleu (Papineni et al. 2002, Post 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtflow.formats import UserError


def bleu_scores(translations: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """Return the corpus BLEU of tokenised sentences, one reference each.

    Returns:
        `bleu`, 0 to 100; `precisions` of 1 to 4 words, 0 to 100; `brevity_penalty`; `signature`, which says how it was
        computed.

    Raises:
        UserError: there are no sentences, not as many references, or no sacrebleu.
    """
    if not translations or len(translations) != len(references):
        raise UserError(f"{len(translations)} translations for {len(references)} references: give one for each.")
    try:
        from sacrebleu.metrics import BLEU  # noqa: PLC0415 - absent where only engines run
    except ImportError as error:
        raise UserError("BLEU needs sacrebleu, which this Python lacks. Use --data-writer text.") from error
    metric = BLEU(tokenize="none", force=True)  # they are tokenised already
    found = metric.corpus_score(list(translations), [list(references)])
    return {
        "bleu": float(found.score),
        "precisions": [float(value) for value in found.precisions],
        "brevity_penalty": float(found.bp),
        "signature": str(metric.get_signature()),
    }
