"""IAT: a gain and an offset per pixel, then a colour matrix and a gamma for the whole image."""

from typing import cast

import torch
from torch import Tensor, nn

from lowlight.networks.original import Original
from lowlight.networks.summary import Summary


def _identity(size: int) -> Tensor:
    """Return an identity matrix; ``torch.eye`` imports torch's compiler where weights are built unfilled."""
    return torch.tensor([[float(row == column) for column in range(size)] for row in range(size)])


class ColourNorm(nn.Module):
    """Mix the channels by a matrix, then scale and shift them; the paper's light normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.color = nn.Parameter(_identity(channels))
        self.alpha = nn.Parameter(torch.ones(1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, channels))

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        scale = self.alpha.flatten()
        kernel = (scale[:, None] * self.color)[:, :, None, None]
        return nn.functional.conv2d(features, kernel, self.beta.flatten())


class ConvMlp(nn.Module):
    """Two layers per pixel."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.act = nn.GELU()
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        return cast(Tensor, self.fc2(self.act(self.fc1(features))))


class LocalBlock(nn.Module):
    """Depthwise convolutions in the form of a transformer block (PEM, figure 2b of the paper)."""

    def __init__(self, channels: int, factor: int = 4, scale: float = 1e-4) -> None:
        super().__init__()
        self.pos_embed = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm1 = ColourNorm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 1)
        self.attn = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.conv2 = nn.Conv2d(channels, channels, 1)
        self.norm2 = ColourNorm(channels)
        self.mlp = ConvMlp(channels, factor * channels)
        self.gamma_1 = nn.Parameter(torch.full([1, channels, 1, 1], scale))
        self.gamma_2 = nn.Parameter(torch.full([1, channels, 1, 1], scale))

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, H, W)."""
        features = features + self.pos_embed(features)
        features = features + self.gamma_1 * self.conv2(self.attn(self.conv1(self.norm1(features))))
        return cast(Tensor, features + self.gamma_2 * self.mlp(self.norm2(features)))


class LocalBranch(nn.Module):
    """Predict a gain and an offset for every value."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 3, padding=1)
        self.relu = nn.LeakyReLU(0.2)
        self.mul_blocks = nn.Sequential(*(LocalBlock(channels) for _ in range(blocks)))
        self.add_blocks = nn.Sequential(*(LocalBlock(channels) for _ in range(blocks)))
        self.mul_end = nn.Sequential(nn.Conv2d(channels, 3, 3, padding=1), nn.ReLU())
        self.add_end = nn.Sequential(nn.Conv2d(channels, 3, 3, padding=1), nn.Tanh())

    def forward(self, low: Tensor) -> tuple[Tensor, Tensor]:
        """Return gains and offsets of the shape of images (B, 3, H, W)."""
        features = self.relu(self.conv1(low))
        gain = self.mul_end(self.mul_blocks(features) + features)
        return gain, self.add_end(self.add_blocks(features) + features)


class Queries(nn.Module):
    """Let ten trained queries attend to all pixels of an image."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Parameter(torch.ones(1, 10, channels))
        self.k = nn.Linear(channels, channels, bias=False)
        self.v = nn.Linear(channels, channels, bias=False)
        self.proj = nn.Linear(channels, channels)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return a vector per query, shape (B, 10, C), for pixels of shape (B, N, C)."""
        query, key, value = (
            one.reshape(*one.shape[:2], self.heads, -1).transpose(1, 2)
            for one in (self.q, self.k(pixels), self.v(pixels))
        )
        weights = (query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5).softmax(dim=-1)
        return cast(Tensor, self.proj((weights @ value).transpose(1, 2).flatten(2)))


class Mlp(nn.Module):
    """Two layers per vector."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return vectors of the same shape (B, N, C)."""
        return cast(Tensor, self.fc2(self.act(self.fc1(vectors))))


