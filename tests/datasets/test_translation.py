"""Sentences in two languages, and byte-pair encoding."""

from collections import Counter

import numpy as np
import pytest

from trtflow.datasets.bpe import encode, join, learn_merges, merge
from trtflow.datasets.translation import (
    UNKNOWN,
    check_lengths,
    padded,
    read_sentences,
    read_vocabulary,
    to_numbers,
    to_text,
    tokenise,
    write_pairs,
)
from trtflow.formats import FormatError


def test_merges_take_the_commonest_pair_first():
    words = {"lower": 2, "low": 5, "newest": 6, "widest": 3}
    assert learn_merges(words, 3) == [("e", "s"), ("es", "t"), ("l", "o")]


def test_merges_leave_digits_alone():
    assert learn_merges({"1999": 50, "aa": 1}, 5) == [("a", "a")]


def test_merge_goes_from_the_left():
    assert merge(("a", "a", "a"), ("a", "a")) == ("aa", "a")


def test_join_undoes_encode():
    merges = learn_merges(Counter(["sechsundzwanzig", "sechs", "zwanzig"]), 8)
    given = "sechsundzwanzig . 1984"
    (cut,) = encode([given], merges)
    assert cut != given
    assert cut.endswith("1@@ 9@@ 8@@ 4")
    assert join(cut) == given
    assert join("se@@ chs und@@") == "sechs und"  # cut off at the most words


def test_tokens():
    assert tokenise("June 3, 2019 at 2:05\u202fPM") == "June 3 , 2019 at 2 : 05 PM"
    assert tokenise("twenty-one") == "twenty-one"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder / "data", folder / "export", 20, 0, train=150, val=50)
    return folder


def test_pairs(pairs, tmp_path):
    sources = [read_sentences(pairs / "data" / f"{split}.de") for split in ("train", "val")]
    assert [len(lines) for lines in sources] == [150, 50]
    assert not {join(line) for line in sources[0]} & {join(line) for line in sources[1]}
    words = read_vocabulary(pairs / "export" / "vocab.de")
    assert all((row != UNKNOWN).all() for row in to_numbers(sources[0], words))
    write_pairs(tmp_path / "data", tmp_path / "export", 20, 0, train=150, val=50)
    for path in sorted(pairs.rglob("*.*")):
        assert path.read_bytes() == (tmp_path / path.relative_to(pairs)).read_bytes()


def test_words_outside_the_vocabulary_are_unknown():
    words = ["<unk>", "<s>", "</s>", "ein", "zwei"]
    (found,) = to_numbers(["zwei Hunde ein"], words)
    np.testing.assert_array_equal(found, [4, UNKNOWN, 3])
    assert to_text(found, words) == "zwei <unk> ein"


def test_padding():
    rows = padded([np.array([5, 6], np.int32), np.array([7], np.int32)], 3)
    np.testing.assert_array_equal(rows, [[5, 6, 2], [7, 2, 2]])


def test_empty_sentences(tmp_path):
    path = tmp_path / "val.de"
    path.write_text("eins\n \nzwei\n")
    with pytest.raises(FormatError, match="line 2 is empty"):
        read_sentences(path)
    assert read_sentences(path, 1) == ["eins"]
    path.write_text("")
    with pytest.raises(FormatError, match="there are no sentences"):
        read_sentences(path)


def test_long_sentences():
    with pytest.raises(FormatError, match=r"val\.de: line 2 has 4 words, the engine takes 3"):
        check_lengths([np.zeros(3), np.zeros(4)], 3, "val.de")


@pytest.mark.parametrize(("text", "fault"), [("<s>\na\n", "first lines"), ("<unk>\n<s>\n</s>\na\nb\na\n", "'a'")])
def test_vocabularies(tmp_path, text, fault):
    path = tmp_path / "vocab.de"
    path.write_text(text)
    with pytest.raises(FormatError, match=fault):
        read_vocabulary(path)
