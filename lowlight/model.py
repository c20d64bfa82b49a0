"""Image networks made ready to enhance, on plain torch: what needs no training needs no Lightning."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from lowlight.images import check_image, pad_to_stride
from lowlight.networks.receptive_field import receptive_radius
from lowlight.networks.stride import stride_of


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, without gradients; afterwards its mode is restored."""
    was_training = net.training
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        net.train(was_training)


class Model(nn.Module):
    """An image network that enhances images of any size.

    :class:`lowlight.methods.Method` adds to it how the network is trained.

    Args:
        net: Maps dark images of shape (B, 3, H, W) in [0, 1] to unclamped images of the same shape. If it has
            an attribute ``stride``, the sides of its input are padded to multiples of it (pixels).

    Attributes:
        recipe: The resolved config that it was built from, as plain containers; None if it was built by hand.
        run_net: Calls the network on images of shape (B, 3, H, W); a model of unknown origin gets one that
            refuses a network which makes no image.
        bytes_per_pixel: Peak memory of a pass per pixel, in bytes; None until
            :class:`lowlight.runtimes.torch_enhancer.TorchEnhancer` has measured it.
    """

    recipe: dict[str, Any] | None = None
    bytes_per_pixel: float | None = None
    run_net: Callable[[nn.Module, Tensor], Tensor] = staticmethod(lambda net, low: net(low))

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        # On two CPU cores MIRNet trains 1.35 times and enhances 1.6 times faster with channels last.
        self.net: nn.Module = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def name(self) -> str:
        """Name in the recipe; the network's class for one built by hand."""
        return str((self.recipe or {}).get("name", type(self.net).__name__))

    @property
    def device(self) -> torch.device:
        """The device where the network's weights are."""
        held = next(chain(self.net.parameters(), self.net.buffers()), None)
        return torch.device("cpu") if held is None else held.device

    @property
    def stride(self) -> int:
        """Multiple, in pixels, to which the sides of the network's input are padded; 1 by default."""
        return stride_of(self.net)

    @property
    def parameter_count(self) -> int:
        """Number of parameters of the image network, without a discriminator."""
        return sum(parameter.numel() for parameter in self.net.parameters())

    @cached_property
    def halo(self) -> int | None:
        """Radius of the network's receptive field in pixels, measured once; None if it is unbounded."""
        return receptive_radius(self.net, self.stride)

    def restore(self, low: Tensor) -> Tensor:
        """Run the network on images of any size, padded to its stride and cropped back.

        Images are padded by reflection, or by replication if they are too small for it.

        Args:
            low: Dark images of shape (B, 3, H, W) in [0, 1], sides of at least one pixel.

        Returns:
            Raw, unclamped output of the network, same shape.

        Raises:
            ValueError: If ``low`` breaks the image contract.
        """
        check_image(low, "low")
        height, width = low.shape[-2:]
        padded = pad_to_stride(low, self.stride).contiguous(memory_format=torch.channels_last)
        return self.run_net(self.net, padded)[..., :height, :width]

    def enhance(self, low: Tensor) -> Tensor:
        """Enhance dark images, always in evaluation mode: no dropout, no update of statistics.

        Args:
            low: Images of shape (B, 3, H, W) in [0, 1], sides of at least one pixel.

        Returns:
            Enhanced images of the same shape, clamped to [0, 1].

        Raises:
            ValueError: If ``low`` breaks the image contract.
        """
        with evaluating(self.net):
            return self.restore(low).clamp(0, 1)

    def forward(self, low: Tensor) -> Tensor:
        """Enhance dark images; see :meth:`enhance`."""
        return self.enhance(low)
