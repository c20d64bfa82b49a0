"""What exported files say of themselves and what their networks return, checked before it is used."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lowlight.files import first_line, shortened
from lowlight.images import LARGEST_STRIDE, Images
from lowlight.memory import ran_out

LARGEST_HALO = 2**16
"""Largest receptive-field radius that is believed, in pixels."""


def read_about(metadata: Any, source: Path) -> dict[str, Any]:
    """Read the metadata of an exported file.

    Args:
        metadata: JSON, or None if the file has no metadata of ours.
        source: The file, for the message.

    Returns:
        The mapping; ``stride``, ``halo`` and ``method`` are present and in range.

    Raises:
        ValueError: If lowlight did not write it, or one of these is missing, of another type or out of range.
    """
    if metadata is None:
        raise ValueError(f"{source}: not written by `lowlight export` (no metadata of ours in it)")
    try:
        about: Any = json.loads(metadata)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{source}: its metadata are no JSON ({first_line(error)})") from error
    if not isinstance(about, dict):
        raise ValueError(f"{source}: its metadata are no JSON object")
    stride, halo, method = (about.get(key, "missing") for key in ("stride", "halo", "method"))
    if type(stride) is not int or not 1 <= stride <= LARGEST_STRIDE:
        raise ValueError(f"{source}: its stride is {_shown(stride)}, not from 1 to {LARGEST_STRIDE}")
    if halo is not None and (type(halo) is not int or not 0 <= halo <= LARGEST_HALO):
        raise ValueError(f"{source}: its halo is {_shown(halo)}, neither null nor from 0 to {LARGEST_HALO}")
    if type(method) is not str or "method" not in about:
        raise ValueError(f"{source}: its method is {_shown(method)}, not a name")
    return about


def _shown(value: Any) -> str:
    try:
        return shortened(repr(value), 40)
    except ValueError:  # an integer of too many digits
        return "huge"


def answer(run: Callable[[Images], Images], low: Images, source: Path | str) -> Images:
    """Run a network of unknown origin on images; its errors and odd outputs become one line.

    Args:
        run: The network.
        low: Images of shape (B, 3, H, W), a tensor or an array.
        source: Its file or name, for the message.

    Raises:
        ValueError: If it fails, or its output has another shape or type.
        MemoryError: If memory runs out, on whatever device.
    """
    size = f"{low.shape[-1]}x{low.shape[-2]} pixels"
    try:
        image = run(low)
    except Exception as error:  # the errors of the runtimes share no base
        if ran_out(error):
            raise MemoryError(first_line(error)) from error
        raise ValueError(f"{source}: fails on {size} ({shortened(str(error))})") from error
    kind: Any = getattr(image, "dtype", type(image).__name__)
    if kind != low.dtype:
        raise ValueError(f"{source}: returns {kind} for images of {low.dtype}")
    if image.shape != low.shape:
        raise ValueError(f"{source}: returns {tuple(image.shape)} for images of {tuple(low.shape)}")
    return image
