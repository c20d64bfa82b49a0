"""Transposed convolutions that leave no checkerboard on flat areas."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SmoothTransposed(nn.ConvTranspose2d):
    """Transposed convolution of stride 2 that doubles the size and keeps a flat input flat.

    A transposed convolution of stride 2 computes the four pixels of each 2x2 block by four filters, one per
    position. If these differ in their sums, a flat input becomes a checkerboard. Here the filters are shifted
    to equal sums, whatever the weights are; where the kernel's side is even, each has as many taps. The edge
    is repeated beyond the borders, where zeros would leave a frame. The weights, their number and their names
    are those of :class:`torch.nn.ConvTranspose2d`.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        kernel: Side of the kernel, a multiple of the stride: 2, 4, 6, ...
        bias: Whether a bias is added.

    Raises:
        ValueError: If the side of the kernel is odd or below 2.

    Reference:
        Odena, Dumoulin, Olah, 2016, "Deconvolution and checkerboard artifacts": a kernel that its stride
        divides. The equal sums are after the condition of Sugawara, Shiota, Kiya, 2019, "Checkerboard
        artifacts free convolutional neural networks".
    """

    levelled: Tensor
    """Maps a kernel's values, (k * k,), to those with equal sums, shape (k * k, k * k)."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 4, *, bias: bool = True) -> None:
        if kernel < 2 or kernel % 2:
            raise ValueError(f"the kernel's side must be a multiple of the stride, 2, 4 or 6, got {kernel}")
        super().__init__(inputs, outputs, kernel, stride=2, padding=kernel // 2 - 1, bias=bias)
        of_filter = torch.arange(kernel) % 2
        of_filter = (2 * of_filter[:, None] + of_filter).flatten()
        mates = (of_filter[:, None] == of_filter).float() * 4 / kernel**2  # averages each filter's taps
        self.register_buffer("levelled", torch.eye(kernel**2) - mates + 1 / kernel**2, persistent=False)

    def start_smoothly(self) -> None:
        """Replace the initial weights by bilinear interpolations, as strong as they are on flat inputs."""
        side = self.kernel_size[0]
        tent = 1 - (torch.arange(side) - (side - 1) / 2).abs() / (side / 2)
        tent = tent / tent[::2].sum()
        with torch.no_grad():
            self.weight.copy_(self.weight.sum((2, 3), keepdim=True) / 2 * tent[:, None] * tent)

    def forward(self, features: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map features of shape (B, inputs, H, W) to (B, outputs, 2H, 2W)."""
        del output_size
        side, border = self.kernel_size[0], self.kernel_size[0] // 4
        even = (self.weight.flatten(2) @ self.levelled).reshape(self.weight.shape)
        padded = F.pad(features, [border] * 4, "replicate")
        return F.conv_transpose2d(padded, even, self.bias, stride=2, padding=side // 2 - 1 + 2 * border)
