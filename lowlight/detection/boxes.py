"""Boxes around objects: annotated ones, detected ones, and which of them agree."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

OVERLAP = 0.5
"""Least intersection over union at which a detection finds an annotated object."""


class Objects(NamedTuple):
    """Annotated objects of an image.

    Attributes:
        boxes: Left, top, right and bottom in pixels, shape (N, 4).
        classes: Class of each, shape (N,).
        ignored: Whether it neither counts as missed nor makes a detection wrong, shape (N,).
    """

    boxes: NDArray[np.float64]
    classes: NDArray[np.int64]
    ignored: NDArray[np.bool_]


def objects(boxes: ArrayLike, classes: ArrayLike = 0, ignored: ArrayLike = False) -> Objects:
    """Return annotated objects of boxes, shape (N, 4), all of one class and none ignored by default."""
    array = np.asarray(boxes, np.float64).reshape(-1, 4)
    kinds, marks = np.asarray(classes, np.int64), np.asarray(ignored, np.bool_)
    return Objects(array, np.broadcast_to(kinds, len(array)), np.broadcast_to(marks, len(array)))


def overlaps(ones: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intersection over union of boxes, shapes (N, 4) and (M, 4), as (N, M)."""
    starts = np.maximum(ones[:, None, :2], others[None, :, :2])
    ends = np.minimum(ones[:, None, 2:], others[None, :, 2:])
    shared = (ends - starts).clip(0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clip(0).prod(-1) for boxes in (ones, others)]
    union = areas[0][:, None] + areas[1][None] - shared
    share: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return share


def assign(found: NDArray[np.float64], known: Objects) -> NDArray[np.int8]:
    """Decide which detections of an image are right.

    In the order of their scores, each detection takes the object of its class that it overlaps most, by
    :data:`OVERLAP` at least, among those not yet taken. A second detection of one object is wrong.

    Args:
        found: Left, top, right, bottom, score and class per detection, shape (M, 6).
        known: The annotated objects.

    Returns:
        Per detection, shape (M,): 1 right, 0 wrong, -1 of an ignored object.

    Reference:
        Everingham, Van Gool, Williams, Winn, Zisserman, 2010, "The PASCAL Visual Object Classes (VOC)
        challenge", section 4.2; Lin et al., 2014, "Microsoft COCO: common objects in context" (objects that
        are ignored).
    """
    verdicts = np.zeros(len(found), np.int8)
    share = overlaps(found[:, :4], known.boxes)
    share[found[:, 5].astype(np.int64)[:, None] != known.classes[None]] = 0
    free = ~known.ignored
    for index in np.argsort(-found[:, 4], kind="stable"):
        open_share = np.where(free, share[index], 0)
        if open_share.size and open_share.max() >= OVERLAP:
            free[open_share.argmax()] = False
            verdicts[index] = 1
        elif (share[index][known.ignored] >= OVERLAP).any():
            verdicts[index] = -1
    return verdicts
