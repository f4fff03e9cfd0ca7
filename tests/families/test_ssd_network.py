"""SSD's layers, default boxes and coding against its authors' model; checkpoints."""

import math

import numpy as np
import pytest
import torch

from trtflow.families.common import boxes as offsets
from trtflow.families.ssd import checkpoint
from trtflow.families.ssd import network as ssd
from trtflow.families.ssd_inception.network import SSDInception
from trtflow.formats import FormatError

CELLS = (38, 19, 10, 5, 3, 1)
CONVOLUTIONS = {  # of the authors' VGG_VOC0712_SSD_300x300: channels in, channels out, side of the kernel
    "conv1_1": (3, 64, 3), "conv1_2": (64, 64, 3),
    "conv2_1": (64, 128, 3), "conv2_2": (128, 128, 3),
    "conv3_1": (128, 256, 3), "conv3_2": (256, 256, 3), "conv3_3": (256, 256, 3),
    "conv4_1": (256, 512, 3), "conv4_2": (512, 512, 3), "conv4_3": (512, 512, 3),
    "conv5_1": (512, 512, 3), "conv5_2": (512, 512, 3), "conv5_3": (512, 512, 3),
    "fc6": (512, 1024, 3), "fc7": (1024, 1024, 1),
    "conv6_1": (1024, 256, 1), "conv6_2": (256, 512, 3),
    "conv7_1": (512, 128, 1), "conv7_2": (128, 256, 3),
    "conv8_1": (256, 128, 1), "conv8_2": (128, 256, 3),
    "conv9_1": (256, 128, 1), "conv9_2": (128, 256, 3),
    "conv4_3_norm_mbox_loc": (512, 16, 3), "conv4_3_norm_mbox_conf": (512, 84, 3),
    "fc7_mbox_loc": (1024, 24, 3), "fc7_mbox_conf": (1024, 126, 3),
    "conv6_2_mbox_loc": (512, 24, 3), "conv6_2_mbox_conf": (512, 126, 3),
    "conv7_2_mbox_loc": (256, 24, 3), "conv7_2_mbox_conf": (256, 126, 3),
    "conv8_2_mbox_loc": (256, 16, 3), "conv8_2_mbox_conf": (256, 84, 3),
    "conv9_2_mbox_loc": (256, 16, 3), "conv9_2_mbox_conf": (256, 84, 3),
}  # fmt: skip


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return ssd.SSD(11, width=0.125).eval()


def test_full_width_is_the_authors_network():
    with torch.device("meta"):
        model = ssd.SSD(21)
    layers = {**model.convolutions, **model.heads}
    shapes = {name: (layer.in_channels, layer.out_channels, *layer.kernel_size[:1]) for name, layer in layers.items()}
    assert shapes == CONVOLUTIONS
    folded = sum(inputs * outputs * side**2 + outputs for inputs, outputs, side in CONVOLUTIONS.values())
    biases = sum(layer.out_channels for layer in model.convolutions.values())  # two values each before folding
    assert sum(parameter.numel() for parameter in model.parameters()) == folded + biases + 512


def test_feature_maps_have_caffes_sizes(model):
    with torch.inference_mode():
        features = model.features(torch.zeros(1, 3, 300, 300))
    assert tuple(features[source.name].shape[2] for source in ssd.SOURCES) == CELLS
    sides = [features[f"pool{index}"].shape[2] for index in range(1, 6)]
    assert sides == [150, 75, 38, 19, 19]


def test_outputs_belong_to_the_priors(model):
    with torch.inference_mode():
        offsets, logits = model(torch.zeros(2, 3, 300, 300))
    assert (offsets.shape, logits.shape, model.priors.shape) == ((2, 8732, 4), (2, 8732, 11), (8732, 4))


def test_norm_scales_each_pixel_to_twenty(model):
    with torch.inference_mode():
        features = model.features(torch.randn(1, 3, 300, 300) * 50)
    lengths = features["conv4_3_norm"].norm(dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 20), rtol=1e-4, atol=0)


