"""The library's front door: enhancing files, Pillow images, arrays and tensors."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NamedTuple,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlight.adjustments import adjusted, stops_to_mean
from lowlight.colour import blend
from lowlight.decoding.photo import Photo
from lowlight.decoding.reading import in_memory, read_photo
from lowlight.images import to_uint8
from lowlight.inference.load import choose
from lowlight.inference.models import is_name_of_method
from lowlight.inference.photos.enhance import enhance_photo
from lowlight.inference.photos.writing import to_pillow
from lowlight.inference.settings import Settings
from lowlight.precision import AUTO
from lowlight.runtimes.enhancer import Enhancer

if TYPE_CHECKING:  # an exported network enhances without torch
    from torch import Tensor
    from typing_extensions import TypeIs

    from lowlight.model import Model

_ROUNDING = 1e-3
"""Distance from [0, 1] that is put down to rounding, and clipped."""

_CHANNELS = {1: "grey", 3: "RGB", 4: "RGBA"}
"""Numbers of channels that an array or a tensor may have."""

_MOVES = {-1: "numpy.moveaxis(image, -3, -1)", -3: "image.movedim(-1, -3)"}
"""Code that moves the channels to their axis, by the axis."""

Picture: TypeAlias = "Path | str | Image.Image | NDArray[Any] | Tensor"
Several = list[Any] | tuple[Any, ...]
ImageT = TypeVar("ImageT", Image.Image, NDArray[Any], "Tensor")
Usable: TypeAlias = "Enhancer | Model | Path | str | None"
"""What a model may be given as."""


class _Settings(TypedDict, total=False):
    strength: float
    exposure: float
    brightness: float | None
    saturation: float
    fail_safe: bool
    max_memory: int | None
    device: str
    precision: str


class Enhanced(NamedTuple):
    """An enhanced image, and what there is to say of it.

    Attributes:
        image: The image, of the type that was given; a Pillow image for a path.
        reason: Why it is unchanged: ``not_dark``, ``not_finite``, ``clipped`` or ``colour_cast``, see
            :mod:`lowlight.inference.photos.fail_safe`; None if it is enhanced, or at least one image of a
            batch is.
        notes: Sentences on what could not be read or kept.
    """

    image: Any
    reason: str | None = None
    notes: tuple[str, ...] = ()


def load(
    path: Path | str | None = None,
    device: str = "cpu",
    trust: Sequence[str] = (),
    precision: str = AUTO,
    runtime: str | None = None,
    calibrate: Sequence[Path | str] = (),
) -> Enhancer:
    """Load a model: a ready one by its name, a checkpoint, a run folder, a pretrained folder or an export.

    Args:
        path: File or folder of the model; or a name of :func:`lowlight.models`, such as ``lime``, unless
            there is such a file; by default coarse_to_fine, with the weights that come with lowlight.
        device: Device to run on: ``cpu``, ``cuda``, ``mps``, ``xpu`` or ``auto``.
        trust: Packages beyond torch and lowlight that a recipe may call.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``, as for :func:`enhance`; or ``int8``, 8-bit
            integers in OpenVINO, whose ``note`` says how far results are from those of ``fp32``.
        runtime: What computes the network: ``torch``, ``openvino`` or ``onnx``, the latter two after an
            export of seconds; by default ``torch``, and ``openvino`` for ``int8``.
        calibrate: Dark photographs, or folders of them, that ``int8`` is calibrated on.

    Returns:
        An object with ``enhance(low)``, ``stride``, ``halo`` and ``name``. On torch it also has ``method``,
        whose ``net`` is a plain torch module: of a path a :class:`lowlight.methods.Method`, a
        LightningModule; of a name no more than enhances, which loads without Lightning
        (:func:`lowlight.from_pretrained` gives the whole method of a name).

    Raises:
        ValueError: If the file is missing, broken, not a model, or calls a package that is not trusted.
    """
    checkpoint, method = (None, path) if path is None or is_name_of_method(path) else (path, None)
    return choose(
        checkpoint,
        method,
        device=device,
        trust=trust,
        precision=precision,
        runtime=runtime,
        calibrate=calibrate,
        shared=False,
    )


@overload
def enhance(
    image: Path | str, model: Usable = None, *, report: Literal[False] = False, **settings: Unpack[_Settings]
) -> Image.Image: ...
@overload
def enhance(
    image: ImageT, model: Usable = None, *, report: Literal[False] = False, **settings: Unpack[_Settings]
) -> ImageT: ...
@overload
def enhance(
    image: list[Any] | tuple[Any, ...],
    model: Usable = None,
    *,
    report: Literal[False] = False,
    **settings: Unpack[_Settings],
) -> list[Any]: ...
@overload
def enhance(
    image: Picture, model: Usable = None, *, report: Literal[True], **settings: Unpack[_Settings]
) -> Enhanced: ...
@overload
def enhance(
    image: list[Any] | tuple[Any, ...],
    model: Usable = None,
    *,
    report: Literal[True],
    **settings: Unpack[_Settings],
) -> list[Enhanced]: ...
def enhance(
    image: "Picture | Several",
    model: Usable = None,
    *,
    strength: float = 1.0,
    exposure: float = 0.0,
    brightness: float | None = None,
    saturation: float = 1.0,
    fail_safe: bool = True,
    max_memory: int | None = None,
    device: str = "auto",
    precision: str = AUTO,
    report: bool = False,
) -> Any:
    """Enhance an image, or a list of images, and return the same type.

    Args:
        image: A path of a photograph, or a list or tuple of any of these:

            - a Pillow image of any mode;
            - an array of shape (H, W), (H, W, C) or (B, H, W, C), uint8, uint16 or floating in [0, 1];
            - a tensor of shape (C, H, W) or (B, C, H, W), uint8 or floating in [0, 1].

            C is 1 for grey, 3 for RGB, 4 for RGBA, whose opacity is kept.
        model: A path or result of :func:`load`, a method, or the name of a method that needs no training; by
            default coarse_to_fine with the weights that come with lowlight. For many calls, give what
            :func:`load` returns: a path is loaded at each call.
        strength: Weight of the enhancement, mixed with the image in linear light: 0 for none, up to 2 to
            exaggerate it.
        exposure: Change of the result's exposure in stops; highlights roll off.
        brightness: Mean luma in (0, 1) that the exposure is first adjusted to; by default the method decides.
        saturation: Factor of the result's saturation; 0 is grey.
        fail_safe: Return the image unchanged if it is not dark or its enhancement fails a check; ignored
            for tensors.
        max_memory: Bytes that the process may hold; an image or an array that needs more is enhanced in
            tiles, a tensor always whole. By default 2 GB, or 1 GB more than the process holds already.
        device: Device to run on, unless ``model`` is loaded already.
        precision: ``fp32``, ``bf16``, ``fp16``, or ``auto``, which keeps outputs within one level of 255 of
            fp32's; ignored if ``model`` came from :func:`load`, which takes it, too.
        report: Return an :class:`Enhanced`, which also says why an image is unchanged.

    Returns:
        A Pillow image for a path, else what was given; a list for a list or tuple.

    Raises:
        ValueError: If an image has another shape, type or range, a file cannot be read, or the model is
            unusable.
    """
    enhancer = _enhancer(model, device, precision)
    settings = Settings(
        strength,
        fail_safe,
        max_memory=max_memory,
        exposure=exposure,
        brightness=brightness,
        saturation=saturation,
    )
    if isinstance(image, list | tuple):
        made = [_enhance(enhancer, one, settings) for one in image]
        return made if report else [one.image for one in made]
    one = _enhance(enhancer, image, settings)
    return one if report else one.image


def _enhancer(model: Usable, device: str, precision: str) -> Enhancer:
    if isinstance(model, Enhancer):
        return model
    if model is None or is_name_of_method(model):
        return choose(method=model, device=device, precision=precision)
    if isinstance(model, Path | str):
        return choose(model, device=device, precision=precision)
    from lowlight.runtimes.torch_enhancer import TorchEnhancer

    return TorchEnhancer(model, precision)


def _is_tensor(image: object) -> "TypeIs[Tensor]":
    torch = sys.modules.get("torch")  # not loaded, it has made no tensor
    return torch is not None and isinstance(image, torch.Tensor)


def _enhance(enhancer: Enhancer, image: Any, settings: Settings) -> Enhanced:
    if _is_tensor(image):
        _check(image, -3, "(C, H, W) or (B, C, H, W)", ("uint8",))
        return Enhanced(_by_channels(image, -3, lambda colour: _tensor(enhancer, colour, settings)))
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
    """Enhance the colours of an image whose channels lie on an axis: grey stays grey, opacity is kept."""
    before, count = (slice(None),) * (image.ndim + axis), image.shape[axis]
    if count == 3:
        return enhance(image)
    join = sys.modules["torch"].cat if _is_tensor(image) else np.concatenate
    colour = image[(*before, slice(0, 3))] if count == 4 else join([image] * 3, axis)
    enhanced = enhance(colour)
    first = enhanced[(*before, slice(0, 1))]
    return join([enhanced, image[(*before, slice(3, 4))]], axis) if count == 4 else first


def _tensor(enhancer: Enhancer, image: "Tensor", settings: Settings) -> "Tensor":
    """Enhance a tensor of shape (3, H, W) or (B, 3, H, W)."""
    import torch

    low = image.float().div(255) if image.dtype == torch.uint8 else image.float()
    low = low if image.ndim == 4 else low[None]
    with torch.inference_mode():
        enhanced = blend(low, enhancer.enhance(low), settings.strength)
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
        return Enhanced(np.stack([one.image for one in made]), reason)
    reason = None

    def colours(pixels: NDArray[Any]) -> NDArray[Any]:
        nonlocal reason
        is_floating = pixels.dtype.kind == "f"
        white = np.asarray(65535, np.result_type(pixels.dtype, np.float32))  # infinite in float16
        stored = (pixels.clip(0, 1) * white).round().astype(np.uint16) if is_floating else pixels
        photo = Photo(np.ascontiguousarray(stored), is_grey=is_grey)
        enhanced, reason = enhance_photo(enhancer, photo, settings)
        if reason or not is_floating:
            return pixels if reason else enhanced.pixels
        floats: NDArray[Any] = enhanced.pixels / white
        return floats.astype(pixels.dtype)

    deep = image[..., None] if image.ndim == 2 else image
    is_grey = deep.shape[-1] == 1
    return Enhanced(_by_channels(deep, -1, colours).reshape(image.shape), reason)
