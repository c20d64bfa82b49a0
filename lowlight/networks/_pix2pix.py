"""What the pix2pix generator and its discriminator share."""

from typing import Literal

from torch import nn

Norm = Literal["batch", "instance", "none"]


def normalisation(norm: Norm, channels: int) -> list[nn.Module]:
    """Build the layers, one or none, that normalise features of so many channels.

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
    """Draw convolutions from N(0, 0.02), norms' scales from N(1, 0.02), and zero the biases; for ``apply``.

    Reference:
        Isola, Zhu, Zhou, Efros, 2017, Image-to-Image Translation with Conditional Adversarial Networks,
        section 6.2; the norms' scales as in the authors' code.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
