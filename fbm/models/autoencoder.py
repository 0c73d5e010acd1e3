"""The autoencoder baseline of section 5. Clips are `B 3 T H W` float in [-1, 1]."""

from torch import Tensor, nn

from fbm.models.encoder import TIME_STRIDE, Encoder, check_decodable, width_of
from fbm.models.layers import Norm, OutputInit, conv3d, has_bias, initialise, norm3d, up3d


class ClipDecoder(nn.Module):
    """The encoder mirrored: the mapping undone, 3D convolutions, stride-2 transposed ones for the poolings."""

    def __init__(
        self, channels: int, width: int, frames: int, norm: Norm = "batch", output_init: OutputInit = "xavier"
    ) -> None:
        super().__init__()
        w = width
        output = nn.Conv3d(w, 3, 3, padding=1)
        self.layers = nn.Sequential(
            nn.ConvTranspose3d(channels, 8 * w, (frames // TIME_STRIDE, 2, 2), stride=(1, 2, 2), bias=has_bias(norm)),
            norm3d(8 * w, norm),
            nn.ReLU(inplace=True),
            *(conv3d(8 * w, 8 * w, norm), conv3d(8 * w, 8 * w, norm)),
            *(up3d(8 * w, 8 * w, (2, 2, 2), norm), conv3d(8 * w, 8 * w, norm), conv3d(8 * w, 4 * w, norm)),
            *(up3d(4 * w, 4 * w, (2, 2, 2), norm), conv3d(4 * w, 4 * w, norm), conv3d(4 * w, 2 * w, norm)),
            *(up3d(2 * w, 2 * w, (2, 2, 2), norm), conv3d(2 * w, w, norm)),
            *(up3d(w, w, (1, 2, 2), norm), output),
            nn.Tanh(),
        )
        initialise(self, output if output_init == "zero" else None)

    def forward(self, features: Tensor) -> Tensor:
        clip: Tensor = self.layers(features.unsqueeze(2))
        return clip


class Autoencoder(nn.Module):
    """The same encoder as ours and a mirrored decoder; it gives back the whole clip `B 3 T H W`.

    Args:
        decoder_norm: of the decoder; None takes that of the encoder's convolutions.
        output_init: of the decoder's last convolution.
    """

    def __init__(self, encoder: Encoder, decoder_norm: Norm | None = None, output_init: OutputInit = "xavier") -> None:
        super().__init__()
        self.encoder = encoder
        check_decodable(encoder)
        if encoder.frames % TIME_STRIDE:
            raise ValueError(f"the clip decoder makes multiples of {TIME_STRIDE} frames, not {encoder.frames}")
        self.decoder = ClipDecoder(
            *(encoder.feature_shape[0], width_of(encoder), encoder.frames, decoder_norm or encoder.norm), output_init
        )

    def forward(self, clip: Tensor) -> Tensor:
        reconstructed: Tensor = self.decoder(self.encoder(clip))
        return reconstructed
