import pytest
import torch

from fbm.models.autoencoder import Autoencoder
from fbm.models.encoder import C3DEncoder


def test_paper_size_gives_back_the_whole_clip():
    with torch.device("meta"):
        network = Autoencoder(C3DEncoder(64, 16, 128))
        assert network(torch.empty(1, 3, 16, 128, 128)).shape == (1, 3, 16, 128, 128)


@pytest.mark.parametrize(("width", "frames", "size"), [(8, 16, 64), (4, 8, 32), (2, 32, 32)])
def test_small_sizes(width, frames, size):
    clip = torch.randn(2, 3, frames, size, size)
    out = Autoencoder(C3DEncoder(width, frames, size))(clip)
    assert out.shape == clip.shape
    assert out.abs().max() <= 1


def test_decoder_mirrors_the_encoder():
    """As many 3x3x3 convolutions as the encoder has, and a stride-2 transposed one for each pooling."""
    encoder = C3DEncoder(2, 16, 32)
    network = Autoencoder(encoder)
    ups = [layer for layer in network.decoder.modules() if isinstance(layer, torch.nn.ConvTranspose3d)]
    pools = [layer for layer in network.encoder.modules() if isinstance(layer, torch.nn.MaxPool3d)]
    assert [up.stride for up in ups[1:]] == [(2, 2, 2)] * 3 + [(1, 2, 2)]
    assert len(ups[1:]) == len(pools)
    plain = [layer for layer in network.decoder.modules() if isinstance(layer, torch.nn.Conv3d)]
    assert len(plain) == 8 == sum(isinstance(layer, torch.nn.Conv3d) for layer in encoder.convolutions.modules())
    assert not any(isinstance(layer, torch.nn.MaxPool3d) for layer in network.decoder.modules())


def test_a_few_steps_reconstruct_better():
    torch.manual_seed(0)
    network = Autoencoder(C3DEncoder(2, 8, 32))
    clip = torch.randn(4, 3, 8, 1, 1).expand(-1, -1, -1, 32, 32).tanh()
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    errors = []
    for _ in range(40):
        loss = (network(clip) - clip).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(float(loss.detach()))
    assert errors[-1] < 0.8 * errors[0]
