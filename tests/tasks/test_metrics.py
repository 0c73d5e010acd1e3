import math

import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy

from fbm.models.encoder import C3DEncoder
from fbm.tasks import Classify
from fbm.tasks.metrics import (
    FrameMean,
    Mean,
    SampleCounter,
    VideoAccuracy,
)
from tests.tasks.test_task import ADAM

# Three videos of 3, 2 and 1 clips. By the mean: video 7 is right though two of its three clips are wrong, video 2 is
# wrong though one of two is right, video 5 is right.
PROBABILITIES = torch.tensor(
    [[0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.4, 0.6, 0.0], [0.1, 0.5, 0.4], [0.1, 0.0, 0.9], [0.1, 0.2, 0.7]]
)
LABELS = torch.tensor([0, 0, 0, 1, 1, 2])
VIDEOS = torch.tensor([7, 7, 7, 2, 2, 5])


def test_video_accuracy_by_hand():
    metric = VideoAccuracy()
    metric.update(PROBABILITIES, LABELS, VIDEOS)
    torch.testing.assert_close(metric.compute(), torch.tensor(2 / 3))


def test_a_videos_clips_may_come_in_any_batches_and_order():
    order = torch.tensor([4, 0, 5, 2, 3, 1])
    metric = VideoAccuracy()
    for part in order.split([1, 3, 2]):
        metric.update(PROBABILITIES[part], LABELS[part], VIDEOS[part])
    torch.testing.assert_close(metric.compute(), torch.tensor(2 / 3))


def test_an_epoch_forgets_the_last():
    metric = VideoAccuracy()
    metric.update(PROBABILITIES, LABELS, VIDEOS)
    metric.reset()
    metric.update(torch.tensor([[0.1, 0.9]]), torch.tensor([1]), torch.tensor([7]))
    assert float(metric.compute()) == 1.0


def test_clip_accuracy_counts_clips_not_classes():
    task = Classify(C3DEncoder(4, 8, 32), ADAM, ["a", "b", "c"])
    for metric in (task.metric(name) for name in ("train/top1", "val/clip_top1", "test/clip_top1")):
        metric.update(PROBABILITIES, LABELS)
        torch.testing.assert_close(metric.compute(), torch.tensor(3 / 6))
    macro = multiclass_accuracy(PROBABILITIES, LABELS, 3, average="macro")
    assert not torch.isclose(macro, torch.tensor(0.5))  # else this test could not tell


def test_a_mean_is_over_samples_not_batches():
    metric = Mean()
    for value, samples in ((1.0, 1), (2.0, 3)):
        metric.update(torch.tensor(value, requires_grad=True), samples)
    assert float(metric.compute()) == 7 / 4
    assert not metric.compute().requires_grad
    metric.reset()
    metric.update(torch.tensor(3.0, dtype=torch.bfloat16), 2)
    assert float(metric.compute()) == 3


def test_a_mean_with_nan_is_nan():
    metric = Mean()
    for value in (1.0, math.nan, 2.0):
        metric.update(torch.tensor(value), 1)
    assert math.isnan(metric.compute())


def test_a_mean_over_frames_takes_those_that_count():
    metric = FrameMean()
    metric.update(torch.tensor([1.0, math.inf]), torch.tensor([True, False]))
    metric.update(torch.tensor([math.nan]), torch.tensor([False]))
    metric.update(torch.tensor([2.0, 6.0]), torch.tensor([True, True]))
    assert float(metric.compute()) == 3
    metric.update(torch.tensor([math.nan]), torch.tensor([True]))
    assert math.isnan(metric.compute())


def test_a_mean_over_no_frames_is_nan():
    metric = FrameMean()
    metric.update(torch.tensor([1.0]), torch.tensor([False]))
    assert math.isnan(metric.compute())


def test_a_mean_that_was_reset_in_inference_mode_can_be_added_to_later():
    metric = Mean()
    with torch.inference_mode():
        metric.reset()
    metric.update(torch.tensor(1.0, requires_grad=True), 1)
    assert float(metric.compute()) == 1


@pytest.mark.parametrize("batches", [[[0, 1], [2]], [[2], [1, 0]], [[0, 1, 2]]])
def test_all_seen_once_is_right(batches):
    seen = SampleCounter()
    for batch in batches:
        seen.update(torch.tensor(batch))
    seen.check("val", 3)


@pytest.mark.parametrize(
    ("numbers", "samples", "message"),
    [
        ([0, 1, 1, 2], 3, "test: 4 clips .* 3, .*; sample 1 2 times"),
        ([0, 2], 3, "test: 2 clips .* 3, .*; sample 1 0 times"),
        ([0], 3, "test: 1 clips .* 3, .*; sample 1 0 times, sample 2 0 times"),
        ([0, 1, 5], 2, "test: 3 clips .* 2, .*; sample 5 1 times"),
    ],
)
def test_what_is_seen_twice_or_missing_is_told(numbers, samples, message):
    seen = SampleCounter()
    seen.update(torch.tensor(numbers))
    with pytest.raises(RuntimeError, match=f"^{message}$"):
        seen.check("test", samples)
