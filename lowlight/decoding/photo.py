"""A photograph in memory, with its metadata."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from lowlight.decoding.bands import bands, bands_of

Pixels = NDArray[np.unsignedinteger[Any]]
"""Unsigned integers of 8 or 16 bits."""

_Integer = TypeVar("_Integer", bound=np.unsignedinteger[Any])

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
        values, key = _deep_grey(image), image.info.get("transparency")
        alpha = np.where(values == key, np.uint16(0), np.uint16(65535)) if isinstance(key, int) else None
        return Photo(triple(values), alpha, is_grey=True, icc=icc)
    if image.mode == "F":
        raise ValueError(f"floating-point values {UNDEFINED_WHITE}")
    if image.mode == "CMYK":
        return Photo(_stored(_to_srgb(image, icc), "RGB")[0])
    if image.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        return Photo(_stored(_to_srgb(image, ImageCms.ImageCmsProfile(lab).tobytes()), "RGB")[0])
    grey = image.mode in ("1", "L", "LA", "La")
    pixels, alpha = _stored(image, "RGBA" if image.has_transparency_data else "RGB")
    return Photo(pixels, alpha, grey, icc=icc)


def _stored(image: Image.Image, mode: str) -> tuple[Pixels, Pixels | None]:
    """Return an image's pixels of shape (H, W, 3), uint8, and for mode RGBA its opacity, (H, W)."""
    image.load()  # which may turn the image and so change its size
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    alpha = np.empty(pixels.shape[:2], np.uint8) if mode == "RGBA" else None
    for rows, part in _parts(image):
        values = np.asarray(part.convert(mode))
        pixels[rows] = values[..., :3]
        if alpha is not None:
            alpha[rows] = values[..., 3]
    return pixels, alpha


def _deep_grey(image: Image.Image) -> Pixels:
    """Return an integer image's values of shape (H, W), uint16.

    Raises:
        ValueError: If a value is negative or has more than 16 bits.
    """
    image.load()
    values = np.empty((image.height, image.width), np.uint16)
    for rows, part in _parts(image):
        deep = np.asarray(part).astype(np.int64)
        if deep.min() < 0 or deep.max() > 65535:
            raise ValueError(f"integers beyond 16 bits {UNDEFINED_WHITE}")
        values[rows] = deep
    return values


def _parts(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield a loaded image band by band: what Pillow hands to NumPy, it copies twice."""
    for rows in bands_of(image.height, image.width):
        yield rows, image.crop((0, rows.start, image.width, rows.stop))


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
    return _rescaled(values, 65535, np.uint8)


def to_full_range(values: NDArray[Any], white: int) -> Pixels:
    """Scale integers from 0 to ``white`` to all of 8 bits, or of 16 if they have more than 8.

    Args:
        values: Of shape (H, W) or (H, W, C); those above ``white`` become white.
        white: Value of white, at most 65535.
    """
    if white in (255, 65535):
        return np.asarray(values)
    return _rescaled(values, white, np.uint8) if white < 255 else _rescaled(values, white, np.uint16)


def _rescaled(values: NDArray[Any], white: int, kind: type[_Integer]) -> NDArray[_Integer]:
    """Scale integers from 0 to ``white`` to all values of an unsigned type of 8 or 16 bits, rounded."""
    full, scaled = int(np.iinfo(kind).max), np.empty(values.shape, kind)
    for rows in bands(values):
        scaled[rows] = (np.minimum(values[rows], white).astype(np.uint32) * full + white // 2) // white
    return scaled
