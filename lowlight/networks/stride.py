"""The stride of a network: of how many pixels the sides of its input must be multiples."""

from torch import nn


def stride_of(net: nn.Module) -> int:
    """Return a network's attribute ``stride``, in pixels; 1 if it has none."""
    stride = getattr(net, "stride", 1)
    return stride if isinstance(stride, int) else 1  # a lone convolution's is a tuple
