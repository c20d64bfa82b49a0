"""Layer normalisation of every pixel over its channels."""

from torch import Tensor, nn
from torch.nn import functional as F


class ChannelNorm(nn.LayerNorm):
    """Normalise each pixel's channels to mean 0 and variance 1, then scale and shift them per channel.

    With channels last in memory, as :class:`lowlight.model.Model` has them, nothing is copied.

    Reference:
        Ba, Kiros and Hinton, 2016, "Layer normalization".
    """

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        last = features.permute(0, 2, 3, 1)
        return F.layer_norm(last, self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)
