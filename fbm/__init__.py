"""fbm: disentangling the foreground, background and motion features of videos."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `import fbm` and `fbm --help` must not wait for torch
    from pathlib import Path

    import torch

    from fbm.models.encoder import Encoder

__version__ = "0.1.0"


def load_encoder(path: "str | Path", map_location: "str | torch.device" = "cpu") -> "Encoder":
    """The trained encoder of a checkpoint, in eval mode, to be used in any program.

    It takes clips `B 3 T H W`, float in [-1, 1] (uint8 / 255 * 2 - 1), RGB, with T = `encoder.frames` consecutive
    frames of H = W = `encoder.size` pixels, resized without keeping the aspect ratio. It gives features `B C h w`,
    `encoder.feature_shape` being (C, h, w); after pretraining with task=disentangle,
    `fbm.models.disentangler.split` cuts them into motion, foreground and background.

    Args:
        path: a checkpoint file, or the folder of a finished run, which stands for its best checkpoint.
        map_location: the device to put the encoder on.

    Raises:
        UserError: there is none, it holds more than weights and plain values, or it does not hold all weights of the
            encoder that its own config describes.

    >>> import fbm, torch
    >>> from fbm.models.disentangler import split
    >>> encoder = fbm.load_encoder("outputs/demo/disentangle-random-seed0")
    >>> video = torch.randint(256, (2, 3, encoder.frames, encoder.size, encoder.size), dtype=torch.uint8)
    >>> with torch.no_grad():
    ...     features = encoder(video / 255 * 2 - 1)
    >>> features.shape == (2, *encoder.feature_shape)
    True
    >>> split(features).motion.shape
    torch.Size([2, 22, 2, 2])
    """
    from pathlib import Path

    from fbm.checkpoints import encoder_of, read_checkpoint

    return encoder_of(read_checkpoint(Path(path)), str(path)).to(map_location)
