"""Text as numbers: splits, vocabularies, and what is not in them."""

import json

import numpy as np
import pytest

from trtflow.datasets.characters import (
    decode,
    encode,
    number_characters,
    read_vocabulary,
    topics_text,
    write_splits,
    write_vocabulary,
)
from trtflow.formats import FormatError, UserError

VOCABULARY = {"a": 0, "b": 1, "\n": 2}


def test_topics_are_english_in_printable_ascii():
    text = topics_text()
    assert len(text) > 400_000
    assert "The Python" in text
    assert set(text) <= {"\n", *map(chr, range(32, 127))}


def test_splits_are_the_end_and_what_comes_before(tmp_path):
    assert write_splits(tmp_path, "abcdefghij", 5, 3) == "cdefghij"
    assert (tmp_path / "train.txt").read_text() == "cdefg"
    assert (tmp_path / "val.txt").read_text() == "hij"
    assert write_splits(tmp_path, "abcdefghij", None, 3) == "abcdefghij"
    assert (tmp_path / "train.txt").read_text() == "abcdefg"


@pytest.mark.parametrize(("train", "val"), [(8, 3), (None, 10), (3, 1)])
def test_a_text_that_is_too_short(tmp_path, train, val):
    with pytest.raises(UserError, match="the text has 10"):
        write_splits(tmp_path, "abcdefghij", train, val)


def test_vocabulary_survives_a_file_and_encoding_is_undone_by_decoding(tmp_path):
    text = "caffè\nba"
    write_vocabulary(tmp_path / "vocab.json", number_characters(text))
    vocabulary = read_vocabulary(tmp_path / "vocab.json")
    numbers = encode(text, vocabulary, "text")
    assert numbers.dtype == np.int32
    assert decode(numbers, vocabulary) == text


@pytest.mark.parametrize(
    "content", ["", "[1]", "{", "3", '{"a": 1}', '{"a": 0, "b": 0}', '{"ab": 0}', '{"a": "0"}', '{"a": 0, "b": 1.5}']
)
def test_a_damaged_vocabulary(tmp_path, content):
    path = tmp_path / "vocab.json"
    path.write_text(content)
    with pytest.raises(FormatError, match=r"vocab\.json"):
        read_vocabulary(path)


def test_characters_outside_the_vocabulary_are_named_with_their_place():
    with pytest.raises(FormatError, match=r"val\.txt: character 'x' \(line 2, character 4\).*Known: \\nab"):
        encode("ab\nxa", VOCABULARY, "val.txt")


def test_an_empty_text():
    with pytest.raises(FormatError, match="seed '': the text is empty"):
        encode("", VOCABULARY, "seed ''")


def test_vocabulary_is_plain_json(tmp_path):
    write_vocabulary(tmp_path / "vocab.json", VOCABULARY)
    assert json.loads((tmp_path / "vocab.json").read_text()) == VOCABULARY
