"""Detections in PyTorch: suppression, order, and the guide's tuples of 7."""

import torch

from trtflow.families.ssd.detection import detect, suppress
from trtflow.families.ssd.network import prior_boxes


class Fixed:
    """A network that says the same of every image: no offsets, and one class sure at some priors."""

    def __init__(self, sure):
        self.priors = prior_boxes()
        self.logits = torch.zeros(len(self.priors), 3)
        self.logits[:, 0] = 20
        for prior, label, logit in sure:
            self.logits[prior, label] = logit

    def __call__(self, images):
        return torch.zeros(len(images), len(self.priors), 4), self.logits.expand(len(images), -1, -1)


def test_weaker_of_two_overlapping_boxes_goes():
    boxes = torch.tensor([[0, 0, 1.0, 1], [0, 0, 1, 0.5], [0, 0, 1, 0.4], [2, 2, 3, 3]])
    scores = torch.tensor([0.6, 0.9, 0.5, 0.7])
    # 0 overlaps 1 by 0.5, 2 overlaps 1 by 0.8 and 0 by 0.4
    assert suppress(boxes, scores).tolist() == [1, 3]


def test_a_suppressed_box_suppresses_none():
    boxes = torch.tensor(
        [[0.0, 0, 10, 1], [3, 0, 13, 1], [6, 0, 16, 1]]
    )  # neighbours overlap by 0.54, the outer by 0.25
    assert suppress(boxes, torch.tensor([0.9, 0.8, 0.7])).tolist() == [0, 2]


def test_scores_of_one_percent_and_less_do_not_count():
    boxes = torch.tensor([[0.0, 0, 1, 1], [2, 2, 3, 3]])
    assert suppress(boxes, torch.tensor([0.011, 0.009])).tolist() == [0]


def test_at_most_four_hundred_of_a_class_are_considered():
    corner = torch.arange(500.0)[:, None].expand(-1, 2) * 2
    assert suppress(torch.cat([corner, corner + 1], 1), torch.linspace(1, 0.5, 500)).tolist() == list(range(400))


def test_rows_are_tuples_of_seven_best_first():
    model = Fixed([(100, 1, 21), (5000, 2, 25), (8731, 2, 22)])
    detections, counts = detect(model, torch.zeros(2, 3, 300, 300))
    assert (detections.shape, counts.tolist(), counts.dtype) == ((2, 200, 7), [3, 3], torch.int32)
    assert detections[1, :3, 0].tolist() == [1, 1, 1]
    assert detections[0, :3, 1].tolist() == [2, 2, 1]
    probabilities = model.logits[[5000, 8731, 100]].softmax(1)
    torch.testing.assert_close(detections[0, :3, 2], probabilities[[0, 1, 2], [2, 2, 1]])
    torch.testing.assert_close(detections[0, :3, 3:], model.priors[[5000, 8731, 100]].clamp(0, 1))


def test_unused_rows_have_label_minus_one():
    detections, counts = detect(Fixed([]), torch.zeros(1, 3, 300, 300))
    assert counts.tolist() == [0]
    assert (detections[0, :, 1] == -1).all()
    assert not detections[0, :, 2:].any()


def test_at_most_two_hundred_are_kept():
    detections, counts = detect(
        Fixed([(prior, 1, 21) for prior in range(0, 38 * 38 * 4, 4)]), torch.zeros(1, 3, 300, 300)
    )
    assert counts.tolist() == [200]
    assert (detections[0, :, 1] == 1).all()