class Generator(nn.Module):
    """Attention of the queries to the pixels' features, then layers per query (figure 2c)."""

    def __init__(self, channels: int, heads: int, factor: int = 4) -> None:
        super().__init__()
        self.pos_embed = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm1 = nn.LayerNorm(channels)
        self.attn = Queries(channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Mlp(channels, factor * channels)

    def forward(self, features: Tensor) -> Tensor:
        """Return a vector per query, shape (B, 10, C), for features of shape (B, C, H, W)."""
        features = features + self.pos_embed(features)
        answers = self.attn(self.norm1(features.flatten(2).transpose(1, 2)))
        return cast(Tensor, answers + self.mlp(self.norm2(answers)))


class Embedding(nn.Module):
    """Two convolutions of stride 2 with batch normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            nn.Conv2d(3, channels // 2, 3, stride=2, padding=1),
            nn.BatchNorm2d(channels // 2),
            nn.GELU(),
            nn.Conv2d(channels // 2, channels, 3, stride=2, padding=1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, low: Tensor) -> Tensor:
        """Map images of shape (B, 3, H, W) to features of shape (B, C, H/4, W/4), rounded up."""
        return cast(Tensor, self.proj(low))


class GlobalBranch(Summary):
    """Predict the exponent and the colour matrix of an image."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.gamma_base = nn.Parameter(torch.ones(1))
        self.color_base = nn.Parameter(_identity(3))
        self.conv_large = Embedding(channels)
        self.generator = Generator(channels, heads)
        self.gamma_linear = nn.Linear(channels, 1)
        self.color_linear = nn.Linear(channels, 1)

    def forward(self, low: Tensor) -> Tensor:
        """Return ten values per image of shape (B, 3, H, W): the exponent, then the matrix by rows."""
        answers = self.generator(self.conv_large(low))
        gamma = self.gamma_linear(answers[:, :1]) + self.gamma_base
        colour = self.color_linear(answers[:, 1:]) + self.color_base.reshape(9, 1)
        return torch.cat([gamma, colour], dim=1).squeeze(-1)


class IAT(Original):
    """Enhance an image by a gain and an offset per value, then by a colour matrix and an exponent.

    The defaults are the published network for LOL with 91,154 parameters, equal to the authors' code.

    Args:
        channels: Channels of the local branch.
        blocks: Blocks per half of the local branch.
        global_channels: Channels of the global branch, a multiple of twice ``heads``.
        heads: Attention heads of the global branch.

    Reference:
        Cui, Li, Gu, Su, Gao, Jiang, Qiao and Harada, 2022, "You Only Need 90K Parameters to Adapt Light: a
        Light Weight Transformer for Image Enhancement and Exposure Correction", figure 2.

    Differs from the paper:
        As in the authors' code, the normalisation of the local branch does not depend on the image. Their
        stochastic depth in training, with rates up to a tenth, is left out. Weights begin as
        torch's layers do.

    It is exported to ONNX and torch.export. OpenVINO 2026.4 computes other exponents for some sizes, so its
    export is refused.

    Tiles share the exponent and the matrix, which are taken from a small copy of the image.
    """

    def __init__(
        self, channels: int = 16, blocks: int = 3, global_channels: int = 64, heads: int = 4
    ) -> None:
        super().__init__()
        if min(channels, blocks, heads, global_channels) < 1 or global_channels % (2 * heads):
            raise ValueError(
                f"global_channels={global_channels} must be a multiple of twice heads={heads}, and "
                f"channels={channels} and blocks={blocks} at least 1"
            )
        self.local_net = LocalBranch(channels, blocks)
        self.global_net = GlobalBranch(global_channels, heads)

    def forward(self, low: Tensor) -> Tensor:
        """Enhance images.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1].

        Returns:
            Images of the same shape, not clamped from above where the exponent is negative.
        """
        gain, offset = self.local_net(low)
        image = low * gain + offset
        gamma, colour = self.global_net(low).split([1, 9], dim=1)
        with torch.autocast(low.device.type, enabled=False):  # the least value is 0 in 16 bits
            mixed: Tensor = colour.float().reshape(-1, 3, 3) @ image.float().flatten(2)
            return mixed.clamp(1e-8, 1.0).pow(gamma.float()[:, :, None]).reshape(image.shape)
