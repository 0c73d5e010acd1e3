"""Action recognition: a linear softmax layer on the encoder's features (section 5). Clips are `B 3 T H W`."""

import math

from torch import Tensor, nn

from fbm.models.encoder import Encoder
from fbm.models.layers import init_weights, without_autocast


def scale_gradient(features: Tensor, factor: float) -> Tensor:
    """The same values; their gradient is multiplied by `factor`."""
    return features if factor == 1 else features * factor + features.detach() * (1 - factor)


class Classifier(nn.Module):
    """Flattened features and one linear layer; forward returns logits `B classes`.

    Logits have the precision of the layer's weights, also in mixed precision: the 8 bits of bf16 are too few to
    separate classes with similar logits.

    Args:
        encoder: with weights from any initialisation.
        classes: their number.
        encoder_gradient: factor on the gradient that reaches the encoder, as in the reference program; 0 freezes it,
            batch norm statistics and weight decay included. Adam normalises gradients, so other factors hardly change
            its step; they only increase the relative weight decay, which is not multiplied. For a slower encoder see
            `encoder_lr` of `fbm.tasks.Classify`.
    """

    def __init__(self, encoder: Encoder, classes: int, encoder_gradient: float = 1.0) -> None:
        super().__init__()
        self.encoder = encoder
        self.encoder_gradient = encoder_gradient
        self.linear = nn.Linear(math.prod(encoder.feature_shape), classes)
        init_weights(self.linear)
        if self.frozen:
            encoder.requires_grad_(False).eval()  # Lightning keeps the mode that a module is in

    @property
    def frozen(self) -> bool:
        """Whether the encoder is not trained."""
        return self.encoder_gradient == 0

    def train(self, mode: bool = True) -> "Classifier":
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def forward(self, clip: Tensor) -> Tensor:
        features = self.encoder(clip).flatten(1).to(self.linear.weight.dtype)
        with without_autocast(features.device):
            logits: Tensor = self.linear(scale_gradient(features, self.encoder_gradient))
        return logits
