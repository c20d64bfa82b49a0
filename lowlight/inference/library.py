"""The library's front door: enhancing an image of any kind, and loading models."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar, Unpack, overload

from numpy.typing import NDArray
from PIL import Image

from lowlight.inference.arrays import Enhanced, enhance_image
from lowlight.inference.load import choose
from lowlight.inference.models import is_name_of_method, path_or_name
from lowlight.inference.settings import Settings
from lowlight.precision import AUTO
from lowlight.runtimes.enhancer import Enhancer

if TYPE_CHECKING:  # an exported network enhances without torch
    from torch import Tensor

    from lowlight.model import Model

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


def load(
    path: Path | str | None = None,
    device: str = "cpu",
    trust: Sequence[str] = (),
    precision: str = AUTO,
    runtime: str | None = None,
    calibrate: Sequence[Path | str] = (),
    original: str | None = None,
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
        calibrate: Dark photographs, or folders of them, that ``int8`` alone is calibrated on.
        original: Method as whose published weights the file is read, such as ``retinexformer`` or
            ``nafnet width=64``.

    Returns:
        An object with ``enhance(low)``, ``stride``, ``halo`` and ``name``. On torch it also has ``method``,
        whose ``net`` is a plain torch module: of a path a :class:`lowlight.methods.Method`, a
        LightningModule; of a name no more than enhances, which loads without Lightning
        (:func:`lowlight.from_pretrained` gives the whole method of a name).

    Raises:
        ValueError: If the file is missing, broken, not a model, or calls a package that is not trusted.
    """
    checkpoint, method = (None, None) if path is None else path_or_name(path)
    return choose(
        checkpoint,
        method,
        device=device,
        trust=trust,
        precision=precision,
        runtime=runtime,
        calibrate=calibrate,
        original=original,
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
        made = [enhance_image(enhancer, one, settings) for one in image]
        return made if report else [one.image for one in made]
    one = enhance_image(enhancer, image, settings)
    return one if report else one.image


def _enhancer(model: Usable, device: str, precision: str) -> Enhancer:
    if isinstance(model, Enhancer):
        return model
    if model is None or is_name_of_method(model):
        return choose(method=model, device=device, precision=precision)
    if isinstance(model, Path | str):
        return choose(model, device=device, precision=precision)
    from lowlight.model import Model
    from lowlight.runtimes.torch_enhancer import TorchEnhancer

    if not isinstance(model, Model):
        raise ValueError(
            "model must be a path, a name, a method or what lowlight.load returns, "
            f"not a {type(model).__name__}"
        )
    return TorchEnhancer(model, precision)
