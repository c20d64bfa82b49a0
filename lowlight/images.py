"""The image contract: RGB float32 tensors or arrays of shape (B, 3, H, W) in [0, 1], and 8-bit files.

Imports no torch, which exported networks do without.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlight.decoding.photo import to_8_bits
from lowlight.decoding.reading import read_photo
from lowlight.files import whole

if TYPE_CHECKING:
    from torch import Tensor

Images = TypeVar("Images", "Tensor", NDArray[np.float32])
"""Images of shape (B, 3, H, W) as a tensor or an array."""

CONTRACT = (
    "RGB float32 (B, 3, H, W) in [0, 1]; H and W multiples of stride; "
    "the output has the same shape and is to be clamped to [0, 1]"
)
"""Description of a network's input and output, stored in exported files."""


LARGEST_STRIDE = 4096
"""Largest stride of a loaded network, in pixels: images are padded to multiples of it."""


class Pair(TypedDict):
    """A dark image and its reference, as datasets yield them.

    ``low`` and ``high`` are (3, H, W), float32 in [0, 1]; ``name``, ``<set>/<stem>``, is unique. Where
    ``has_reference`` is False, ``high`` is the dark image again. Where pairs of a data set have classes,
    ``label`` is the number of this one's, or -1 for a pair without.
    """

    low: "Tensor"
    high: "Tensor"
    name: str
    has_reference: NotRequired[bool]
    label: NotRequired[int]


class Batch(TypedDict):
    """Pairs of one size, as data loaders yield them: images of shape (B, 3, H, W), B names and any labels.

    ``has_reference`` may be missing if all have one; it is the same for all images of a split, and no tensor,
    which a GPU would have to be waited for in every step.
    """

    low: "Tensor"
    high: "Tensor"
    name: list[str]
    has_reference: NotRequired[bool]
    label: NotRequired["Tensor"]


def has_references(batch: Batch) -> bool:
    """Return whether the images of a batch have references."""
    return batch.get("has_reference", True)


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read an image file of any mode as RGB, turned upright by EXIF, as photographs are read.

    Returns:
        8-bit pixels of shape (H, W, 3); transparency is ignored, 16 bits are rounded.

    Raises:
        ValueError: If the file is missing, damaged, too large, not an image, or if its values do not define
            which is white; the message names it.
    """
    return to_8_bits(read_photo(path, remedy="scale it down").pixels)


def from_uint8(pixels: NDArray[np.uint8]) -> "Tensor":
    """Convert 8-bit pixels of shape (..., H, W, 3) to a float32 image of shape (..., 3, H, W) in [0, 1]."""
    import torch

    # Copying the planes as bytes takes a third of the time, above all for rotated and mirrored pixels.
    return torch.from_numpy(np.array(np.moveaxis(pixels, -1, -3), order="C")).float().div_(255)


def to_uint8(image: "Tensor") -> "Tensor":
    """Clamp an image to [0, 1] and round it to 8 bits; all 8-bit outputs go through it.

    Args:
        image: Images of shape (..., 3, H, W), in any range.

    Returns:
        The images as uint8, of the same shape.
    """
    return image.detach().float().clamp(0, 1).mul(255).round().byte()


def round_to_8_bits(image: "Tensor") -> "Tensor":
    """Return the image that an 8-bit file of ``image`` would hold: float32 in [0, 1], contiguous."""
    return to_uint8(image).contiguous().float().div(255)


def read_image(path: Path | str) -> "Tensor":
    """Read an image file as a float32 tensor of shape (3, H, W) in [0, 1].

    Raises:
        ValueError: As :func:`read_rgb`.
    """
    return from_uint8(read_rgb(Path(path)))


def write_image(image: "Tensor", path: Path | str) -> None:
    """Write an image of shape (3, H, W), clamped and rounded to 8 bits, whole or not at all.

    The suffix of the path determines the format.

    Raises:
        ValueError: If no image format has that suffix.
    """
    path = Path(path)
    image_format = Image.registered_extensions().get(path.suffix.lower())
    if image_format is None:
        raise ValueError(f"{path}: no image format has the suffix {path.suffix!r}; write a .png")
    picture = Image.fromarray(to_uint8(image).movedim(-3, -1).cpu().numpy())
    with whole(path) as partial:
        picture.save(partial, format=image_format)


def check_image(image: "Tensor | NDArray[np.float32]", role: str = "image") -> None:
    """Refuse a tensor or an array that breaks the image contract.

    Args:
        image: It must be floating-point, of shape (B, 3, H, W); its values are not checked.
        role: Name of the image in the error message.

    Raises:
        ValueError: If the shape or the type is wrong.
    """
    is_floating = image.dtype.kind == "f" if isinstance(image, np.ndarray) else image.is_floating_point()
    if image.ndim != 4 or image.shape[1] != 3 or not is_floating:
        raise ValueError(
            f"{role} must be RGB float of shape (B, 3, H, W) in [0, 1], "
            f"got {tuple(image.shape)} of {image.dtype}; use lowlight.images.read_image(path)[None]"
        )


def pad_to_stride(image: Images, stride: int) -> Images:
    """Pad images at the bottom and the right to multiples of ``stride`` pixels.

    Padding reflects the image, or replicates its edge where the image is too small for that.

    Args:
        image: Images of shape (B, 3, H, W), with sides of at least one pixel.
        stride: Stride in pixels.
    """
    height, width = image.shape[-2:]
    bottom, right = -height % stride, -width % stride
    if not (bottom or right):
        return image
    reflects = bottom < height and right < width
    if isinstance(image, np.ndarray):
        widths = ((0, 0), (0, 0), (0, bottom), (0, right))
        return np.pad(image, widths, mode="reflect" if reflects else "edge")
    from torch.nn import functional as F

    return F.pad(image, (0, right, 0, bottom), mode="reflect" if reflects else "replicate")
