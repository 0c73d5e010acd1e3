import pytest
import torch
import torch.nn.functional as F

from fbm.models.cross_convolution import CrossConvolution, cross_convolve


def one_by_one(maps, kernels):
    """Every sample's own convolution, as plainly as it can be said."""
    return torch.cat([F.conv2d(sample[None], own, padding="same") for sample, own in zip(maps, kernels, strict=True)])


@pytest.mark.parametrize(("kh", "kw"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (2, 5), (4, 1)])
@pytest.mark.parametrize(("h", "w"), [(4, 4), (5, 3)])
def test_equals_a_loop_over_the_samples(kh, kw, h, w):
    generator = torch.Generator().manual_seed(kh * 10 + kw)
    maps = torch.randn(3, 2, h, w, dtype=torch.float64, generator=generator, requires_grad=True)
    kernels = torch.randn(3, 5, 2, kh, kw, dtype=torch.float64, generator=generator, requires_grad=True)
    ours, plain = cross_convolve(maps, kernels), one_by_one(maps, kernels)
    assert ours.shape == (3, 5, h, w)
    torch.testing.assert_close(ours, plain, rtol=1e-12, atol=1e-12)
    weights = torch.randn(plain.shape, dtype=torch.float64, generator=generator)
    for got, wanted in zip(
        torch.autograd.grad((ours * weights).sum(), (maps, kernels)),
        torch.autograd.grad((plain * weights).sum(), (maps, kernels)),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)


def test_an_even_kernel_has_its_extra_padding_below_and_to_the_right():
    maps = torch.zeros(1, 1, 4, 4)
    maps[0, 0, 1, 1] = 1
    kernel = torch.zeros(1, 1, 1, 4, 4)
    kernel[..., 1, 1] = 1  # the tap over the pixel itself
    assert torch.equal(cross_convolve(maps, kernel), maps)


def test_no_clip_feels_anothers_kernels():
    torch.manual_seed(0)
    maps, kernels = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 3, 4, 4)
    before = cross_convolve(maps, kernels)
    kernels[1] += 1
    after = cross_convolve(maps, kernels)
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])


def test_bias_is_added_after_the_convolution():
    torch.manual_seed(0)
    module = CrossConvolution(6, 4)
    seen = []
    module.restore.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    maps, kernels = torch.randn(2, 6, 2, 2), torch.randn(2, 4, 4, 2, 2)
    module(maps, kernels)
    with torch.no_grad():
        module.bias.copy_(torch.arange(4.0))
    assert module(maps, kernels).shape == maps.shape
    torch.testing.assert_close(seen[1] - seen[0], torch.arange(4.0)[:, None, None].expand(2, 4, 2, 2))
