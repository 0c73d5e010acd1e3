"""Clip order prediction: which order is seen, and that it can be learnt."""

from functools import partial
from itertools import permutations

import pytest
import torch

from fbm.data.batch import ClipBatch, Windows
from fbm.models.clip_order import ClipOrderNetwork
from fbm.models.encoder import C3DEncoder
from fbm.tasks import ClipOrder

ADAM = partial(torch.optim.Adam, lr=1e-3)


def encoder() -> C3DEncoder:
    torch.manual_seed(0)
    return C3DEncoder(4, 8, 32, "group", "group")


def brightening(samples: int) -> ClipBatch:
    """Clips that are the brighter the later they are."""
    noise = torch.randint(0, 40, (samples, 3, 8, 32, 32, 3), generator=torch.Generator().manual_seed(0))
    frames = (noise + torch.tensor([0, 90, 200]).view(3, 1, 1, 1, 1)).to(torch.uint8)
    number = torch.arange(samples)
    masks = torch.zeros(samples, 3, 0, 32, 32, dtype=torch.uint8)
    return ClipBatch(frames, masks, number, number, number, torch.ones(samples).bool())


@pytest.mark.parametrize(("clips", "orders", "pairs"), [(2, 2, 1), (3, 6, 3), (4, 24, 6)])
def test_every_order_is_there_once(clips, orders, pairs):
    network = ClipOrderNetwork(encoder(), clips)
    assert network.linear.weight.shape == (orders, 512 * pairs)
    seen = [tuple(order.argmax(1).tolist()) for order in network.orders]
    assert seen == list(permutations(range(clips)))
    assert "orders" not in network.state_dict()


def test_an_order_is_that_of_the_clips_that_are_seen():
    """Shuffled before the encoder, and told to be in order, they give the same logits."""
    network = ClipOrderNetwork(encoder(), 3).eval()
    clips = torch.randn(2, 3, 3, 8, 32, 32)
    order = torch.tensor([4, 3])  # (2, 0, 1) and (1, 2, 0)
    shuffled = torch.stack([clips[0, [2, 0, 1]], clips[1, [1, 2, 0]]])
    with torch.no_grad():
        made = network(clips.flatten(0, 1), order)
        torch.testing.assert_close(made, network(shuffled.flatten(0, 1), torch.zeros(2).long()))
    assert made.shape == (2, 6)


def test_orders_are_drawn_by_epoch_in_training_and_fixed_in_evaluation(monkeypatch):
    task, batch = ClipOrder(encoder(), ADAM), brightening(40)
    seen: list[torch.Tensor] = []
    forward = task.network.forward

    def watched(clips: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
        seen.append(order)
        return forward(clips, order)

    monkeypatch.setattr(task.network, "forward", watched)
    with torch.no_grad():
        for mode, epoch in ((True, 0), (True, 1), (True, 0), (False, 0), (False, 1)):
            monkeypatch.setattr(ClipOrder, "current_epoch", epoch)
            task.train(mode).loss_terms(batch)
    assert torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[0], seen[1])
    assert torch.equal(seen[3], seen[4])
    assert set(seen[0].tolist()) == set(range(6))


def test_it_learns_to_sort_clips():
    task, batch = ClipOrder(encoder(), ADAM), brightening(12)
    optimizer = task.configure_optimizers()
    for _ in range(40):
        optimizer.zero_grad()
        terms = task.loss_terms(batch)
        terms["loss"].backward()
        optimizer.step()
    assert float(terms["top1"]) > 0.8


def test_the_windows_are_those_of_its_settings():
    assert ClipOrder(encoder(), ADAM, clips=4, interval=0).windows == Windows(4, 0)


@pytest.mark.parametrize("options", [{"clips": 1}, {"clips": 6}, {"interval": -1}, {"hidden": 0}])
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        ClipOrder(encoder(), ADAM, **options)
