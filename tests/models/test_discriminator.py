import pytest
import torch

from fbm.models.discriminator import PatchDiscriminator


def pictures(count: int = 2, size: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_every_scale_answers_for_its_patches():
    answers = PatchDiscriminator(width=4, scales=2)(pictures(), pictures(seed=1))
    assert [tuple(logits.shape) for logits in answers] == [(2, 4, 4), (2, 2, 2)]


def test_a_patch_is_judged_by_its_surroundings_alone():
    network = PatchDiscriminator(width=4, scales=1).eval()
    frames = pictures(size=128)
    changed = frames.clone()
    changed[..., :8] = 1.0
    before, after = (network(frames, shown)[0] for shown in (frames, changed))
    differs = (before != after).any(0).any(0)
    assert differs[0]
    assert not differs[4:].any()  # of 16 columns of patches, each 8 pixels from the next and 38 wide


def test_the_same_picture_is_judged_by_the_clip_it_is_of():
    network = PatchDiscriminator(width=4, scales=1).eval()
    picture = pictures()
    assert not torch.equal(network(pictures(seed=1), picture)[0], network(pictures(seed=2), picture)[0])


def test_small_changes_change_the_answer_little():
    """Each layer's spectral norm is 1: the answers move at most as far as the overlapping patches add up to."""
    torch.manual_seed(0)
    network = PatchDiscriminator(width=4, scales=1)
    for _ in range(30):  # training estimates the norms
        network(pictures(), pictures(seed=1))
    weights = [layer.weight.flatten(1) for layer in network.eval().modules() if isinstance(layer, torch.nn.Conv2d)]
    norms = [float(torch.linalg.matrix_norm(weight.detach(), 2)) for weight in weights]
    assert norms == pytest.approx([1.0] * 4, abs=0.02)