def test_priors_are_caffes():
    priors = (ssd.prior_boxes() * 300).tolist()
    first = 38 * 38 * 4
    middle = 42.426407  # sqrt(30 * 60)
    long, short = 42.426407, 21.213203  # 30 * sqrt(2), 30 / sqrt(2)
    sides = [(30, 30), (middle, middle), (long, short), (short, long)]
    for row, (width, height) in zip(priors, sides, strict=False):  # of the first cell, its centre at (4, 4)
        assert row == pytest.approx([4 - width / 2, 4 - height / 2, 4 + width / 2, 4 + height / 2], abs=1e-4)
    assert priors[4] == pytest.approx([-3, -11, 27, 19], abs=1e-4)  # the next cell is the one to the right
    assert priors[first] == pytest.approx([-22, -22, 38, 38], abs=1e-4)  # fc7: 60 pixels about (8, 8), not clipped
    assert priors[first + 4] == pytest.approx(
        [8 - 30 * 3**0.5, 8 - 30 / 3**0.5, 8 + 30 * 3**0.5, 8 + 30 / 3**0.5], abs=1e-4
    )
    assert priors[-4] == pytest.approx([18, 18, 282, 282], abs=1e-4)  # conv9_2
    boxes = (4, 6, 6, 6, 4, 4)
    assert len(priors) == sum(cells**2 * count for cells, count in zip(CELLS, boxes, strict=True)) == 8732


def test_decode_undoes_encode():
    rng = np.random.default_rng(0)
    corner, size = rng.uniform(0, 0.6, (8732, 2)), rng.uniform(0.02, 0.4, (8732, 2))
    boxes = torch.from_numpy(np.concatenate([corner, corner + size], 1)).float()
    priors = ssd.prior_boxes()
    torch.testing.assert_close(offsets.decode(offsets.encode(boxes, priors), priors), boxes, rtol=0, atol=1e-5)


def test_offsets_are_in_units_of_the_variances():
    prior = torch.tensor([[0.2, 0.2, 0.4, 0.6]])
    moved = torch.tensor([[0.22, 0.16, 0.42, 0.56]])
    torch.testing.assert_close(offsets.encode(moved, prior), torch.tensor([[1.0, -1.0, 0.0, 0.0]]), rtol=0, atol=1e-5)
    wider = offsets.decode(torch.tensor([[0.0, 0.0, 5 * math.log(2), 0.0]]), prior)
    torch.testing.assert_close(wider, torch.tensor([[0.1, 0.2, 0.5, 0.6]]))


def test_intersection_over_union():
    first = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    second = torch.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0], [2.0, 2.0, 3.0, 3.0]])
    torch.testing.assert_close(offsets.intersection_over_union(first, second), torch.tensor([[1, 1 / 3, 0]]))


def test_checkpoint_is_read_back_and_has_the_same_bytes_again(model, tmp_path):
    for name in ("a.pt", "b.pt"):
        checkpoint.save_ssd(model, tmp_path / name)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    read = checkpoint.load_ssd(tmp_path / "a.pt", ssd.SSD)
    assert (read.width, read.class_count, read.training) == (0.125, 11, False)
    for name, value in model.state_dict().items():
        assert torch.equal(read.state_dict()[name], value)


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"no checkpoint", lambda data: b""]
)
def test_damaged_checkpoint_is_an_error(model, tmp_path, damage):
    path = tmp_path / "ssd.pt"
    checkpoint.save_ssd(model, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FormatError, match=r"ssd\.pt: not a checkpoint of SSD"):
        checkpoint.load_ssd(path, ssd.SSD)


def test_checkpoint_of_another_network_is_an_error(model, tmp_path):
    checkpoint.save_ssd(model, tmp_path / "ssd.pt")
    with pytest.raises(FormatError, match=r"ssd\.pt: the network is vgg16, not inception_v2"):
        checkpoint.load_ssd(tmp_path / "ssd.pt", SSDInception)
