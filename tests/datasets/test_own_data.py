"""Pictures of the user's own are found by the same endings whatever the task, and read."""

import numpy as np
import pytest
from PIL import Image

from trtflow.datasets.images import PICTURES, read_image
from trtflow.datasets.labelled.pictures import find_pictures
from trtflow.datasets.own import read_items


@pytest.mark.parametrize("ending", [*PICTURES, ".PNG", ".WebP"])
def test_every_ending_is_found_and_read(tmp_path, ending):
    path = tmp_path / f"cat/one{ending}"
    path.parent.mkdir()
    pixels = np.full((4, 6, 3), (10, 200, 90), np.uint8)
    Image.fromarray(pixels).save(path, **({"lossless": True} if ending.lower() == ".webp" else {"quality": 95}))
    items = read_items(tmp_path)
    assert items.columns["pictures"] == find_pictures(tmp_path) == [path]
    if ending != ".pgm":  # of grey alone
        np.testing.assert_allclose(read_image(path).astype(int), pixels, atol=3)
