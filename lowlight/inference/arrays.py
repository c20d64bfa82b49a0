"""Enhancing an image in memory: a Pillow image, an array or a tensor, and a file as a Pillow image."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlight.adjustments import adjusted, stops_to_mean
from lowlight.colour import blend
from lowlight.decoding.photo import Photo
from lowlight.decoding.reading import in_memory, read_photo
from lowlight.images import to_uint8
from lowlight.inference.photos.enhance import enhance_photo
from lowlight.inference.photos.writing import to_pillow
from lowlight.inference.settings import Settings
from lowlight.runtimes.enhancer import Enhancer

if TYPE_CHECKING:  # an exported network enhances without torch
    from torch import Tensor
    from typing_extensions import TypeIs

_ROUNDING = 1e-3
"""Distance from [0, 1] that is put down to rounding, and clipped."""

_CHANNELS = (1, 3, 4)
"""Numbers of channels that an array or a tensor may have: grey, RGB, RGBA."""

_MOVES = {-1: "numpy.moveaxis(image, -3, -1)", -3: "image.movedim(-1, -3)"}
"""Code that moves the channels to their axis, by the axis."""


class Enhanced(NamedTuple):
    """An enhanced image, and what there is to say of it.

    Attributes:
        image: The image, of the type that was given; a Pillow image for a path.
        reason: Why it is unchanged, such as ``not_dark``: a key of
            :data:`lowlight.inference.photos.fail_safe.REASONS`; None if it is enhanced, or at least one image
            of a batch is.
        notes: Sentences on what could not be read or kept, and what a network found in the image.
    """

    image: Any
    reason: str | None = None
    notes: tuple[str, ...] = ()


def _is_tensor(image: object) -> "TypeIs[Tensor]":
    torch = sys.modules.get("torch")  # not loaded, it has made no tensor
    return torch is not None and isinstance(image, torch.Tensor)


def enhance_image(enhancer: Enhancer, image: Any, settings: Settings) -> Enhanced:
    """Enhance an image of any kind that :func:`lowlight.enhance` takes, but no list.

    Raises:
        ValueError: If the image has another shape, type or range, or a file cannot be read.
    """
    if _is_tensor(image):
        _check(image, -3, "(C, H, W) or (B, C, H, W)", ("uint8",))
        is_grey = image.shape[-3] == 1
        return Enhanced(
            _by_channels(image, -3, lambda colour: _tensor(enhancer, colour, settings, is_grey=is_grey))
        )
    if isinstance(image, Path | str):
        photo, reason = enhance_photo(enhancer, read_photo(Path(image), remedy="scale it down"), settings)
        picture, notes = to_pillow(photo), photo.notes
        if photo.pixels.dtype == np.uint16 and not picture.mode.startswith("I"):
            notes += ("a Pillow image holds 8 bits per colour, not 16",)
        return Enhanced(picture, reason, notes)
    if isinstance(image, Image.Image):
        photo, reason = enhance_photo(enhancer, in_memory(image), settings)
        return Enhanced(image if reason else to_pillow(photo), reason, photo.notes)
    pixels = np.asarray(image)
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    deep, shapes = pixels[..., None] if pixels.ndim == 2 else pixels, "(H, W), (H, W, C) or (B, H, W, C)"
    _check(deep, -1, shapes, ("uint8", "uint16"))
    return _array(enhancer, pixels, settings)


def _check(image: Any, axis: int, shapes: str, integers: tuple[str, ...]) -> None:
    """Refuse an array or a tensor of another shape, type or range.

    Args:
        image: The array or tensor.
        axis: Axis of its channels, -1 or -3.
        shapes: Shapes that it may have, for the message.
        integers: Names of the integer types that it may have.
    """
    kind, other = str(image.dtype).removeprefix("torch."), -4 - axis
    is_floating = kind.startswith(("float", "bfloat"))
    is_image = image.ndim in (3, 4) and 0 not in image.shape[-3:]
    if not is_image or image.shape[axis] not in _CHANNELS or not (is_floating or kind in integers):
        is_moved = is_image and image.shape[axis] not in _CHANNELS and image.shape[other] in _CHANNELS
        raise ValueError(
            f"image must be of shape {shapes}, where C is 1, 3 or 4, {', '.join(integers)} or floating in "
            f"[0, 1], got {tuple(image.shape)} of {kind}"
            + (f"; its channels lie elsewhere: {_MOVES[axis]}" if is_moved else "")
        )
    if is_floating:
        _check_range(image)


def _check_range(image: Any) -> None:
    """Refuse values that are not finite or, beyond rounding, outside [0, 1]."""
    if 0 not in image.shape:
        least, most = float(image.min()), float(image.max())
        if not -_ROUNDING <= least <= most <= 1 + _ROUNDING:
            raise ValueError(
                f"image must be in [0, 1] where it is floating-point, got values from {least:g} to {most:g}; "
                "divide by the value of white, for example 255"
            )


def _by_channels(image: Any, axis: int, enhance: Callable[[Any], Any]) -> Any:
    """Enhance the colours of an image whose channels lie on an axis: grey stays grey, opacity is kept.

    ``enhance`` maps three channels to three, of grey to equal ones.
    """
    before, count = (slice(None),) * (image.ndim + axis), image.shape[axis]
    if count == 3:
        return enhance(image)
    join = sys.modules["torch"].cat if _is_tensor(image) else np.concatenate
    colour = image[(*before, slice(0, 3))] if count == 4 else join([image] * 3, axis)
    enhanced = enhance(colour)
    first = enhanced[(*before, slice(0, 1))]
    return join([enhanced, image[(*before, slice(3, 4))]], axis) if count == 4 else first


def _tensor(enhancer: Enhancer, image: "Tensor", settings: Settings, *, is_grey: bool) -> "Tensor":
    """Enhance a tensor of shape (3, H, W) or (B, 3, H, W); a grey one gets the mean of its channels."""
    import torch

    low = image.float().div(255) if image.dtype == torch.uint8 else image.float()
    low = low if image.ndim == 4 else low[None]
    with torch.inference_mode():
        enhanced = blend(low, enhancer.enhance(low), settings.strength)
        if is_grey:
            enhanced = enhanced.mean(1, keepdim=True).expand_as(low)
        stops = 0.0 if settings.brightness is None else stops_to_mean(enhanced, settings.brightness)
        enhanced = adjusted(enhanced, stops + settings.exposure, settings.saturation)
    rounded = to_uint8(enhanced) if image.dtype == torch.uint8 else enhanced.clone().to(image.dtype)
    return rounded.view_as(image)


def _array(enhancer: Enhancer, image: NDArray[Any], settings: Settings) -> Enhanced:
    """Enhance an array of shape (H, W), (H, W, C) or (B, H, W, C)."""
    if image.ndim == 4 and not len(image):
        return Enhanced(image)
    if image.ndim == 4:
        made = [_array(enhancer, one, settings) for one in image]
        reason = None if any(one.reason is None for one in made) else made[0].reason
        notes = tuple(dict.fromkeys(note for one in made for note in one.notes))
        return Enhanced(np.stack([one.image for one in made]), reason, notes)
    reason, notes = None, tuple[str, ...]()

    def colours(pixels: NDArray[Any]) -> NDArray[Any]:
        nonlocal reason, notes
        is_floating = pixels.dtype.kind == "f"
        white = np.asarray(65535, np.result_type(pixels.dtype, np.float32))  # infinite in float16
        stored = (pixels.clip(0, 1) * white).round().astype(np.uint16) if is_floating else pixels
        photo = Photo(np.ascontiguousarray(stored), is_grey=is_grey)
        enhanced, reason = enhance_photo(enhancer, photo, settings)
        notes = enhanced.notes
        if reason or not is_floating:
            return pixels if reason else enhanced.pixels
        floats: NDArray[Any] = enhanced.pixels / white
        return floats.astype(pixels.dtype)

    deep = image[..., None] if image.ndim == 2 else image
    is_grey = deep.shape[-1] == 1
    return Enhanced(_by_channels(deep, -1, colours).reshape(image.shape), reason, notes)
