"""Modules whose output describes a whole image, which the tiles of a large one share."""

from torch import nn


class Summary(nn.Module):
    """Base of modules whose output, shape (B, ...), belongs to the image and not to places in it.

    A large image that is enhanced in tiles is summarised once, on a small copy; see
    :func:`lowlight.networks.receptive_field.recorded`.
    """
