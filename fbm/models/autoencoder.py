"""The autoencoder baseline of section 5. Clips are `B 3 T H W` float in [-1, 1]."""

from torch import Tensor, nn

from fbm.models.decoder import ClipDecoder
from fbm.models.encoder import Encoder
from fbm.models.layers import Norm, OutputInit


class Autoencoder(nn.Module):
    """The same encoder as ours and a `ClipDecoder`: reconstructs the whole clip.

    Args:
        encoder: shared with the other tasks.
        decoder_norm: of the decoder; None takes that of the encoder's convolutions.
        output_init: of the decoder's last convolution.

    Raises:
        ValueError: the decoder cannot make frames of the encoder's features.
    """

    def __init__(self, encoder: Encoder, decoder_norm: Norm | None = None, output_init: OutputInit = "xavier") -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = ClipDecoder(
            encoder.feature_shape, encoder.clip_shape, norm=decoder_norm or encoder.norm, output_init=output_init
        )

    def forward(self, clip: Tensor) -> Tensor:
        reconstructed: Tensor = self.decoder(self.encoder(clip))
        return reconstructed
