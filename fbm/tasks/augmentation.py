"""Crops, colours and blur of training clips, drawn from (seed, epoch, sample) and made on the clips' device.

Every frame of a clip is treated alike. Clips are `B 3 T H W` float in [-1, 1], masks `B M H W` float.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fbm.models.layers import without_autocast
from fbm.tasks.frames import random_scores

DRAWS = 12  # random numbers for a clip
# From RGB to luma and two colour differences (YIQ): turning these two changes the hue, shrinking them the saturation.
YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]], dtype=torch.float64)
RGB = torch.linalg.inv(YIQ)


class Augmentation:
    """Random crops, and the colour changes of contrastive learning (Chen et al., 2020), for whole clips.

    What is drawn for a clip does not depend on the batch, on ranks or on the device. Masks take part in the crop.

    Args:
        scale: share of the frame's area that is cropped, from and to, and resized to the clip's size; None crops the
            clip's size without resizing.
        ratio: of a crop's width to its height, from and to.
        brightness, contrast, saturation: a factor is drawn from 1 minus this to 1 plus this. The contrast is changed
            around the mean brightness of the clip.
        hue: the largest change, as a share of the colour circle, at most 0.5.
        jitter: probability that these four are changed.
        grey: probability that a clip is grey.
        blur: probability that it is blurred, by a Gaussian.
        sigma: the Gaussian's standard deviation in pixels, from and to; cut off at a twentieth of the clip's size.
        seed: of all that is drawn.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        scale: tuple[float, float] | None = None,
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        hue: float = 0.0,
        jitter: float = 0.0,
        grey: float = 0.0,
        blur: float = 0.0,
        sigma: tuple[float, float] = (0.1, 2.0),
        seed: int = 0,
    ) -> None:
        for name, (low, high) in {"scale": scale or (1, 1), "ratio": ratio, "sigma": sigma}.items():
            if not 0 < low <= high or (name == "scale" and high > 1):
                raise ValueError(f"augment.{name}=[{low},{high}]: two numbers above 0 in order, a scale at most 1")
        shares = {"contrast": contrast, "brightness": brightness, "saturation": saturation, "grey": grey, "blur": blur}
        for name, share in {**shares, "jitter": jitter}.items():
            if not 0 <= share <= 1:
                raise ValueError(f"augment.{name}={share} must be from 0 to 1")
        if not 0 <= hue <= 0.5:
            raise ValueError(f"augment.hue={hue} must be from 0 to 0.5")
        self.scale, self.ratio, self.sigma = scale, ratio, sigma
        self.brightness, self.contrast, self.saturation, self.hue = brightness, contrast, saturation, hue
        self.jitter, self.grey, self.blur = jitter, grey, blur
        self.seed = seed

    def __call__(self, clips: Tensor, masks: Tensor, size: int, epoch: int, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Clips `B 3 T size size`, channels last in memory, and masks `B M size size`.

        Args:
            drawn: what the random numbers of a clip depend on besides seed and epoch, `B` int64: its sample.
        """
        with without_autocast(clips.device):  # bf16 has fewer bits than a pixel
            return self._augmented(clips, masks, size, uniform(self.seed, epoch, drawn, DRAWS))

    def _augmented(self, clips: Tensor, masks: Tensor, size: int, random: Tensor) -> tuple[Tensor, Tensor]:
        boxes = self.boxes(random[:, :4], clips.shape[-1], size)
        clips, masks = cropped(clips, boxes, size), cropped(masks, boxes, size, "nearest")
        if self.jitter or self.grey:
            clips = recoloured(clips, *self.colours(random[:, 4:10]))
        if self.blur:
            sigma = self.sigma[0] + (self.sigma[1] - self.sigma[0]) * random[:, 10]
            clips = blurred(clips, torch.where(random[:, 11] < self.blur, sigma, 0), size // 20)
        return clips.contiguous(memory_format=torch.channels_last_3d), masks

    def boxes(self, random: Tensor, frame: int, size: int) -> Tensor:
        """Top, left, height and width of each crop in whole pixels, `B 4` float, from random numbers `B 4`.

        A side that is longer than the frame is cut to it.
        """
        if self.scale is None:
            height = width = torch.full_like(random[:, 0], size)
        else:
            low, high = self.scale
            area = frame**2 * (low + (high - low) * random[:, 0])
            low, high = map(math.log, self.ratio)
            ratio = (low + (high - low) * random[:, 1]).exp()
            height, width = ((area * wide).sqrt().round().clamp(1, frame) for wide in (1 / ratio, ratio))
        top, left = (((frame - side + 1) * random[:, at]).floor() for at, side in ((2, height), (3, width)))
        return torch.stack([top, left, height, width], 1)

    def colours(self, random: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Brightness and contrast `B`, and the change of colours `B 3 3`, from random numbers `B 6`."""
        changed = random[:, 4] < self.jitter
        names = (self.brightness, self.contrast, self.saturation)
        factors = [1 + most * (2 * random[:, at] - 1) * changed for at, most in enumerate(names)]
        brightness, contrast, saturation = factors
        saturation = torch.where(random[:, 5] < self.grey, 0, saturation)
        return brightness, contrast, colour_change(saturation, self.hue * (2 * random[:, 3] - 1) * changed)


def uniform(seed: int, epoch: int, drawn: Tensor, count: int) -> Tensor:
    """`B count` float32 from 0 to 1, the same on any device: 24 bits, which float32 holds exactly."""
    return (random_scores(seed, epoch, drawn, count) >> 39).float() / 2**24


def cropped(pictures: Tensor, boxes: Tensor, size: int, mode: str = "bilinear") -> Tensor:
    """Boxes of pictures `B ... H W`, resized to `size` x `size` pixels; one box for all pictures of a clip.

    Args:
        boxes: see `Augmentation.boxes`.
        mode: "bilinear" or "nearest".
    """
    flat = pictures.flatten(1, -3)
    if not flat.shape[1]:  # no masks
        return pictures[..., :size, :size]
    top, left, height, width = (side / pictures.shape[-1] for side in boxes.to(pictures.dtype).unbind(1))
    none = torch.zeros_like(top)
    # From -1 to 1 across the crop, to where that is in the frame, -1 to 1 as well.
    rows = [width, none, 2 * left + width - 1, none, height, 2 * top + height - 1]
    grid = F.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), [len(flat), 1, size, size], align_corners=False)
    sampled = F.grid_sample(flat, grid, mode=mode, padding_mode="border", align_corners=False)
    return sampled.view(*pictures.shape[:-2], size, size)


