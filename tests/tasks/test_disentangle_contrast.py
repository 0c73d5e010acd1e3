"""Ours with a contrastive loss: its terms are those of both tasks, on the same clips."""

from functools import partial

import pytest
import torch

from fbm.data.batch import ClipBatch
from fbm.models.contrastive import nt_xent
from fbm.models.disentangler import split_features
from fbm.models.encoder import C3DEncoder
from fbm.tasks import ContrastiveDisentangle, Disentangle
from fbm.utils.errors import UserError

ADAM = partial(torch.optim.Adam, lr=1e-3)


def task(**options) -> ContrastiveDisentangle:
    torch.manual_seed(0)
    return ContrastiveDisentangle(C3DEncoder(4, 8, 32, "group", "group"), ADAM, **options)


@pytest.fixture
def batch() -> ClipBatch:
    """Three samples of two windows."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (3, 2, 8, 32, 32, 3), generator=generator, dtype=torch.uint8)
    masks = torch.zeros(3, 2, 2, 32, 32, dtype=torch.uint8)
    masks[..., :16] = 1
    number = torch.arange(3)
    return ClipBatch(frames, masks, torch.zeros(3).long(), number, number, torch.ones(3).bool())


def as_six_clips(batch: ClipBatch) -> ClipBatch:
    number = torch.arange(6)
    frames, masks = batch.frames.flatten(0, 1), batch.masks.flatten(0, 1)
    return ClipBatch(frames, masks, torch.zeros(6).long(), number, number, torch.ones(6).bool())


def test_the_loss_is_that_of_ours_on_both_windows_and_weighted_nt_xent(batch):
    learner = task(contrast=0.5)
    plain = Disentangle(C3DEncoder(4, 8, 32, "group", "group"), ADAM)
    plain.network.load_state_dict(learner.network.state_dict())
    terms, ours = learner.loss_terms(batch), plain.loss_terms(as_six_clips(batch))
    for name in ("first_foreground", "first_background", "last_foreground", "features", "reconstruction"):
        torch.testing.assert_close(terms[name], ours[name])
    features = split_features(learner.encoder(learner.inputs(batch)[0]))
    own = learner.embedded(features, batch)
    contrast = nt_xent(own, own, 0.1)[0].mean()
    torch.testing.assert_close(terms["contrast"], contrast)
    torch.testing.assert_close(terms["loss"], ours["loss"] + 0.5 * contrast)


def test_the_two_windows_of_a_sample_are_each_others_positives(batch):
    learner = task()
    own = learner.embedded(split_features(torch.randn(6, learner.encoder.feature_shape[0], 2, 2)), batch)
    assert own.sample.tolist() == [0, 0, 1, 1, 2, 2]
    assert own.view.tolist() == [0, 1, 0, 1, 0, 1]


def test_nt_xent_reaches_every_part_and_the_head(batch):
    learner = task()
    features = torch.randn(6, learner.encoder.feature_shape[0], 2, 2, requires_grad=True)
    own = learner.embedded(split_features(features), batch)
    nt_xent(own, own, 0.1)[0].mean().backward()
    assert features.grad is not None
    assert all(part.abs().sum() > 0 for part in split_features(features.grad))
    assert all(weight.grad is not None for weight in learner.head.parameters())


def test_the_optimiser_trains_the_head_once():
    learner = task()
    given = [id(parameter) for group in learner.param_groups() for parameter in group["params"]]
    assert len(given) == len(set(given)) == len(list(learner.parameters()))


def test_a_few_steps_lower_both_losses(batch):
    learner = task()
    optimizer = learner.configure_optimizers()
    seen = []
    for _ in range(8):
        optimizer.zero_grad()
        terms = learner.loss_terms(batch)
        terms["loss"].backward()
        optimizer.step()
        seen.append((float(terms["contrast"].detach()), float(terms["reconstruction"].detach())))
    assert all(last < 0.98 * first for first, last in zip(seen[0], seen[-1], strict=True))


def test_one_sample_has_no_negatives(batch):
    alone = ClipBatch(*(field[:1] for field in batch))
    with pytest.raises(UserError, match=r"data\.batch_size must be at least 2"):
        task().loss_terms(alone)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"contrast": 0}, "contrast=0 and temperature=0.1 must be above 0"),
        ({"temperature": 0}, "temperature=0 must be above 0"),
        ({"dim": 0}, "dim=0 and hidden=None must be at least 1"),
        ({"target": "random"}, "target=random: with a contrastive loss only target=last"),
    ],
)
def test_what_cannot_be_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        task(**options)
