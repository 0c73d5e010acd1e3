"""What the two sides learn from, and that neither learns from the other's loss."""

from functools import partial

import pytest
import torch
from torch import nn

from fbm.data.batch import ClipBatch
from fbm.models.disentangler import Reconstruction
from fbm.models.encoder import C3DEncoder
from fbm.tasks import Disentangle
from fbm.tasks.adversarial import PatchGANLoss
from fbm.tasks.schedules import one_cycle
from tests.tasks.test_disentangle import clips as clips  # a fixture
from tests.tasks.test_task import ADAM


def made(**more) -> Disentangle:
    torch.manual_seed(0)
    return Disentangle(
        C3DEncoder(4, 8, 32), ADAM, adversarial=0.05, discriminator=partial(PatchGANLoss, width=4), **more
    ).train()


def reached(network: nn.Module) -> bool:
    """Whether any of its weights has a gradient."""
    return any(bool(weight.grad.any()) for weight in network.parameters() if weight.grad is not None)


def gradients(task: Disentangle, name: str, batch: ClipBatch) -> tuple[bool, bool]:
    """Whether the network and the discriminators have any gradient of one of the terms."""
    task.zero_grad()
    task.loss_terms(batch)[name].backward()
    assert task.adversary is not None
    found = [
        [p.grad is not None and bool(p.grad.any()) for p in side.parameters()]
        for side in (task.network, task.adversary)
    ]
    return any(found[0]), any(found[1])


def test_neither_side_learns_from_the_others_loss(clips):
    task = made()
    assert gradients(task, "loss", clips) == (True, False)
    assert gradients(task, "adversarial", clips) == (True, False)
    assert gradients(task, "discriminator", clips) == (False, True)


def test_one_step_trains_both_by_their_own_losses(clips):
    """What is minimised is the sum, of which each side sees its part."""
    task = made()
    terms = task.loss_terms(clips)
    assert torch.equal(task.total_loss(terms), terms["loss"] + terms["discriminator"])
    total = sum(terms[name] for name in ("first_foreground", "first_background", "last_foreground", "features"))
    torch.testing.assert_close(terms["loss"], total + 0.05 * terms["adversarial"])


def test_the_adversarial_loss_reaches_every_decoder_and_the_encoder(clips):
    task = made()
    task.loss_terms(clips)["adversarial"].backward()
    for part in ("encoder", "foreground_decoder", "background_decoder", "kernel_decoder"):
        assert reached(getattr(task.network, part)), part


def test_a_foreground_without_a_mask_is_not_judged():
    torch.manual_seed(0)
    adversary = PatchGANLoss(width=4, scales=1).eval()
    frames = torch.rand(2, 3, 32, 32)
    true = Reconstruction(frames, frames, frames)
    wrong = torch.zeros(2, 3, 32, 32, requires_grad=True)
    masks = torch.zeros(2, 2, 32, 32)
    masks[1] = 1
    adversary(frames, true._replace(last_foreground=wrong), true, masks).adversarial.backward()
    assert wrong.grad is not None
    assert not wrong.grad[0].any()
    assert wrong.grad[1].any()


def test_discriminators_learn_to_tell_the_truth_from_grey():
    torch.manual_seed(0)
    adversary = PatchGANLoss(width=4, scales=1)
    frames = torch.rand(4, 3, 32, 32)
    true, grey = Reconstruction(frames, frames, frames), Reconstruction(*[torch.zeros_like(frames)] * 3)
    optimizer = torch.optim.Adam([adversary.param_group()], lr=1e-2)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        both = adversary(frames, grey, true, torch.ones(4, 2, 32, 32))
        both.discriminator.backward()
        optimizer.step()
        losses.append(both.discriminator.item())
    assert losses[0] == pytest.approx(0.7, abs=0.2)
    assert losses[-1] < losses[0] / 2
    assert both.adversarial > 1  # what they know costs the other side


def test_both_sides_have_a_rate_and_the_schedule_is_of_both():
    assert {group["lr"] for group in made().configure_optimizers().param_groups} == {0.1}
    task = Disentangle(
        *(C3DEncoder(4, 8, 32), partial(torch.optim.Adam, lr=1e-3, weight_decay=0.1)),
        partial(one_cycle, total_steps=10, pct_start=0.3),
        adversarial=0.05,
        discriminator=partial(PatchGANLoss, width=4, lr=4e-3),
    )
    both = task.configure_optimizers()
    optimizer, schedule = both["optimizer"], both["lr_scheduler"]["scheduler"]
    *network, discriminator = optimizer.param_groups
    assert discriminator["weight_decay"] == 0
    peak = [0.0] * 3
    for _ in range(9):
        peak = [max(pair) for pair in zip(peak, (group["lr"] for group in optimizer.param_groups), strict=True)]
        optimizer.step()
        schedule.step()
    assert peak == pytest.approx([1e-3, 1e-3, 4e-3])
    assert discriminator["lr"] == pytest.approx(4 * network[0]["lr"])


def test_off_by_default():
    torch.manual_seed(0)
    task = Disentangle(C3DEncoder(4, 8, 32), ADAM)
    assert task.adversary is None
    assert not any("adversar" in name or "discriminator" in name for name in task.state_dict())


@pytest.mark.parametrize(
    "settings",
    [
        {"adversarial": -1.0},
        {"adversarial": 0.1, "discriminator": partial(PatchGANLoss, width=0)},
        {"adversarial": 0.1, "discriminator": partial(PatchGANLoss, scales=0)},
        {"adversarial": 0.1, "discriminator": partial(PatchGANLoss, lr=0.0)},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=r"adversarial=-1|task\.discriminator"):
        Disentangle(C3DEncoder(4, 8, 32), ADAM, **settings)
