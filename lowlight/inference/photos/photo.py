"""A photograph in memory, with its metadata."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from lowlight.inference.pixels import Pixels


@dataclass(frozen=True)
class Photo:
    """A photograph, upright, with its metadata.

    Attributes:
        pixels: RGB of shape (H, W, 3), uint8 or uint16; a grey photograph's three channels are equal.
        alpha: Opacity of shape (H, W), same type as the pixels, or None.
        is_grey: Whether the file is grey; its enhancement is then written grey.
        exif: EXIF data without orientation, thumbnail and file layout, or None.
        icc: ICC profile of the pixels, or None.
        notes: Sentences on what reading has lost.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    is_grey: bool = False
    exif: bytes | None = None
    icc: bytes | None = None
    notes: tuple[str, ...] = ()


def from_pillow(image: Image.Image) -> Photo:
    """Convert a Pillow image of any 8-bit mode or of 16-bit grey.

    Raises:
        ValueError: If the mode does not define which value is white.
    """
    icc = image.info.get("icc_profile") or None
    if image.mode.startswith("I"):
        deep = np.asarray(image).astype(np.int64)
        if deep.min() < 0 or deep.max() > 65535:
            raise ValueError(
                "integers beyond 16 bits do not define which value is white; convert the image to 16 bits"
            )
        return Photo(triple(deep.astype(np.uint16)), is_grey=True, icc=icc)
    if image.mode == "F":
        raise ValueError(
            "floating-point values do not define which value is white; convert the image to 16 bits"
        )
    if image.mode == "CMYK":
        return Photo(np.asarray(_from_cmyk(image, icc)))
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        pixels = np.asarray(image.convert("RGBA"))
        return Photo(pixels[..., :3], pixels[..., 3], grey, icc=icc)
    return Photo(np.asarray(image.convert("RGB")), is_grey=grey, icc=icc)


def _from_cmyk(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Convert CMYK to sRGB, by the embedded profile if it is valid."""
    if icc:
        try:
            inks = ImageCms.ImageCmsProfile(BytesIO(icc))
            converted = ImageCms.profileToProfile(
                image, inks, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            pass
    return image.convert("RGB")


def triple(grey: Pixels) -> Pixels:
    """Repeat grey pixels of shape (H, W) as three equal channels, (H, W, 3)."""
    return np.repeat(grey[..., None], 3, axis=2)
