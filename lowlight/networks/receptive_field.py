"""Receptive fields: their radius measured, and what sees the whole image recorded and replayed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.networks.summary import Summary

LONGEST_PROBE = 2048
"""Longest window of the measurement, in pixels; a radius of half of it or more counts as unbounded."""

Forward = Callable[[Tensor], Tensor]

Statistics = list[tuple[Tensor, ...]]
"""What each module of :func:`poolings` sees of its input, in the order of the calls: statistics such as
means and variances, or the output of a :class:`lowlight.networks.summary.Summary`."""


def poolings(net: nn.Module) -> list[nn.Module]:
    """Return the modules that see the whole image: averages, instance norms and our own layers."""
    return [
        module
        for module in net.modules()
        if isinstance(module, nn.InstanceNorm2d | Summary)
        or (isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1)))
    ]


@contextmanager
def recorded(net: nn.Module) -> Iterator[Statistics]:
    """Record what every module sees that sees the whole image; images of a batch are pooled together."""
    statistics: Statistics = []

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        statistics.append(_summary(module, inputs[0], output))
        return _apply(module, inputs[0], statistics[-1])

    with _hooked(net, hook):
        yield statistics


@contextmanager
def replayed(net: nn.Module, statistics: Statistics) -> Iterator[None]:
    """Replace what such modules see by what was recorded, whichever part of the image is passed."""
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


def _summary(module: nn.Module, features: Tensor, output: Tensor) -> tuple[Tensor, ...]:
    """Return the mean per channel, for a norm also the variance; the output of a :class:`Summary`."""
    if isinstance(module, Summary):
        return (output.mean(dim=0, keepdim=True),)
    if isinstance(module, nn.InstanceNorm2d):
        variance, mean = torch.var_mean(features, dim=(0, 2, 3), correction=0)
        return mean, variance
    return (features.mean(dim=(0, 2, 3), keepdim=True),)


def _apply(module: nn.Module, features: Tensor, summary: tuple[Tensor, ...]) -> Tensor:
    """Compute the module's output under given statistics."""
    if isinstance(module, nn.InstanceNorm2d):
        mean, variance = summary
        return F.batch_norm(features, mean, variance, module.weight, module.bias, eps=module.eps)
    return summary[0].expand(len(features), *summary[0].shape[1:])


@torch.inference_mode()
def receptive_radius(
    net: nn.Module,
    stride: int,
    forward: Forward | None = None,
) -> int | None:
    """Measure the radius of a network's receptive field.

    Args:
        net: Maps images of shape (B, 3, H, W) in [0, 1], sides multiples of ``stride``, to images of the
            same shape. It is measured in evaluation mode and left in the mode it was in.
        stride: Windows start and end at multiples of this many pixels.
        forward: What to measure instead of ``net`` itself, such as one of its stages.

    Returns:
        The radius in pixels, 0 for a pointwise function; None if outputs depend on the whole image, or on
        pixels farther away than half of :data:`LONGEST_PROBE`.
    """
    was_training = net.training
    weight = next(net.parameters(), torch.empty(0))
    net.eval()
    try:
        across = _radius_along(-1, forward or net, weight, stride)
        down = None if across is None else _radius_along(-2, forward or net, weight, stride)
    finally:
        net.train(was_training)
    return None if across is None or down is None else max(across, down)


def _radius_along(axis: int, forward: Forward, weight: Tensor, stride: int) -> int | None:
    """Measure the radius along one axis, in windows of a strip, each twice as long as the one before."""
    size = [1, 3, max(stride, 32), max(stride, 32)]
    side = 128
    while side <= LONGEST_PROBE:
        beyond = -(-side // (2 * stride)) * stride
        window = 2 * beyond
        size[axis] = 2 * window
        strip = torch.rand(size, generator=torch.Generator().manual_seed(0)).to(weight)
        clean = _clean(forward, strip, beyond, window, axis).nonzero()
        if len(clean):
            return max(int(clean[0]), window - 1 - int(clean[-1]))
        side *= 2
    return None


def _clean(forward: Forward, strip: Tensor, beyond: int, window: int, axis: int) -> Tensor:
    """Return a mask over the positions of a strip's window: True where nothing outside it has influence.

    Pixels outside the window are set to NaN; outputs that stay finite have not seen them. First the window's
    centre is compared with and without its surroundings, since a function may look at every pixel and drop
    or reject NaN.
    """
    inside = strip.narrow(axis, beyond, window)
    whole, alone = forward(strip).narrow(axis, beyond, window), forward(inside)
    if (whole - alone).narrow(axis, window // 2, 1).abs().max() > 1e-4:
        return torch.zeros(window, dtype=torch.bool)
    spoiled = torch.full_like(strip, torch.nan)
    spoiled.narrow(axis, beyond, window).copy_(inside)
    reached = forward(spoiled).narrow(axis, beyond, window).isnan()
    clean: Tensor = ~reached.movedim(axis, -1).flatten(end_dim=-2).any(dim=0)
    return clean
