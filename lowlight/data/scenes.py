"""Scene groups: images of one scene must not be on both sides of a split."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlight.colour import luma

THUMBNAIL = (48, 32)
"""Width and height of a thumbnail, in pixels."""

SAME_SCENE = 0.93
"""Pearson correlation of thumbnails above which two images show one scene."""

_ROWS = 1024  # images correlated with all others at a time, which bounds the memory


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shrink 8-bit RGB of shape (H, W, 3) to BT.601 grey of shape (32, 48) by area averaging."""
    grey = Image.fromarray(luma(pixels.astype(np.float32)))
    return np.asarray(grey.resize(THUMBNAIL, Image.Resampling.BOX))


def scene_groups(
    thumbnails: Sequence[NDArray[np.float32]],
    labels: Sequence[str | None],
    threshold: float = SAME_SCENE,
) -> list[list[int]]:
    """Group images by scene: the connected components of equal labels and of similar thumbnails.

    Args:
        thumbnails: One per image, from :func:`thumbnail`; a uniform one is similar to no other.
        labels: Known scene of each image, or ``None``.
        threshold: Pearson correlation above which two thumbnails show the same scene.

    Returns:
        Image indices per scene, ascending; scenes in the order of their first image.
    """
    parent = list(range(len(thumbnails)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = index = parent[parent[index]]
        return index

    def join(one: int, other: int) -> None:
        first, second = sorted((root(one), root(other)))
        parent[second] = first

    first_of: dict[str, int] = {}
    for index, label in enumerate(labels):
        if label is not None:
            join(first_of.setdefault(label, index), index)
    for one, other in _similar(thumbnails, threshold):
        join(one, other)
    groups: dict[int, list[int]] = {}
    for index in range(len(thumbnails)):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def _similar(thumbnails: Sequence[NDArray[np.float32]], threshold: float) -> list[tuple[int, int]]:
    if not thumbnails:
        return []
    rows = standardised(thumbnails)
    pairs = []
    for start in range(0, len(rows), _ROWS):
        ones, others = np.nonzero(rows[start : start + _ROWS] @ rows.T > threshold)
        pairs += [(int(one) + start, int(other)) for one, other in zip(ones, others, strict=True)]
    return [(one, other) for one, other in pairs if one < other]


def standardised(thumbnails: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return thumbnails as rows of zero mean and unit norm, so that products are Pearson correlations.

    A uniform thumbnail becomes a row of zeros.
    """
    rows = np.stack([np.ravel(grey) for grey in thumbnails]).astype(np.float64)
    rows -= rows.mean(1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    np.divide(rows, norms, out=rows, where=norms > 1e-6)
    rows[norms[:, 0] <= 1e-6] = 0
    return rows


def hold_out(groups: Sequence[Sequence[int]], fraction: float, seed: int) -> list[int]:
    """Hold out whole scenes for validation until a fraction of all images is reached.

    Scenes are taken in an order shuffled by ``seed``; one that would bring the share above one half is
    skipped, unless ``fraction`` is larger itself.

    Args:
        groups: Image indices per scene.
        fraction: Share of the images to hold out, in (0, 1).
        seed: Seed of the order.

    Returns:
        Indices of the images held out, ascending; never all of them.

    Raises:
        ValueError: If there is only one scene, which cannot be split.
    """
    total = sum(len(group) for group in groups)
    if len(groups) < 2:
        raise ValueError(
            f"all {total} training images show one scene, so none can be held out for validation; "
            "add images of other scenes or set data.val_fraction=0"
        )
    wanted = fraction * total
    chosen: list[int] = []
    order = np.random.default_rng(seed).permutation(len(groups))
    for index in order[:-1]:
        if len(chosen) < wanted and len(chosen) + len(groups[index]) <= max(wanted, total / 2):
            chosen += groups[index]
    return sorted(chosen or groups[order[-1]])
