"""NT-Xent against hand-worked values, and backgrounds that are pasted."""

import math
from functools import partial

import pytest
import torch

from fbm.data.batch import ClipBatch
from fbm.models.contrastive import Embedded, nt_xent
from fbm.models.encoder import C3DEncoder
from fbm.tasks import Contrast
from fbm.tasks.contrast import SplitLoss, SplitTop1
from fbm.utils.errors import UserError

ADAM = partial(torch.optim.Adam, lr=1e-3)


def embedded(rows: list[list[float]], video: list[int] | None = None) -> Embedded:
    """Two clips a sample, in order."""
    count = len(rows) // 2
    sample = torch.arange(count).repeat_interleave(2)
    own = sample if video is None else torch.tensor(video)
    return Embedded(torch.tensor(rows), sample, torch.tensor([0, 1]).repeat(count), own)


def task(**options) -> Contrast:
    torch.manual_seed(0)
    return Contrast(C3DEncoder(4, 8, 32, "group", "group"), ADAM, **options)


@pytest.fixture
def batch() -> ClipBatch:
    """Four samples of two clips; a clip's frames are one number, its foreground the left half."""
    frames = (torch.arange(8) * 10 + 5).view(4, 2, 1, 1, 1, 1).expand(4, 2, 8, 32, 32, 3).to(torch.uint8).contiguous()
    masks = torch.zeros(4, 2, 8, 32, 32, dtype=torch.uint8)
    masks[..., :16] = 1
    number = torch.arange(4)
    return ClipBatch(frames, masks, torch.zeros(4).long(), number, number + 10, torch.ones(4).bool())


def test_the_loss_of_two_samples_by_hand():
    """Similarities of the first clip: 1 to its positive, 0 and -1 to the others. By temperature 0.5: 2, 0, -2."""
    clips = embedded([[1, 0], [1, 0], [0, 1], [-1, 0]])
    loss, found = nt_xent(clips, clips, 0.5)
    expected = -2 + math.log(math.exp(2) + math.exp(0) + math.exp(-2))
    assert loss[0].item() == pytest.approx(expected, abs=1e-6)
    assert loss[1].item() == pytest.approx(expected, abs=1e-6)
    assert loss[2].item() == pytest.approx(math.log(3), abs=1e-6)  # 0 to each of the three
    assert loss[3].item() == pytest.approx(math.log(1 + 2 * math.exp(-2)), abs=1e-6)  # 0 to its own, -1 to the two
    assert found.tolist() == [True, True, True, True]


def test_mixed_precision_leaves_the_similarities_exact():
    clips = embedded(torch.nn.functional.normalize(torch.randn(12, 5), dim=1).tolist())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = nt_xent(clips, clips, 0.1)[0]
    assert torch.equal(mixed, nt_xent(clips, clips, 0.1)[0])


def test_other_samples_of_the_same_video_are_no_negatives():
    rows = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]]
    clips = embedded(rows, video=[7, 7, 7, 7, 8, 8])
    loss, found = nt_xent(clips, clips, 1.0)
    assert loss[0].item() == pytest.approx(math.log(1 + 2 * math.exp(-1)), abs=1e-6)
    assert bool(found[0])
    loss, found = nt_xent(embedded(rows), embedded(rows), 1.0)
    assert not bool(found[0])


def test_a_part_of_the_clips_as_anchors_has_the_losses_of_all():
    torch.manual_seed(0)
    clips = embedded(torch.nn.functional.normalize(torch.randn(12, 5), dim=1).tolist())
    whole, _ = nt_xent(clips, clips, 0.1)
    part, _ = nt_xent(Embedded(*(field[4:8] for field in clips)), clips, 0.1)
    torch.testing.assert_close(part, whole[4:8])


def test_a_splits_metrics_are_those_of_all_its_clips(monkeypatch):
    monkeypatch.setattr("fbm.tasks.contrast.BLOCK", 5)
    torch.manual_seed(0)
    clips = embedded(torch.nn.functional.normalize(torch.randn(12, 5), dim=1).tolist())
    loss, found = nt_xent(clips, clips, 0.1)
    for metric, expected in ((SplitLoss(0.1), loss.mean()), (SplitTop1(0.1), found.float().mean())):
        for start in (0, 4, 10):
            end = {0: 4, 4: 10, 10: 12}[start]
            metric.update(Embedded(*(field[start:end] for field in clips)))
        torch.testing.assert_close(metric.compute(), expected)


def test_a_few_steps_pull_the_clips_of_a_video_together(batch):
    learner = task()
    noise = torch.randint(0, 60, batch.frames.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    batch = batch._replace(frames=batch.frames + noise)
    optimizer = learner.configure_optimizers()
    losses = []
    for _ in range(6):
        optimizer.zero_grad()
        loss = learner.loss_terms(batch)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.9 * losses[0]


def test_a_foreground_is_pasted_on_the_clip_of_another_sample(batch):
    learner = task(background="paste")
    assert learner.mask_frames is None
    made = learner.pasted(batch)
    assert torch.equal(made.frames[:, 1], batch.frames[:, 1])  # the second view is as it was
    assert torch.equal(made.frames[:, 0, :, :, :16], batch.frames[:, 0, :, :, :16])
    backgrounds = made.frames[:, 0, :, :, 16:].flatten(1)
    assert (backgrounds == backgrounds[:, :1]).all()
    assert sorted(backgrounds[:, 0].tolist()) == [5, 25, 45, 65]  # every first clip once
    assert all(one != own for one, own in zip(backgrounds[:, 0].tolist(), (5, 25, 45, 65), strict=True))


def test_backgrounds_change_with_the_epoch_and_not_with_the_order_of_the_batch(batch, monkeypatch):
    learner = task(background="paste")
    made = learner.pasted(batch).frames
    turned = torch.tensor([2, 0, 3, 1])
    again = learner.pasted(ClipBatch(*(field[turned] for field in batch))).frames
    assert torch.equal(again, made[turned])
    seen = set()
    for epoch in range(8):
        monkeypatch.setattr(Contrast, "current_epoch", epoch)
        seen.add(tuple(learner.pasted(batch).frames[:, 0, 0, 0, 31, 0].tolist()))
    assert len(seen) > 2


def test_a_clip_without_foreground_stays_as_it_is(batch):
    batch.masks[2, 0] = 0
    made = task(background="paste").pasted(batch)
    assert torch.equal(made.frames[2], batch.frames[2])
    assert not torch.equal(made.frames[1], batch.frames[1])


def test_nothing_is_pasted_in_evaluation(batch):
    learner = task(background="paste")
    pasted, plain = (float(learner.train(mode).loss_terms(batch)["loss"]) for mode in (True, False))
    unpasted = float(task().loss_terms(batch)["loss"])
    assert plain == pytest.approx(unpasted)
    assert pasted != pytest.approx(unpasted)


def test_one_video_in_a_step_is_nothing_to_compare(batch):
    with pytest.raises(UserError, match=r"data.batch_size must be at least 2"):
        task().loss_terms(ClipBatch(*(field[:1] for field in batch)))


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"dim": 0}, {"hidden": 0}])
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        task(**options)
