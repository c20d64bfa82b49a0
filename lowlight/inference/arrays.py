"""The library's front door: enhancing Pillow images, arrays and tensors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lowlight.colour import blend
from lowlight.decoding.photo import Photo
from lowlight.decoding.reading import in_memory
from lowlight.images import check_image
from lowlight.inference.load import choose
from lowlight.inference.photos.enhance import enhance_photo
from lowlight.inference.photos.writing import to_pillow
from lowlight.inference.settings import Settings
from lowlight.model import Model
from lowlight.precision import AUTO
from lowlight.runtimes.enhancer import Enhancer, TorchEnhancer

_ROUNDING = 1e-3
"""Distance from [0, 1] that is put down to rounding, and clipped."""

ImageT = TypeVar("ImageT", Image.Image, NDArray[Any], Tensor)


def load(
    path: Path | str,
    device: str = "cpu",
    trust: Sequence[str] = (),
    precision: str = AUTO,
    runtime: str | None = None,
    calibrate: Sequence[Path | str] = (),
) -> Enhancer:
    """Load a model: a checkpoint, a run folder, a pretrained folder or an exported network.

    Args:
        path: File or folder of the model.
        device: Device to run on: ``cpu``, ``cuda``, ``mps``, ``xpu`` or ``auto``.
        trust: Packages beyond torch and lowlight that a recipe may call.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``, as for :func:`enhance`; or ``int8``, 8-bit
            integers in OpenVINO, whose ``note`` says how far results are from those of ``fp32``.
        runtime: What computes the network: ``torch``, ``openvino`` or ``onnx``, the latter two after an
            export of seconds; by default ``torch``, and ``openvino`` for ``int8``.
        calibrate: Dark photographs, or folders of them, that ``int8`` is calibrated on.

    Returns:
        An object with ``enhance(low)``, ``stride``, ``halo`` and ``name``; on torch it also has ``method``, a
        LightningModule whose ``net`` is a plain torch module.

    Raises:
        ValueError: If the file is missing, broken, not a model, or calls a package that is not trusted.
    """
    return choose(
        path,
        device=device,
        trust=trust,
        precision=precision,
        runtime=runtime,
        calibrate=calibrate,
        trainable=True,
    )


def enhance(
    image: ImageT,
    model: Enhancer | Model | Path | str | None = None,
    *,
    strength: float = 1.0,
    fail_safe: bool = True,
    max_memory: int | None = None,
    device: str = "auto",
    precision: str = AUTO,
) -> ImageT:
    """Enhance an image and return the result as the same type.

    Args:
        image: A Pillow image of any mode; an array of shape (H, W, 3) or (H, W), uint8, uint16 or floating
            in [0, 1]; or a floating tensor of shape (3, H, W) or (B, 3, H, W) in [0, 1].
        model: A path or result of :func:`load`, a method, or the name of a method that needs no training; by
            default coarse_to_fine with the weights that come with lowlight.
        strength: Weight of the enhancement, from 0 to 1, mixed with the image in linear light.
        fail_safe: Return the image unchanged if it is not dark or its enhancement fails a check; ignored
            for tensors.
        max_memory: Bytes that the process may hold; a Pillow image or an array that needs more is enhanced
            in tiles, a tensor always whole. By default 2 GB, or 1 GB more than the process holds already.
        device: Device to run on, unless ``model`` is loaded already.
        precision: ``fp32``, ``bf16``, ``fp16``, or ``auto``, which keeps outputs within one level of 255 of
            fp32's; ignored if ``model`` came from :func:`load`, which takes it, too.

    Raises:
        ValueError: If the image has another shape or type, or the model is unusable.
    """
    enhancer = _enhancer(model, device, precision)
    settings = Settings(strength, fail_safe, max_memory=max_memory)
    if isinstance(image, Tensor):
        return _tensor(enhancer, image, strength)
    if isinstance(image, Image.Image):
        photo, reason = enhance_photo(enhancer, in_memory(image), settings)
        return image if reason else to_pillow(photo)
    return _array(enhancer, np.asarray(image), settings)


def _enhancer(model: Enhancer | Model | Path | str | None, device: str, precision: str) -> Enhancer:
    if isinstance(model, Model):
        return TorchEnhancer(model, precision)
    if model is None or (isinstance(model, str) and not Path(model).exists() and model.isidentifier()):
        return choose(method=model, device=device, precision=precision)
    return choose(model, device=device, precision=precision) if isinstance(model, Path | str) else model


def _tensor(enhancer: Enhancer, image: Tensor, strength: float) -> Tensor:
    batch = image if image.ndim == 4 else image[None]
    check_image(batch)
    _check_range(batch)
    with torch.inference_mode():
        enhanced = blend(batch.float(), enhancer.enhance(batch.float()), strength)
    return enhanced.clone().to(image.dtype).view_as(image)


def _check_range(values: Any) -> None:
    """Raise ``ValueError`` for values that are not finite or, beyond rounding, outside [0, 1]."""
    if values.size if isinstance(values, np.ndarray) else values.numel():
        least, most = float(values.min()), float(values.max())
        if not -_ROUNDING <= least <= most <= 1 + _ROUNDING:
            raise ValueError(
                f"image must be in [0, 1] where it is floating-point, got values from {least:g} to {most:g}; "
                "divide by the value of white, for example 255"
            )


def _array(enhancer: Enhancer, image: NDArray[Any], settings: Settings) -> NDArray[Any]:
    is_grey, is_floating = image.ndim == 2, np.issubdtype(image.dtype, np.floating)
    colour = np.repeat(image[..., None], 3, axis=2) if is_grey else image
    is_known = is_floating or image.dtype in (np.uint8, np.uint16)
    if colour.ndim != 3 or colour.shape[2] != 3 or not is_known:
        raise ValueError(
            "image must be of shape (H, W, 3) or (H, W), uint8, uint16 or floating in [0, 1], "
            f"got {image.shape} of {image.dtype}"
        )
    if is_floating:
        _check_range(colour)
        colour = (colour.clip(0, 1) * 65535).round().astype(np.uint16)
    photo, reason = enhance_photo(enhancer, Photo(np.ascontiguousarray(colour), is_grey=is_grey), settings)
    if reason:
        return image
    pixels = photo.pixels[..., 0] if is_grey else photo.pixels
    return (pixels / np.asarray(65535, image.dtype)).astype(image.dtype) if is_floating else pixels
