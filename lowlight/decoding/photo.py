"""A photograph in memory, with its metadata."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Pixels = NDArray[np.unsignedinteger[Any]]
"""Unsigned integers of 8 or 16 bits."""

UNDEFINED_WHITE = "do not define which value is white; convert the image to 16 bits"
"""End of the refusal of floating-point values and of integers beyond 16 bits."""


@dataclass(frozen=True)
class Photo:
    """A photograph, upright, with its metadata.

    Attributes:
        pixels: RGB of shape (H, W, 3), uint8 or uint16; a grey photograph's three channels are equal.
        alpha: Opacity of shape (H, W), same type as the pixels, or None; colours are not multiplied by it.
        is_grey: Whether the file is grey; its enhancement is then written grey.
        exif: EXIF data without orientation, thumbnail and file layout, or None.
        icc: ICC profile of the pixels, or None, which means sRGB.
        xmp: XMP packet without orientation, or None.
        dpi: Horizontal and vertical resolution in dots per inch, or None.
        notes: Sentences on what reading has lost or changed.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    is_grey: bool = False
    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    def turned(self, orientation: int) -> "Photo":
        """Return the photograph turned upright from an EXIF orientation, 1 to 8."""
        turn = _TURNS.get(orientation, _TURNS[1])
        alpha = None if self.alpha is None else np.ascontiguousarray(turn(self.alpha))
        return replace(self, pixels=np.ascontiguousarray(turn(self.pixels)), alpha=alpha)


_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda values: values,
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: values[::-1].swapaxes(0, 1),
    7: lambda values: values[::-1, ::-1].swapaxes(0, 1),
    8: lambda values: values[:, ::-1].swapaxes(0, 1),
}
"""Functions that turn a photograph upright, keyed by EXIF orientation."""


def from_pillow(image: Image.Image) -> Photo:
    """Convert the pixels of a Pillow image of any 8-bit mode or of 16-bit grey, as they are stored.

    Raises:
        ValueError: If the mode does not define which value is white.
    """
    icc = image.info.get("icc_profile") or None
    if image.mode.startswith("I"):
        deep = np.asarray(image).astype(np.int64)
        if deep.min() < 0 or deep.max() > 65535:
            raise ValueError(f"integers beyond 16 bits {UNDEFINED_WHITE}")
        values = deep.astype(np.uint16)
        key = image.info.get("transparency")
        alpha = np.where(values == key, 0, 65535).astype(np.uint16) if isinstance(key, int) else None
        return Photo(triple(values), alpha, is_grey=True, icc=icc)
    if image.mode == "F":
        raise ValueError(f"floating-point values {UNDEFINED_WHITE}")
    if image.mode == "CMYK":
        return Photo(np.asarray(_to_srgb(image, icc)))
    if image.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        return Photo(np.asarray(_to_srgb(image, ImageCms.ImageCmsProfile(lab).tobytes())))
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        pixels = np.asarray(image.convert("RGBA"))
        return Photo(pixels[..., :3], pixels[..., 3], grey, icc=icc)
    return Photo(np.asarray(image.convert("RGB")), is_grey=grey, icc=icc)


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Convert CMYK or CIE L*a*b* to sRGB, by the profile if it is valid."""
    if icc:
        try:
            profile = ImageCms.ImageCmsProfile(BytesIO(icc))
            converted = ImageCms.profileToProfile(
                image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            pass
    return image.convert("RGB")


def triple(grey: Pixels) -> Pixels:
    """Repeat grey pixels of shape (H, W) as three equal channels, (H, W, 3)."""
    return np.repeat(grey[..., None], 3, axis=2)


def to_8_bits(values: Pixels) -> NDArray[np.uint8]:
    """Round 16-bit values to 8 bits; 8-bit ones are returned as they are."""
    if values.dtype == np.uint8:
        return values.astype(np.uint8, copy=False)
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
