"""A network of one's own: it brightens every pixel along a curve."""

from torch import Tensor, nn


class Curve(nn.Module):
    """Apply ``x + a x (1 - x)`` several times, with a strength ``a`` predicted per value.

    Args:
        channels: Channels between the two convolutions.
        steps: How often the curve is applied.

    Reference:
        Guo et al., 2020, "Zero-reference deep curve estimation for low-light image enhancement" (the curve).
    """

    def __init__(self, channels: int = 32, steps: int = 8) -> None:
        super().__init__()
        self.steps = steps
        self.strength = nn.Sequential(
            nn.Conv2d(3, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, 3, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, low: Tensor) -> Tensor:
        """Map images of shape (B, 3, H, W) in [0, 1] to images of the same shape and range."""
        strength, image = self.strength(low), low
        for _ in range(self.steps):
            image = image + strength * image * (1 - image)
        return image
