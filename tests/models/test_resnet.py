"""R3D-18 and R(2+1)D-18 against what is published of them, and as encoders of every task."""

import pytest
import torch
from torch import nn

from fbm.models.autoencoder import Autoencoder
from fbm.models.checkpointing import CheckpointedSequential, checkpoint_activations
from fbm.models.classifier import Classifier
from fbm.models.contract import checked_encoder
from fbm.models.disentangler import Disentangler
from fbm.models.resnet import R3D18, Block, R2Plus1D18
from fbm.runs.checkpoints import read_checkpoint
from fbm.utils.errors import UserError
from tests.models.test_checkpointing import of_autoencoder, trained
from tests.tiny import fbm, settings

KINDS = [R3D18, R2Plus1D18]


def counted(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


@pytest.mark.parametrize(("kind", "published"), [(R3D18, 33_371_472), (R2Plus1D18, 31_505_325)])
def test_parameters_with_a_400_class_layer_are_as_published(kind, published):
    with torch.device("meta"):
        assert counted(kind(64, 16, 112), nn.Linear(512, 400)) == published


@pytest.mark.parametrize("kind", KINDS)
def test_maps_at_the_papers_size(kind):
    """Table 1 of the paper: L x 56 x 56 twice, then time and space are halved three times."""
    with torch.device("meta"):
        encoder = kind(64, 16, 112)
        maps = [encoder.stem(torch.empty(2, 3, 16, 112, 112))]
        for stage in encoder.stages:
            maps.append(stage(maps[-1]))
        assert encoder(torch.empty(2, 3, 16, 112, 112)).shape == (2, 512, 7, 7) == (2, *encoder.feature_shape)
    assert [tuple(map_.shape[1:]) for map_ in maps] == [
        (64, 16, 56, 56),
        (64, 16, 56, 56),
        (128, 8, 28, 28),
        (256, 4, 14, 14),
        (512, 2, 7, 7),
    ]


@pytest.mark.parametrize(("kind", "convolutions"), [(R3D18, 17), (R2Plus1D18, 34)])
def test_eighteen_layers_with_the_classifier_and_three_shortcuts(kind, convolutions):
    with torch.device("meta"):
        layers = [layer for layer in kind(64, 16, 112).modules() if isinstance(layer, nn.Conv3d)]
    shortcuts = [layer for layer in layers if layer.kernel_size == (1, 1, 1)]
    assert (len(layers) - len(shortcuts), len(shortcuts)) == (convolutions, 3)
    assert all(layer.bias is None for layer in layers)  # each has a batch norm behind it


@pytest.mark.parametrize(("inputs", "outputs", "middle"), [(64, 64, 144), (64, 128, 230), (256, 512, 921)])
def test_the_pair_has_the_weights_of_the_convolution_in_whose_place_it_is(inputs, outputs, middle):
    residual = Block(inputs, outputs, 2, "batch", factorised=True).residual
    over_space, over_time = residual[0], residual[3]
    assert isinstance(over_space, nn.Conv3d)
    assert isinstance(over_time, nn.Conv3d)
    assert (over_space.out_channels, over_space.kernel_size, over_space.stride) == (middle, (1, 3, 3), (1, 2, 2))
    assert (over_time.in_channels, over_time.kernel_size, over_time.stride) == (middle, (3, 1, 1), (2, 1, 1))
    whole = 27 * inputs * outputs
    assert whole - 9 * inputs - 3 * outputs < counted(over_space, over_time) <= whole


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("frames", "size"), [(16, 112), (8, 32), (5, 50), (1, 16), (12, 17)])
def test_clips_of_any_size(kind, frames, size):
    encoder = checked_encoder(lambda: kind(2, frames, size, "group"), frames, size)
    assert encoder.feature_shape == (16, -(-size // 16), -(-size // 16))
    assert Classifier(encoder, 3)(torch.zeros(2, 3, frames, size, size)).shape == (2, 3)
    if size % 16 == 0:
        clip = torch.zeros(2, 3, frames, size, size)
        assert Autoencoder(encoder)(clip).shape == clip.shape
        assert Disentangler(encoder)(clip).reconstruction.last_foreground.shape == (2, 3, size, size)
    else:
        with pytest.raises(ValueError, match="feature_shape"):
            Autoencoder(encoder)


def test_a_width_below_one_is_refused():
    with pytest.raises(UserError, match="width 0"):
        checked_encoder(lambda: R3D18(0, 8, 32), 8, 32)


@pytest.mark.parametrize("kind", KINDS)
def test_features_depend_on_every_frame_and_on_their_order(kind):
    torch.manual_seed(0)
    encoder = kind(2, 16, 32).eval()
    clip = torch.randn(1, 3, 16, 32, 32, requires_grad=True)
    assert not torch.allclose(encoder(clip), encoder(clip.flip(2)))
    encoder(clip).pow(2).sum().backward()
    assert clip.grad is not None
    assert (clip.grad.abs().amax((0, 1, 3, 4)) > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_activation_checkpointing_changes_nothing(kind):
    clips = list(torch.randn(2, 2, 3, 8, 32, 32, dtype=torch.double))
    results = []
    for checkpointed in (False, True):
        torch.manual_seed(0)
        network = Autoencoder(kind(2, 8, 32)).double()
        if checkpointed:
            checkpoint_activations(network)
            assert sum(isinstance(part, CheckpointedSequential) for part in network.encoder.modules()) == 5
        results.append(trained(network, of_autoencoder, clips))
    assert results[0].keys() == results[1].keys()
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("encoder", "task"), [("r3d18", "disentangle"), ("r2plus1d18", "autoencode")])
def test_trained_by_the_command_and_classified_from(store, tmp_path, monkeypatch, encoder, task):
    monkeypatch.chdir(tmp_path)
    words = settings(store, f"encoder={encoder}", "encoder.width=2", "encoder.norm=group")
    words.remove("encoder.width=4")
    assert fbm("train", *words, f"task={task}", "name=a", "activation_checkpointing=true") == 0
    init = {"disentangle": "ours", "autoencode": "autoencoder"}[task]
    assert fbm("train", *words, "task=classify", f"init={init}", "init.checkpoint=outputs/demo/a", "name=b") == 0
    weights = [read_checkpoint(tmp_path / "outputs" / "demo" / name)["state_dict"] for name in "ab"]
    assert {key for key in weights[0] if ".encoder." in key} == {key for key in weights[1] if ".encoder." in key}
