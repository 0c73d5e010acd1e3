import torch
from torchmetrics.functional.classification import multiclass_accuracy

from fbm.models.encoder import C3DEncoder
from fbm.tasks import Classify
from fbm.tasks.metrics import VideoAccuracy
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
    for metric in (task.train_top1, task.val_clip_top1, task.test_clip_top1):
        metric.update(PROBABILITIES, LABELS)
        torch.testing.assert_close(metric.compute(), torch.tensor(3 / 6))
    macro = multiclass_accuracy(PROBABILITIES, LABELS, 3, average="macro")
    assert not torch.isclose(macro, torch.tensor(0.5))  # else this test could not tell
