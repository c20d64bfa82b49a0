"""TIFF files: what their tags say of the samples, and the pixels that Pillow reads otherwise."""

import importlib.util
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlight.decoding.bands import bands
from lowlight.decoding.photo import UNDEFINED_WHITE, Photo, Pixels, to_full_range, triple
from lowlight.decoding.tags import Exif, sub_directories

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES, _PLANAR, _EXTRAS, _FORMATS = (
    *(256, 257, 258, 262, 277, 284, 338, 339),
)
_DNG_VERSION = 50706
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _MOSAIC, _LINEAR_RAW = 0, 1, 2, 32803, 34892
_ASSOCIATED, _UNASSOCIATED = 1, 2
_ALPHAS = (_ASSOCIATED, _UNASSOCIATED, 999)  # the last is Corel's

_BUFFER = 2**22
"""Bytes of a file that are read and decoded at a time, about, which bounds the memory."""


@dataclass(frozen=True)
class Samples:
    """What a TIFF file's tags say of its first image.

    Attributes:
        size: Stored width and height in pixels, before the orientation is applied.
        channels: Number of samples of a pixel.
        bits: Bits per sample.
        photometric: Meaning of the samples, by its code in TIFF 6.0.
        extras: Meaning of each sample beyond the colours, by its code.
        is_planar: Whether each channel is stored on its own.
    """

    size: tuple[int, int]
    channels: int
    bits: int
    photometric: int
    extras: tuple[int, ...]
    is_planar: bool

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a decoded pixel with all its samples."""
        return self.channels * (2 if self.bits > 8 else 1)

    @property
    def is_pillows(self) -> bool:
        """Whether Pillow reads the pixels rightly: 8 bits, or fewer for grey and palettes."""
        is_grey = self.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
        if self.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
            return True
        if is_grey:
            return not self.extras and self.bits in (1, 2, 4, 8)
        return self.bits == 8 and not self.is_planar and (self.extras in ((), (1,), (2,)))


def read_samples(exif: Exif) -> Samples:
    """Read what the tags of a TIFF file say of its samples.

    Raises:
        ValueError: If there is no size, or the samples do not define which value is white.
    """
    sides = (*exif.integers(_WIDTH), *exif.integers(_HEIGHT))
    if len(sides) != 2 or min(sides) < 1:
        raise ValueError("broken (the TIFF tags name no width or no height)")
    formats = set(exif.integers(_FORMATS)) or {1}
    depths = exif.integers(_BITS) or (1,)
    if formats & {3, 6}:
        raise ValueError(f"floating-point values {UNDEFINED_WHITE}")
    if formats & {2, 5}:
        raise ValueError(f"signed integers {UNDEFINED_WHITE}")
    if max(depths) > 16:
        raise ValueError(f"integers beyond 16 bits {UNDEFINED_WHITE}")
    if len(set(depths)) > 1:
        raise ValueError(f"channels of {', '.join(map(str, depths))} bits are not read; convert the image")
    photometric = (*exif.integers(_PHOTOMETRIC), _WHITE_IS_ZERO)[0]
    count = (*exif.integers(_SAMPLES), len(depths))[0]
    if count > 64:
        raise ValueError(f"{count} channels are not read; convert the image to RGB")
    colours = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, 3: 1, 5: 4, 6: 3, 8: 3}.get(photometric, count)
    surplus = max(count - colours, 0)
    extras = exif.integers(_EXTRAS)[:surplus]
    if not extras and surplus == 1 and photometric == _RGB:
        extras = (_UNASSOCIATED,)  # as other programs read a fourth channel without a meaning
    extras += (0,) * (surplus - len(extras))
    return Samples(sides, count, depths[0], photometric, extras, exif.integers(_PLANAR) == (2,))


def is_raw(file: BinaryIO, exif: Exif) -> bool:
    """Return whether a TIFF file holds a raw photograph, whose first image often is a thumbnail."""
    if _DNG_VERSION in exif.main:
        return True
    directories = [exif, *sub_directories(file, exif)]
    return any(one.integers(_PHOTOMETRIC) in ((_MOSAIC,), (_LINEAR_RAW,)) for one in directories)


def decode(path: Path, samples: Samples) -> tuple[Photo, dict[str, Any]]:
    """Decode grey or RGB of any layout and of up to 16 bits, which Pillow reads wrongly or only in part.

    Returns:
        The photograph, not turned, and the file's number of frames, ICC profile and XMP as Pillow names them.

    Raises:
        ValueError: If the file holds other values than its tags say, before they are decoded.
    """
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)  # it logs what its exceptions say
    with path.open("rb") as opened, tifffile.TiffFile(opened) as file:
        page = file.pages.first
        axes, kind = page.axes, page.dtype
        if axes not in ("YX", "YXS", "SYX") or kind not in (np.uint8, np.uint16, np.bool_):
            raise ValueError(f"a TIFF image of axes {axes} and type {kind} is not read")
        if page.size != samples.size[0] * samples.size[1] * samples.channels:
            raise ValueError("broken (the TIFF tags contradict each other)")
        values: NDArray[Any] = np.asarray(page.asarray(buffersize=_BUFFER))
        info = {"frames": len(file.pages), "icc_profile": _bytes(page, 34675), "xmp": _bytes(page, 700)}
    if axes == "SYX":
        values = np.moveaxis(values, 0, -1)
    if axes == "YX":
        values = values[..., None]
    return interpret(values.astype(np.uint8) if kind == np.bool_ else values, samples), info


def is_complete() -> bool:
    """Return whether the packages are there that decode every TIFF file."""
    return importlib.util.find_spec("imagecodecs") is not None


def _bytes(page: Any, tag: int) -> bytes | None:
    value = page.tags.valueof(tag)
    return value if isinstance(value, bytes) else None


def interpret(values: Pixels, samples: Samples) -> Photo:
    """Convert stored samples of shape (H, W, C) to a photograph; more than 8 bits are scaled to 16."""
    white = 2**samples.bits - 1
    is_grey = samples.photometric != _RGB
    colours = values[..., :1] if is_grey else values[..., :3]
    if samples.photometric == _WHITE_IS_ZERO:
        colours = white - colours
    colours = to_full_range(colours, white)
    alpha: Pixels | None = None
    place = next((at for at, meaning in enumerate(samples.extras) if meaning in _ALPHAS), None)
    if place is not None:
        alpha = to_full_range(values[..., colours.shape[-1] + place], white)
        if samples.extras[place] == _ASSOCIATED:
            colours = _divided(colours, alpha)
    return Photo(triple(colours[..., 0]) if is_grey else colours, alpha, is_grey)


def corrected(image: Image.Image, photo: Photo) -> Photo:
    """Return the photograph that Pillow's pixels of a TIFF file stand for; others are returned as they are.

    Raises:
        ValueError: If the samples are signed.
    """
    tags = getattr(image, "tag_v2", {})
    if image.format != "TIFF" or _BITS not in tags:
        return photo
    if 2 in tags.get(_FORMATS, ()):
        raise ValueError(f"signed integers {UNDEFINED_WHITE}")
    if photo.pixels.dtype == np.uint8:
        return photo
    samples = Samples(image.size, 1, max(tags[_BITS]), tags.get(_PHOTOMETRIC, _BLACK_IS_ZERO), (), False)
    return replace(interpret(photo.pixels[..., :1], samples), icc=photo.icc)


def _divided(colours: Pixels, alpha: Pixels) -> Pixels:
    """Divide colours by the opacity that they were multiplied by; transparent ones become black."""
    white, divided = int(np.iinfo(colours.dtype).max), np.empty(colours.shape, colours.dtype)
    for rows in bands(colours):
        opacity = alpha[rows, :, None].astype(np.uint32)
        product = np.minimum(colours[rows], opacity).astype(np.uint32) * np.uint32(white) + opacity // 2
        divided[rows] = product // np.maximum(opacity, 1)
    return divided
