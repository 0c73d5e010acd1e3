import pytest
import torch

from fbm.data.batch import ClipBatch
from fbm.models.encoder import C3DEncoder
from fbm.models.layers import to_input
from fbm.tasks import Classify
from fbm.tasks.views import crops
from tests.tasks.test_task import ADAM


def test_crops_by_hand():
    clips = torch.arange(6 * 9).view(1, 1, 1, 6, 9)
    left, middle, right = (one[0, 0, 0] for one in crops(clips, 4, 3))
    assert left[0].tolist() == [9, 10, 11, 12]  # rows 1 to 4 of 6
    assert middle[0, 0] == 9 + 2
    assert right[-1].tolist() == [4 * 9 + 5, 4 * 9 + 6, 4 * 9 + 7, 4 * 9 + 8]
    (alone,) = crops(clips, 4, 1)
    assert torch.equal(alone[0, 0, 0], middle)


def test_the_probabilities_of_a_test_clip_are_the_mean_over_its_crops():
    task = Classify(C3DEncoder(4, 8, 32), ADAM, ["a", "b", "c"], crops=3).eval()
    frames = torch.randint(0, 256, (2, 8, 48, 48, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    numbers = torch.arange(2)
    batch = ClipBatch(frames, torch.zeros(2, 0, 48, 48), numbers, numbers, numbers, torch.ones(2, dtype=torch.bool))
    with torch.no_grad():
        views = [task.network(one).softmax(1) for one in crops(to_input(frames), 32, 3)]
        mean = torch.stack(views).mean(0)
        assert torch.allclose(task._logits_of_crops(batch).softmax(1), mean, atol=1e-6)
        assert not torch.allclose(views[0], mean)


def test_crops_are_one_or_three():
    with pytest.raises(ValueError, match=r"test_views\.crops=2"):
        Classify(C3DEncoder(4, 8, 32), ADAM, ["a"], crops=2)