def colour_change(saturation: Tensor, hue: Tensor) -> Tensor:
    """Matrices `B 3 3` for RGB that multiply the saturation `B`, and turn the hue `B` by a share of the circle.

    They leave luma as it is.
    """
    angle = 2 * math.pi * hue
    cosine, sine = saturation * angle.cos(), saturation * angle.sin()
    none, one = torch.zeros_like(cosine), torch.ones_like(cosine)
    turned = torch.stack([one, none, none, none, cosine, -sine, none, sine, cosine], 1).view(-1, 3, 3)
    matrices: Tensor = RGB.to(turned) @ turned @ YIQ.to(turned)
    return matrices


def recoloured(clips: Tensor, brightness: Tensor, contrast: Tensor, colours: Tensor) -> Tensor:
    """Clips in [0, 1], as it were, times `brightness`, then times `contrast` around their mean luma, then `colours`.

    All in one product; values are clamped once, at the end, to what a frame can hold.
    """
    luma = (YIQ[0].to(clips) * (clips.mean((2, 3, 4)) + 1) / 2).sum(1)  # B, of the clip
    factor = (brightness * contrast).to(clips.dtype)
    offset = (brightness * luma * (1 - contrast)).to(clips.dtype)
    pixels = clips.permute(0, 2, 3, 4, 1)  # B T H W 3, in which order they are in memory
    # Rows of `colours` sum to 1, so they change no grey: x = 2 y - 1 becomes 2 (factor C y + offset) - 1.
    shift = (factor + 2 * offset - 1).view(-1, 1, 1)
    turned = pixels.flatten(1, 3) @ (factor.view(-1, 1, 1) * colours.to(clips.dtype)).mT + shift
    return turned.clamp(-1, 1).view(pixels.shape).permute(0, 4, 1, 2, 3)


def blurred(clips: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """Clips after a Gaussian with a standard deviation each, `B` in pixels, cut off at `radius`; 0 leaves a clip."""
    distance = torch.arange(-radius, radius + 1, device=clips.device, dtype=clips.dtype)
    spread = sigma.to(clips.dtype)[:, None].clamp(min=1e-6)
    weights = (-(distance**2) / (2 * spread**2)).exp()  # B 2*radius+1
    weights = (weights / weights.sum(1, keepdim=True)).view(len(clips), -1, 1, 1, 1)
    for axis in (3, 4):
        length = clips.shape[axis]
        places = torch.arange(-radius, length + radius, device=clips.device).clamp(0, length - 1)  # edges are repeated
        padded = clips.index_select(axis, places)
        clips = torch.zeros_like(clips)
        for at in range(2 * radius + 1):
            clips.addcmul_(padded.narrow(axis, at, length), weights[:, at, None])
    return clips
