import copy

import pytest
import torch

from fbm.models.classifier import Classifier, scale_gradient
from fbm.models.encoder import C3DEncoder
from fbm.tasks.optimizers import parameter_groups


@pytest.fixture
def encoder() -> C3DEncoder:
    torch.manual_seed(0)
    return C3DEncoder(4, 8, 32)


@pytest.fixture
def clip() -> torch.Tensor:
    return torch.randn(4, 3, 8, 32, 32, generator=torch.Generator().manual_seed(1))


def encoder_gradients(network: Classifier, clip: torch.Tensor) -> list[torch.Tensor]:
    network(clip).square().sum().backward()
    gradients = [parameter.grad for parameter in network.encoder.parameters() if parameter.grad is not None]
    assert len(gradients) == len(list(network.encoder.parameters()))
    return gradients


def test_linear_layer_on_all_features():
    with torch.device("meta"):
        network = Classifier(C3DEncoder(64, 16, 128), 24)
        assert network(torch.empty(2, 3, 16, 128, 128)).shape == (2, 24)
    assert network.linear.in_features == 512 * 4 * 4


def test_half_the_gradient_is_exactly_half(encoder, clip):
    whole, half = Classifier(encoder, 3), Classifier(copy.deepcopy(encoder), 3, encoder_gradient=0.5)
    half.linear.load_state_dict(whole.linear.state_dict())
    assert torch.equal(whole(clip), half(clip))
    for full, halved in zip(encoder_gradients(whole, clip), encoder_gradients(half, clip), strict=True):
        assert torch.equal(halved, full / 2)
    assert whole.linear.weight.grad is not None
    assert half.linear.weight.grad is not None
    assert torch.equal(whole.linear.weight.grad, half.linear.weight.grad)


def test_scaling_a_gradient_keeps_the_values():
    features = torch.randn(100, dtype=torch.float64, requires_grad=True)
    scaled = scale_gradient(features, 0.3)
    torch.testing.assert_close(scaled, features, rtol=1e-15, atol=0)
    scaled.sum().backward()
    torch.testing.assert_close(features.grad, torch.full_like(features, 0.3))


@pytest.mark.parametrize("factor", [0.0, 0.5])
def test_frozen_encoder_does_not_change_in_training_and_another_does(encoder, clip, factor):
    network = Classifier(encoder, 3, encoder_gradient=factor)
    before = copy.deepcopy(network.state_dict())
    optimizer = torch.optim.Adam(parameter_groups(network), 1e-2, weight_decay=1e-3)
    for _ in range(2):
        torch.nn.functional.cross_entropy(network(clip), torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
        network.eval()  # as for a validation in between
        network(clip)
        network.train()
    same = {key: torch.equal(value, before[key]) for key, value in network.state_dict().items()}
    assert not same["linear.weight"]
    assert not same["linear.bias"]
    of_encoder = {key: value for key, value in same.items() if key.startswith("encoder.")}
    assert any("running_mean" in key for key in of_encoder)
    assert set(of_encoder.values()) == {factor == 0}


def test_frozen_features_are_those_of_evaluation(encoder, clip):
    network = Classifier(encoder, 3, encoder_gradient=0).train()
    training = network(clip)
    assert torch.equal(training, network.eval()(clip))


@pytest.mark.parametrize("factor", [1.0, 0.3, 0.0])
def test_logits_are_in_float32_also_in_mixed_precision(encoder, clip, factor):
    """What the encoder gives is bf16; the layer's weights are not, and no two logits are the same by rounding."""
    network = Classifier(encoder, 64, encoder_gradient=factor).eval()
    with torch.autocast("cpu", torch.bfloat16):
        features = network.encoder(clip)
        logits = network(clip)
    assert (features.dtype, logits.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(logits, network.linear(features.float().flatten(1)))
    assert len(logits.unique()) == logits.numel()
    network.train()
    with torch.autocast("cpu", torch.bfloat16):
        torch.nn.functional.cross_entropy(network(clip), torch.tensor([0, 1, 2, 0])).backward()
    assert all(weight.grad is not None for weight in network.parameters() if weight.requires_grad)


def test_a_network_all_in_bf16_or_double_stays_so(encoder, clip):
    for kind in (torch.bfloat16, torch.float64):
        assert Classifier(copy.deepcopy(encoder), 3).to(kind)(clip.to(kind)).dtype is kind
