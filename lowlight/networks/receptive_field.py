"""How far a network sees: the radius of its receptive field, and pooling over the image made repeatable."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.networks.coarse_to_fine import CoarseToFine, Scene

LONGEST_PROBE = 2048
"""Pixels: a receptive field of half that radius or more is not told from one that is the whole image."""

Statistics = list[tuple[Tensor, ...]]
"""What each pooling over the image saw, in the order of the calls."""


def poolings(net: nn.Module) -> list[nn.Module]:
    """Return the modules through which every output sees the whole image: global averages, instance norms."""
    return [
        module
        for module in net.modules()
        if isinstance(module, nn.InstanceNorm2d)
        or (isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1)))
    ]


@contextmanager
def recorded(net: nn.Module) -> Iterator[Statistics]:
    """Let a network pool over all images of its batch together, and note what each pooling saw."""
    statistics: Statistics = []

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> Tensor:
        statistics.append(_summary(module, inputs[0]))
        return _apply(module, inputs[0], statistics[-1])

    with _hooked(net, hook):
        yield statistics


@contextmanager
def replayed(net: nn.Module, statistics: Statistics) -> Iterator[None]:
    """Let a network see the whole image as it was noted, whatever part of it is passed in."""
    remaining = iter(statistics)

    def restart(*_: object) -> None:
        nonlocal remaining
        remaining = iter(statistics)

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> Tensor:
        return _apply(module, inputs[0], next(remaining))

    start = net.register_forward_pre_hook(restart)
    try:
        with _hooked(net, hook):
            yield
    finally:
        start.remove()


@contextmanager
def _hooked(net: nn.Module, hook: object) -> Iterator[None]:
    with ExitStack() as stack:
        for module in poolings(net):
            stack.callback(module.register_forward_hook(hook).remove)  # type: ignore[arg-type]
        yield


def _summary(module: nn.Module, features: Tensor) -> tuple[Tensor, ...]:
    """Return the mean of each channel, for a norm its variance too."""
    if isinstance(module, nn.InstanceNorm2d):
        variance, mean = torch.var_mean(features, dim=(0, 2, 3), correction=0)
        return mean, variance
    return (features.mean(dim=(0, 2, 3), keepdim=True),)


def _apply(module: nn.Module, features: Tensor, summary: tuple[Tensor, ...]) -> Tensor:
    """Compute what the module returns where the image has these statistics."""
    if isinstance(module, nn.InstanceNorm2d):
        mean, variance = summary
        return F.batch_norm(features, mean, variance, module.weight, module.bias, eps=module.eps)
    return summary[0].expand(len(features), -1, -1, -1)


@torch.inference_mode()
def receptive_radius(net: nn.Module, stride: int, longest: int = LONGEST_PROBE) -> int | None:
    """Measure how many pixels of a window's rim are spoiled by what lies beyond it.

    Args:
        net: Maps images of shape (B, 3, H, W) in [0, 1], sides multiples of ``stride``, to images of the
            same shape. Measured as in evaluation.
        stride: Windows start and end at its multiples, in pixels.
        longest: The longest window tried, in pixels.

    Returns:
        The radius in pixels, 0 for a function of single pixels; None if outputs see the whole image, or
        farther than half of ``longest``.
    """
    was_training = net.training
    net.eval()
    try:
        across = _spoiled_rim(net, stride, longest, axis=-1)
        down = None if across is None else _spoiled_rim(net, stride, longest, axis=-2)
    finally:
        net.train(was_training)
    return None if across is None or down is None else max(across, down)


_fine_radii: WeakKeyDictionary[CoarseToFine, int | None] = WeakKeyDictionary()


def fine_radius(net: CoarseToFine) -> int | None:
    """Measure the radius of the receptive field under a scene, as :func:`receptive_radius` does, once."""
    if net not in _fine_radii:
        _fine_radii[net] = receptive_radius(_Fine(net), net.stride)
    return _fine_radii[net]


class _Fine(nn.Module):
    """The fine stage where the scene is uniformly grey."""

    def __init__(self, net: CoarseToFine) -> None:
        super().__init__()
        self.net = net

    def forward(self, low: Tensor) -> Tensor:
        grey = low.new_full((1, 3, self.net.cells, self.net.cells), 0.5)
        return self.net.restore(low, Scene(grey, grey))


def _spoiled_rim(net: nn.Module, stride: int, longest: int, axis: int) -> int | None:
    """Measure along one axis, in windows of a strip, each twice as long as the one before."""
    weight = next(net.parameters(), torch.empty(0))
    size = [1, 3, max(stride, 32), max(stride, 32)]
    side = 128
    while side <= longest:
        beyond = -(-side // (2 * stride)) * stride
        window = 2 * beyond
        size[axis] = 2 * window
        strip = torch.rand(size, generator=torch.Generator().manual_seed(0)).to(weight)
        clean = _clean(net, strip, beyond, window, axis).nonzero()
        if len(clean):
            return max(int(clean[0]), window - 1 - int(clean[-1]))
        side *= 2
    return None


def _clean(net: nn.Module, strip: Tensor, beyond: int, window: int, axis: int) -> Tensor:
    """Tell of each place in a window of a strip whether nothing beyond the window reaches it.

    Everything beyond the window is made not a number: what comes out as a number has not seen it. That the
    window alone gives the same in its middle is checked first, since a function may look at all pixels and
    lose what is not a number, or refuse it.
    """
    inside = strip.narrow(axis, beyond, window)
    whole, alone = net(strip).narrow(axis, beyond, window), net(inside)
    if (whole - alone).narrow(axis, window // 2, 1).abs().max() > 1e-4:
        return torch.zeros(window, dtype=torch.bool)
    spoiled = torch.full_like(strip, torch.nan)
    spoiled.narrow(axis, beyond, window).copy_(inside)
    reached = net(spoiled).narrow(axis, beyond, window).isnan()
    clean: Tensor = ~reached.movedim(axis, -1).flatten(end_dim=-2).any(dim=0)
    return clean
