"""Layers and initialisation shared by the pix2pix generator and discriminator."""

from typing import Literal

from torch import nn

Norm = Literal["batch", "instance", "none"]


def normalisation(norm: Norm, channels: int) -> list[nn.Module]:
    """Return the normalisation layer for features of ``channels`` channels, in a list; empty for ``none``.

    Raises:
        ValueError: If the norm is unknown.
    """
    if norm == "batch":
        return [nn.BatchNorm2d(channels)]
    if norm == "instance":
        return [nn.InstanceNorm2d(channels)]
    if norm == "none":
        return []
    raise ValueError(f"norm must be 'batch', 'instance' or 'none', got {norm!r}")


def initialise(module: nn.Module) -> None:
    """Initialise a layer: convolutions from N(0, 0.02), norm scales from N(1, 0.02), biases to 0.

    Reference:
        Isola, Zhu, Zhou, Efros, 2017, Image-to-Image Translation with Conditional Adversarial Networks,
        section 6.2; norm scales as in the authors' code.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
