import pytest
import torch

from fbm.models.decoder import FrameDecoder, KernelDecoder, MaskedFrameDecoder
from tests.models.count import millions


def test_frame_decoder_at_the_papers_size():
    with torch.device("meta"):
        decoder = FrameDecoder(170, 64)
        assert decoder(torch.empty(2, 170, 4, 4)).shape == (2, 3, 128, 128)
    assert millions(decoder) == pytest.approx(23.95, abs=0.005)
    channels = [layer.out_channels for layer in decoder.modules() if isinstance(layer, torch.nn.ConvTranspose2d)]
    assert channels == [512, 512, 256, 128, 3]


def test_kernel_decoder_at_the_papers_size():
    with torch.device("meta"):
        decoder = KernelDecoder(172, 48)
        assert decoder(torch.empty(2, 172, 4, 4)).shape == (2, 48, 48, 4, 4)
    assert millions(decoder) == pytest.approx(99.1, abs=0.05)


def test_small_decoders():
    frames = FrameDecoder(5, 4)(torch.randn(2, 5, 2, 3))
    assert frames.shape == (2, 3, 64, 96)
    assert frames.abs().max() <= 1
    assert KernelDecoder(7, 3)(torch.randn(2, 7, 2, 2)).shape == (2, 3, 3, 2, 2)


def test_frames_reach_both_ends_of_the_scale():
    decoder = FrameDecoder(3, 2)
    with torch.no_grad():
        last = decoder.layers[-2]
        assert isinstance(last, torch.nn.ConvTranspose2d)
        last.bias.copy_(torch.tensor([9.0, -9.0, 0.0]))  # type: ignore[union-attr]
        last.weight.zero_()
    frame = decoder(torch.randn(2, 3, 1, 1))
    assert torch.allclose(frame.amax((0, 2, 3)), torch.tensor([1.0, -1.0, 0.0]), atol=1e-4)


def test_a_frame_is_grey_where_its_mask_is_empty():
    decoder = MaskedFrameDecoder(3, 2)
    with torch.no_grad():
        last = decoder.layers[-2]
        assert isinstance(last, torch.nn.ConvTranspose2d)
        last.weight.zero_()
        for mask, shown in ((-99.0, 0.0), (0.0, 0.5), (99.0, 1.0)):
            last.bias.copy_(torch.tensor([9.0, -9.0, 0.0, mask]))  # type: ignore[union-attr]
            frame, logits = decoder(torch.randn(2, 3, 1, 1))
            assert frame.shape == (2, 3, 32, 32)
            assert torch.equal(logits, torch.full((2, 32, 32), mask))
            assert torch.allclose(frame.amax((0, 2, 3)), shown * torch.tensor([1.0, -1.0, 0.0]), atol=1e-4)


def test_kernels_may_be_negative_and_large():
    """The last convolution has neither norm nor ReLU: a kernel that moves things needs both signs."""
    torch.manual_seed(0)
    kernels = KernelDecoder(7, 3)(10 * torch.randn(4, 7, 2, 2))
    assert kernels.min() < 0 < kernels.max()


def test_a_decoder_can_begin_with_grey_frames():
    """The last layer learns first; from then on the layers before it have gradients as well."""
    torch.manual_seed(0)
    features, decoder = torch.randn(2, 3, 1, 1), FrameDecoder(3, 2, output_init="zero")
    assert not decoder(features).any()
    optimizer = torch.optim.SGD(decoder.parameters(), lr=1.0)
    reached = []
    for _ in range(2):
        optimizer.zero_grad()
        (decoder(features) - 0.5).abs().mean().backward()
        reached.append(
            [bool(parameter.grad is not None and parameter.grad.any()) for parameter in decoder.parameters()]
        )
        optimizer.step()
    assert not any(reached[0][:-2])
    assert reached[0][-2:] == [True, True]
    assert sum(reached[1]) > len(reached[1]) / 2
    assert decoder(features).any()
