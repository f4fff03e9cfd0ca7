"""PPM and PGM: both directions, comments, and what is damaged."""

import numpy as np
import pytest

from trtflow.formats import FormatError
from trtflow.formats.netpbm import read_pgm, read_picture, read_ppm, write_pgm, write_ppm

IMAGE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def test_colour_picture_survives(tmp_path):
    write_ppm(tmp_path / "a.ppm", IMAGE)
    assert (tmp_path / "a.ppm").read_bytes() == b"P6\n3 2\n255\n" + bytes(range(18))
    np.testing.assert_array_equal(read_ppm(tmp_path / "a.ppm"), IMAGE)


def test_grey_picture_survives(tmp_path):
    write_pgm(tmp_path / "a.pgm", IMAGE[..., 0])
    np.testing.assert_array_equal(read_pgm(tmp_path / "a.pgm"), IMAGE[..., 0])


@pytest.mark.parametrize(
    "header", [b"P6\n# made by hand\n3 2\n255\n", b"P6 3 # width\n2\n# 9 9\n255\n", b"P6\n#\n#\n3\t2 255 "]
)
def test_comments_in_the_header_are_read(tmp_path, header):
    (tmp_path / "a.ppm").write_bytes(header + IMAGE.tobytes())
    np.testing.assert_array_equal(read_ppm(tmp_path / "a.ppm"), IMAGE)


def test_pixels_that_look_like_space_or_comment_are_kept(tmp_path):
    image = np.full((1, 2, 3), ord("#"), np.uint8)
    image[0, 0] = ord(" ")
    write_ppm(tmp_path / "a.ppm", image)
    np.testing.assert_array_equal(read_ppm(tmp_path / "a.ppm"), image)


def test_ascii_is_read(tmp_path):
    (tmp_path / "a.ppm").write_text("P3 1 2 255\n1 2 3\n4 5 255\n")
    np.testing.assert_array_equal(read_ppm(tmp_path / "a.ppm").ravel(), [1, 2, 3, 4, 5, 255])


def test_grey_ascii_is_read(tmp_path):
    (tmp_path / "a.pgm").write_text("P2\n# feep\n3 1\n255\n0 128 255\n")
    np.testing.assert_array_equal(read_pgm(tmp_path / "a.pgm"), [[0, 128, 255]])


@pytest.mark.parametrize("tail", [b"", b"\n", b"P5\n3 1\n255\n\1\2\3"])
@pytest.mark.parametrize("maximum", [15, 254, 255])
def test_grey_picture_is_read_as_the_guides_samples_read_it(tmp_path, tail, maximum):
    """readPGMFile of 5.1's samples: four words, one byte, then the pixels as they are."""
    (tmp_path / "a.pgm").write_bytes(b"P5\n3 1\n%d\n" % maximum + bytes([0, 7, 15]) + tail)
    np.testing.assert_array_equal(read_pgm(tmp_path / "a.pgm"), [[0, 7, 15]])


def test_numbers_behind_the_pixels_and_comments_between_them_are_passed_over(tmp_path):
    (tmp_path / "a.pgm").write_text("P2\n3 1\n255\n0 128 # half\n255\n9 9\n")
    np.testing.assert_array_equal(read_pgm(tmp_path / "a.pgm"), [[0, 128, 255]])


def test_either_is_read_as_a_colour_picture(tmp_path):
    write_ppm(tmp_path / "a.ppm", IMAGE)
    write_pgm(tmp_path / "a.pgm", IMAGE[..., 0])
    np.testing.assert_array_equal(read_picture(tmp_path / "a.ppm"), IMAGE)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.pgm"), IMAGE[..., :1].repeat(3, 2))
    (tmp_path / "b.pgm").write_bytes(b"P7\n")
    with pytest.raises(FormatError, match="begins with b'P7', not with P3 or P6"):
        read_picture(tmp_path / "b.pgm")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"P6\n3 2\n255\n" + bytes(17), "3x2 needs 18 values; it has 17"),
        (b"P6\n3 2\n255\n", "3x2 needs 18 values; it has 0"),
        (b"P6\n3 2\n255", "3x2 needs 18 values; it has 0"),
        (b"P6\n3 2\n0\n" + bytes(18), "its largest value is 0, not one to 255"),
        (b"P6\n99999999 99999999\n255\n", "more than .* pixels"),
        (b"P6\n0 2\n255\n", "0x2 is no picture"),
        (b"P6\n3 2\n65535\n" + bytes(36), "its largest value is 65535, not one to 255"),
        (b"P5\n3 2\n255\n" + bytes(6), "begins with b'P5', not with P3 or P6"),
        (b"P6\n3 two\n", "neither a number nor a comment"),
        (b"P6\n3 2 # no end", "neither a number nor a comment"),
        (b"P3 1 1 255 1 2 300", "not numbers from 0 to 255"),
        (b"", "begins with b''"),
    ],
)
def test_damaged_picture_is_refused(tmp_path, data, message):
    path = tmp_path / "a.ppm"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=f"a.ppm: .*{message}"):
        read_ppm(path)
