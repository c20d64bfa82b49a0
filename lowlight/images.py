"""The image contract: RGB float32 tensors of shape (B, 3, H, W) in [0, 1], and 8-bit files."""

import os
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
"""File name endings, in lower case, that are read as images."""

CONTRACT = (
    "RGB float32 (B, 3, H, W) in [0, 1]; H and W multiples of stride; "
    "the output has the same shape and is to be clamped to [0, 1]"
)
"""What a network takes and gives, in words, for the files it is written to."""


class Pair(TypedDict):
    """A dark image and its reference, as data sets yield them.

    ``low`` and ``high`` are (3, H, W), float32 in [0, 1]; ``name`` is ``<set>/<stem>``, unique in its data
    set.
    """

    low: Tensor
    high: Tensor
    name: str


class Batch(TypedDict):
    """Pairs of one size, as data loaders yield them: images of shape (B, 3, H, W), and B names."""

    low: Tensor
    high: Tensor
    name: list[str]


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Decode an image file to RGB, whatever its mode, with the orientation it is stored in.

    Returns:
        8-bit pixels of shape (H, W, 3).

    Raises:
        ValueError: If the file is missing, truncated or not an image; the message names it.
    """
    try:
        with Image.open(path) as image:
            if image.mode.startswith("I"):  # 16-bit grey, which Pillow's own conversion would clip
                grey = (np.asarray(image).astype(np.uint32) * 255 + 32767) // 65535
                return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
            return np.array(image.convert("RGB"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such image file") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path}: not a readable image ({error})") from error


def from_uint8(pixels: NDArray[np.uint8]) -> Tensor:
    """Turn 8-bit pixels of shape (..., H, W, 3) into a float image of shape (..., 3, H, W) in [0, 1]."""
    # Planes are copied as bytes: a third of the time, turned and mirrored pixels above all.
    return torch.from_numpy(np.array(np.moveaxis(pixels, -1, -3), order="C")).float().div_(255)


def to_uint8(image: Tensor) -> Tensor:
    """Clamp an image to [0, 1] and round it to 8 bits; the one place where this is done.

    Args:
        image: Images of shape (..., 3, H, W), any range.

    Returns:
        Images of the same shape, uint8.
    """
    return image.detach().float().clamp(0, 1).mul(255).round().to(torch.uint8)


def round_to_8_bits(image: Tensor) -> Tensor:
    """Return the float image in [0, 1] that an 8-bit file of ``image`` would hold, laid out as one read."""
    return to_uint8(image).contiguous().float().div(255)


def read_image(path: Path | str) -> Tensor:
    """Read an image file as a float32 tensor of shape (3, H, W) in [0, 1].

    Raises:
        ValueError: If the file is missing, truncated or not an image.
    """
    return from_uint8(read_rgb(Path(path)))


def write_image(image: Tensor, path: Path | str) -> None:
    """Write an image of shape (3, H, W), clamped and rounded to 8 bits, whole or not at all.

    The format follows the path's suffix.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    Image.fromarray(to_uint8(image).movedim(-3, -1).cpu().numpy()).save(partial)
    partial.replace(path)


def check_image(image: Tensor, role: str = "image") -> None:
    """Refuse a tensor that breaks the image contract.

    Args:
        image: Images that must have shape (B, 3, H, W) and a floating-point type; values are not looked at.
        role: What the message calls the tensor.

    Raises:
        ValueError: If the shape or the type is wrong.
    """
    if image.ndim != 4 or image.shape[1] != 3 or not image.is_floating_point():
        raise ValueError(
            f"{role} must be RGB float of shape (B, 3, H, W) in [0, 1], "
            f"got {tuple(image.shape)} of {image.dtype}; use lowlight.images.read_image(path)[None]"
        )


def pad_to_stride(image: Tensor, stride: int) -> Tensor:
    """Pad images at the bottom and the right until their sides are multiples of ``stride`` pixels.

    Padding is by reflection, or by replication where the image is too small for it.

    Args:
        image: Images of shape (B, 3, H, W), with sides of at least one pixel.
        stride: The stride in pixels.
    """
    height, width = image.shape[-2:]
    bottom, right = -height % stride, -width % stride
    if not (bottom or right):
        return image
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)
