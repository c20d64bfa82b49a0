"""Detectors: the face detector of the extra ``faces``, and any Python callable."""

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlight.files import first_line

FACES = "yuface"
"""Name of the face detector."""

Detector = Callable[[NDArray[np.uint8]], Any]
"""Maps 8-bit RGB of shape (H, W, 3) to left, top, right, bottom, score and, if wanted, class per object."""


def load_detector(name: str = FACES) -> Detector:
    """Return a detector.

    Args:
        name: ``yuface``, or ``package.module:function`` for any callable that can be imported.

    Raises:
        ValueError: If it cannot be imported, or is not callable.
    """
    if name == FACES:
        return _yuface()
    module, _, function = name.partition(":")
    if not (module and function):
        raise ValueError(
            f"detector {name!r} is neither {FACES} nor a callable, such as mypackage.module:detect"
        )
    try:
        detector = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"detector {name}: {first_line(error)}; install it, or add its folder to PYTHONPATH"
        ) from error
    if not callable(detector):
        raise ValueError(f"detector {name}: a {type(detector).__name__}, which cannot be called")
    return detector  # type: ignore[no-any-return]


def _yuface() -> Detector:
    """Return the face detector of the package yuface.

    Its scores are from 0.2 on; fainter detections, and their part of the curve, do not exist.

    Reference:
        Wu, Peng, Yu, 2023, "YuNet: A tiny millisecond-level face detector"; its package holds the weights.
    """
    try:
        from yuface import detect
    except ImportError:
        raise ValueError(
            "faces are found by yuface: pip install 'lowlight[faces]' (Python 3.11), or give "
            "--detector MODULE:FUNCTION"
        ) from None

    def find(image: NDArray[np.uint8]) -> NDArray[np.float64]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sides above 960 pixels
            scores, boxes, _ = detect(np.ascontiguousarray(image[..., ::-1]), conf=0.0)
        corners = np.asarray(boxes, np.float64).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        return np.column_stack((corners, np.asarray(scores, np.float64) / 100))

    return find


def run(detector: Detector, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
    """Detect the objects of an image.

    Args:
        detector: The detector.
        image: 8-bit RGB of shape (H, W, 3).
        name: The image, for the message.

    Returns:
        Left, top, right, bottom in pixels, score and class (0 if the detector gives none), shape (M, 6).

    Raises:
        ValueError: If what it returns is something else.
    """
    found = np.asarray(detector(image), np.float64)
    found = found.reshape(0, 6) if found.size == 0 else found
    if found.ndim != 2 or found.shape[1] not in (5, 6) or not np.isfinite(found).all():
        raise ValueError(
            f"{name}: the detector returned an array of shape {found.shape}; it must have a row of finite "
            "numbers per object: left, top, right, bottom, score and, if wanted, class"
        )
    return found if found.shape[1] == 6 else np.column_stack((found, np.zeros(len(found))))
