import pytest
import pytorch_lightning as pl
import torch

from fbm.models.encoder import C3DEncoder
from fbm.tasks import Classify, Disentangle
from fbm.tasks.metrics import Votes
from tests.tasks.test_metrics import LABELS, PROBABILITIES, VIDEOS
from tests.tasks.test_task import ADAM


def test_votes_of_videos_by_hand():
    """Video 7 (class 0) is right; video 2 (class 1) is taken for class 2, by the mean; video 5 (class 2) is right."""
    metric = Votes()
    for part in torch.tensor([4, 0, 5, 2, 3, 1]).split([1, 3, 2]):
        metric.update(PROBABILITIES[part], LABELS[part], VIDEOS[part])
    assert metric.compute().tolist() == [[2, 1, 2], [5, 2, 2], [7, 0, 0]]


def test_a_test_leaves_both_confusions_and_the_next_one_begins_anew():
    task = Classify(C3DEncoder(4, 8, 32), ADAM, ["a", "b", "c"])
    assert task.test_artifacts == {"tested_clips": None, "confusion": None, "video_confusion": None}
    task.trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    for _ in range(2):
        task.on_test_epoch_start()
        task.sample_counter.update(torch.arange(len(LABELS)))
        task.test_clip_votes.update(PROBABILITIES, LABELS, torch.arange(len(LABELS)))
        task.test_video_votes.update(PROBABILITIES, LABELS, VIDEOS)
        task.on_test_epoch_end()
        assert task.test_artifacts == {
            "tested_clips": 6,
            "confusion": [[1, 2, 0], [0, 1, 1], [0, 0, 1]],
            "video_confusion": [[1, 0, 0], [0, 0, 1], [0, 0, 1]],
        }
        assert sum(task.test_outcomes["test/clip_top1"].values()) == 3  # of six
        assert task.test_outcomes["test/video_top1"] == {2: False, 5: True, 7: True}


def test_confusions_are_no_part_of_a_checkpoint():
    task = Classify(C3DEncoder(4, 8, 32), ADAM, ["a", "b", "c"])
    assert all(key.startswith("network.") for key in task.state_dict())


def test_a_pretraining_task_has_none():
    tested = Disentangle(C3DEncoder(4, 8, 32), ADAM).test_artifacts
    assert (tested["confusion"], tested["video_confusion"]) == (None, None)


def test_the_encoder_can_have_a_learning_rate_of_its_own():
    task = Classify(C3DEncoder(4, 8, 32), ADAM, ["a", "b", "c"], encoder_lr=0.02)
    optimizer = task.configure_optimizers()
    before = {name: parameter.detach().clone() for name, parameter in task.network.named_parameters()}
    for parameter in task.network.parameters():
        parameter.grad = torch.ones_like(parameter)  # of which Adam's first step is one rate long
    optimizer.step()
    for name, parameter in task.network.named_parameters():
        length = (parameter - before[name]).abs().mean()
        assert float(length) == pytest.approx(0.02 if name.startswith("encoder.") else 0.1, rel=1e-3), name


@pytest.mark.parametrize(("lr", "gradient"), [(0.0, 1.0), (-1.0, 1.0), (0.1, 0.0)])
def test_a_rate_without_effect_is_refused(lr, gradient):
    with pytest.raises(ValueError, match=f"encoder_lr={lr}"):
        Classify(C3DEncoder(4, 8, 32), ADAM, ["a", "b", "c"], encoder_gradient=gradient, encoder_lr=lr)
