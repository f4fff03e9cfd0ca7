"""Names of the engines' inputs and outputs, and which output becomes which input."""

from __future__ import annotations

WORDS, LENGTH = "input_encoder_data", "actual_input_sequence_lengths"  # of the encoder
MEMORY, KEYS, FIRST_HIDDEN, FIRST_CELL = "memory", "attention_keys", "encoder_hidden", "encoder_cell"

BEAM_WORDS, PARENTS, BEAM_LENGTHS = (  # of the generator
    "input_decoder_data",
    "source_ray_indices",
    "actual_input_sequence_lengths_with_beam",
)
MEMORY_IN, KEYS_IN = "input_memory", "input_attention_keys"
HIDDEN_IN, CELL_IN, ATTENTION_IN = "input_hidden", "input_cell", "input_attention"
HIDDEN_OUT, CELL_OUT, ATTENTION_OUT = "output_hidden", "output_cell", "output_attention"
LIKELIHOODS, CANDIDATES, ALIGNMENT = "candidate_likelihoods", "candidate_words", "alignment"
FEEDBACK = {HIDDEN_OUT: HIDDEN_IN, CELL_OUT: CELL_IN, ATTENTION_OUT: ATTENTION_IN}
FROM_ENCODER = {MEMORY_IN: MEMORY, KEYS_IN: KEYS, HIDDEN_IN: FIRST_HIDDEN, CELL_IN: FIRST_CELL}

# of the form of plain layers: which words are there, which is a sentence's last, and the states behind a run of words
INSIDE, LAST = "inside", "last"
RUNNING = ("running_hidden", "running_cell")
PLAIN_ENCODER_FEEDBACK = {name: f"input_{name}" for name in (*RUNNING, FIRST_HIDDEN, FIRST_CELL)}

OUTSIDE = "outside_beam"  # the generator of that form searches by itself
SCORES_IN, ENDED_IN, SEEN_IN = "input_scores", "input_ended", "input_seen"
WORDS_OUT, PARENTS_OUT = "output_words", "output_parents"
SCORES_OUT, ENDED_OUT, SEEN_OUT = "output_scores", "output_ended", "output_seen"
SEARCH_FEEDBACK = {
    WORDS_OUT: BEAM_WORDS,
    PARENTS_OUT: PARENTS,
    SCORES_OUT: SCORES_IN,
    ENDED_OUT: ENDED_IN,
    SEEN_OUT: SEEN_IN,
}
CHOSEN = (WORDS_OUT, PARENTS_OUT)  # of every step, which the host reads at the end
PLAIN_FEEDBACK = {**FEEDBACK, **SEARCH_FEEDBACK}
