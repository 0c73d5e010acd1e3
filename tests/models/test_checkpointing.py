"""Networks with activation checkpointing against the same ones without: nothing differs but what is kept."""

import copy
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from fbm.models.autoencoder import Autoencoder
from fbm.models.checkpointing import checkpoint_activations
from fbm.models.classifier import Classifier
from fbm.models.disentangler import Disentangler
from fbm.models.encoder import C3DEncoder
from fbm.models.layers import to_input

Loss = Callable[[Any, Tensor], Tensor]


def of_disentangler(network: Disentangler, clip: Tensor) -> Tensor:
    target = network.foreground_feature_target(clip)
    made = network(clip)
    losses = [frame.square().mean() for frame in made.reconstruction]
    losses += [] if made.mask_logits is None else [made.mask_logits.square().mean()]
    return torch.stack([*losses, (made.last_foreground_features - target).square().mean()]).sum()


def of_autoencoder(network: Autoencoder, clip: Tensor) -> Tensor:
    loss: Tensor = (network(clip) - clip).square().mean()
    return loss


def of_classifier(network: Classifier, clip: Tensor) -> Tensor:
    loss: Tensor = network(clip).logsumexp(1).mean()
    return loss


NETWORKS: dict[str, tuple[Callable[[C3DEncoder], nn.Module], Loss]] = {
    "disentangler": (Disentangler, of_disentangler),
    "disentangler with masks": (lambda encoder: Disentangler(encoder, predict_masks=True), of_disentangler),
    "autoencoder": (Autoencoder, of_autoencoder),
    "classifier": (lambda encoder: Classifier(encoder, 3), of_classifier),
    "classifier, half the gradient": (lambda encoder: Classifier(encoder, 3, 0.5), of_classifier),
}


def made(name: str, width: int = 2) -> tuple[nn.Module, Loss]:
    torch.manual_seed(0)
    make, loss = NETWORKS[name]
    return make(C3DEncoder(width, 8, 32)), loss


def trained(network: nn.Module, loss: Loss, clips: list[Tensor]) -> dict[str, Tensor]:
    """A step a clip; everything that comes of it."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    found = {}
    for step, clip in enumerate(clips):
        optimizer.zero_grad()
        value = loss(network, clip)
        value.backward()
        found[f"loss {step}"] = value.detach()
        found |= {
            f"{name} {step}": part.grad.clone() for name, part in network.named_parameters() if part.grad is not None
        }
        optimizer.step()
    return {**found, **copy.deepcopy(network.state_dict())}


@pytest.mark.parametrize("name", NETWORKS)
def test_losses_gradients_and_statistics_are_the_same(name):
    clips = list(torch.randn(3, 4, 3, 8, 32, 32, dtype=torch.double))
    plain, loss = made(name)
    expected = trained(plain.double(), loss, clips)
    network, loss = made(name)
    network.double()
    parts = {key: id(part) for key, part in [*network.named_parameters(), *network.named_buffers()]}
    checkpoint_activations(network)
    found = trained(network, loss, clips)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-9, atol=1e-12)
    passes = {int(value) for key, value in found.items() if key.endswith("num_batches_tracked")}
    assert passes == ({3, 6} if "disentangler" in name else {3})  # twice through its encoder and one decoder
    assert {key: id(part) for key, part in [*network.named_parameters(), *network.named_buffers()]} == parts


def test_in_mixed_precision_as_well():
    """The second pass is as mixed as the first. On processors bf16 gradients of weights are no measure: they vary."""
    clips = list(torch.randn(1, 4, 3, 8, 32, 32))
    results = []
    for lean in (False, True):
        network, loss = made("autoencoder")
        if lean:
            checkpoint_activations(network)
        results.append(trained(network, torch.autocast("cpu", torch.bfloat16)(loss), clips))
    compared = [key for key in results[0] if key == "loss 0" or ".running" in key or key.endswith("1.bias 0")]
    assert len(compared) > 40
    for key in compared:
        torch.testing.assert_close(results[1][key], results[0][key])


def kept(network: nn.Module, loss: Loss, clip: Tensor) -> int:
    """Bytes that the forward pass leaves for the backward pass, parameters not counted."""
    known = {part.untyped_storage().data_ptr() for part in network.parameters()}
    saved: dict[int, Any] = {}

    def keep(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()  # held: an address is not given twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        value = loss(network, clip)
    assert value.requires_grad
    return sum(storage.nbytes() for place, storage in saved.items() if place not in known)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_third_is_kept_at_most(name):
    """What goes into the stages, the clip as well, and what lies outside of them."""
    network, loss = made(name, width=4)
    clip = torch.randn(4, 3, 8, 32, 32)
    before = kept(network, loss, clip)
    checkpoint_activations(network)
    after = kept(network, loss, clip)
    assert clip.untyped_storage().nbytes() < after < before / 3


class Alive(TorchDispatchMode):
    """Bytes that tensors made inside hold at a time, at most."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_iter(made):
            if isinstance(tensor, Tensor) and tensor.untyped_storage()._cdata not in self.known:
                self._holds(tensor.untyped_storage())
        return made

    def _holds(self, storage: Any) -> None:
        place, size = storage._cdata, storage.nbytes()
        self.known.add(place)
        self.now += size
        self.most = max(self.most, self.now)

        def gone() -> None:
            self.known.remove(place)
            self.now -= size

        weakref.finalize(storage, gone)


@pytest.mark.parametrize(("name", "most"), [("disentangler", 0.75), ("autoencoder", 0.5), ("classifier", 0.7)])
def test_at_the_papers_size_a_step_needs_much_less_at_its_peak(name, most):
    """A batch of 40 clips, in tensors that hold nothing."""
    peaks = []
    for lean in (False, True):
        make, loss = NETWORKS[name]
        with FakeTensorMode(allow_non_fake_inputs=True), Alive() as alive:
            network = make(C3DEncoder(64, 16, 128))
            if lean:
                checkpoint_activations(network)
            loss(network, to_input(torch.zeros(40, 16, 128, 128, 3, dtype=torch.uint8))).backward()
        peaks.append(alive.most)
    assert peaks[1] < most * peaks[0]


def test_without_gradient_nothing_is_different():
    network, _ = made("autoencoder")
    network.eval()
    clip = torch.randn(2, 3, 8, 32, 32)
    expected = network(clip).detach()
    checkpoint_activations(network)
    with torch.no_grad():
        assert torch.equal(network(clip), expected)
    assert torch.equal(network(clip), expected)


def test_a_frozen_encoder_is_left_alone():
    network = Classifier(C3DEncoder(2, 8, 32), 3, encoder_gradient=0)
    text = repr(network)
    checkpoint_activations(network)
    assert repr(network) == text
    network.train()
    before = copy.deepcopy(network.encoder.state_dict())
    of_classifier(network, torch.randn(2, 3, 8, 32, 32)).backward()
    assert all(torch.equal(value, before[key]) for key, value in network.encoder.state_dict().items())


def test_a_failure_in_between_leaves_the_statistics_that_there_were():
    layers = nn.Sequential(nn.Conv3d(3, 2, 1), nn.BatchNorm3d(2))
    network = nn.Sequential(layers)
    checkpoint_activations(network)
    loss = network(torch.randn(2, 3, 2, 2, 2)).sum()
    statistics = layers[1].running_mean
    layers[0].register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        loss.backward()
    assert layers[1].running_mean is statistics
