"""Neural machine translation with sequence-to-sequence models: guide chapter 11, sampleNMT.

Two engines. The encoder reads sentences; the generator extends each of a beam of hypotheses by a word, with Luong's
attention over what the encoder made of the sentence. States, attention vectors and memory stay on the device; the beam
search sees the likeliest words and says which hypothesis goes on from which.
"""

from __future__ import annotations

from trtflow.runtime.lstm import RECURRENT
from trtflow.samples.nmt.engines import define_encoder, define_network
from trtflow.samples.nmt.model import read_model, read_source
from trtflow.samples.nmt.translator import Translator, load_translator, profile_translation

__all__ = [
    "HALF_WEIGHTS",
    "NETWORKS",
    "RECURRENT",
    "Translator",
    "define_network",
    "load_translator",
    "profile_translation",
    "read_model",
    "read_source",
]

HALF_WEIGHTS = True  # in the form of layers states and memory are float16 too
NETWORKS = {"encoder": define_encoder, "generator": define_network}
