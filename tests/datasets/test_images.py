"""Pictures from files and the guide's preprocessing (§16.2)."""

import numpy as np
import pytest
from PIL import Image

from trtflow.datasets.images import read_image, read_sized_image, to_bgr_input
from trtflow.formats import FormatError
from trtflow.formats.netpbm import write_ppm


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)


def test_ppm_and_png_hold_the_same_picture(tmp_path, picture):
    write_ppm(tmp_path / "a.ppm", picture)
    Image.fromarray(picture).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.ppm"), picture)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture)


def test_grey_picture_gets_three_channels(tmp_path, picture):
    Image.fromarray(picture[..., 0]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.repeat(picture[..., :1], 3, axis=2))


def test_picture_of_the_wrong_size_is_an_error(tmp_path):
    Image.new("RGB", (300, 200)).save(tmp_path / "a.png")
    with pytest.raises(FormatError, match=r"a\.png: the picture is 300x200, but the network takes 300x300"):
        read_sized_image(tmp_path / "a.png", 300)


def test_truncated_picture_is_an_error(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-40])
    with pytest.raises(FormatError, match="not a readable picture"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("suffix", "dtype"), [("png", np.uint16), ("tif", np.uint16), ("tif", np.int32), ("tif", np.float32)]
)
def test_picture_of_more_than_8_bits_is_refused_not_clipped(tmp_path, suffix, dtype):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.full((4, 4), 40000, dtype)).save(path)
    with pytest.raises(FormatError, match=rf"a\.{suffix}: its pixels have more than 8 bits .* Convert it to 8 bits"):
        read_image(path)


@pytest.mark.parametrize(
    ("suffix", "place", "value"),
    [("png", 36, 0), ("png", 11, 0), ("tif", 12, 1)],  # a SyntaxError and two ValueErrors of Pillow
)
def test_damaged_picture_is_an_error(tmp_path, picture, suffix, place, value):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(picture).save(path)
    data = bytearray(path.read_bytes())
    data[place] = value
    path.write_bytes(data)
    with pytest.raises(FormatError, match=rf"a\.{suffix}: not a readable picture"):
        read_image(path)


def test_input_is_blue_green_red_minus_the_means(picture):
    batch = to_bgr_input([picture, picture])
    assert (batch.shape, batch.dtype, batch.flags.c_contiguous) == ((2, 3, 6, 6), np.float32, True)
    red, green, blue = picture[4, 2].astype(np.float32)
    np.testing.assert_array_equal(batch[1, :, 4, 2], [blue - 104, green - 117, red - 123])


def test_cmyk_picture_becomes_red_green_blue(tmp_path):
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    red, green, blue = read_image(tmp_path / "a.jpg")[2, 2]
    assert red > 200
    assert max(green, blue) < 60


@pytest.mark.parametrize("side", [9000, 20000])  # beyond our limit, and beyond Pillow's own
def test_huge_picture_is_an_error(tmp_path, side):
    Image.new("1", (side, side)).save(tmp_path / "a.png")
    with pytest.raises(FormatError, match=r"a\.png: (the picture is 9000x9000, more than|not a readable picture)"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("magic", ["P3", "P6"])
def test_huge_ppm_is_an_error_before_its_pixels_are_read(tmp_path, magic):
    (tmp_path / "a.ppm").write_bytes(f"{magic} 9000 9000 255\n".encode())
    with pytest.raises(FormatError, match=r"a\.ppm: the picture is 9000x9000, more than"):
        read_image(tmp_path / "a.ppm")
