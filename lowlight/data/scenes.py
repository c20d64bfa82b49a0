"""Scene groups: images that show the same scene must not stand on both sides of a split."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlight.colour import luma

THUMBNAIL = (48, 32)
"""Width and height of a thumbnail in pixels."""

SAME_SCENE = 0.93
"""Thumbnails of a higher Pearson correlation show the same scene."""

_ROWS = 1024  # correlations of this many images with all others at a time, to bound the memory


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shrink 8-bit RGB of shape (H, W, 3) to BT.601 grey of shape (32, 48), averaging areas."""
    grey = Image.fromarray(luma(pixels.astype(np.float32)))
    return np.asarray(grey.resize(THUMBNAIL, Image.Resampling.BOX))


def scene_groups(
    thumbnails: Sequence[NDArray[np.float32]],
    labels: Sequence[str | None],
    threshold: float = SAME_SCENE,
) -> list[list[int]]:
    """Group images by scene: the connected components of equal labels and of similar thumbnails.

    Args:
        thumbnails: One an image, from :func:`thumbnail`; a uniform one is similar to none.
        labels: One an image: what it is known to show, or ``None``.
        threshold: Pearson correlation above which two thumbnails show the same scene.

    Returns:
        Indices of the images of each scene, ascending; the scenes in the order of their first image.
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
    """Return thumbnails as rows of zero mean and unit norm, whose products are their Pearson correlations; a
    uniform one is a row of zeros.
    """
    rows = np.stack([np.ravel(grey) for grey in thumbnails]).astype(np.float64)
    rows -= rows.mean(1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    np.divide(rows, norms, out=rows, where=norms > 1e-6)
    rows[norms[:, 0] <= 1e-6] = 0
    return rows


def hold_out(groups: Sequence[Sequence[int]], fraction: float, seed: int) -> list[int]:
    """Choose whole groups for validation until a fraction of all images is reached.

    Groups come in an order shuffled by ``seed``; one that would bring the choice above half of the images is
    passed over, unless ``fraction`` itself asks for more.

    Args:
        groups: Indices of the images of each scene.
        fraction: Share of the images wanted, in (0, 1).
        seed: Another seed, another choice.

    Returns:
        The indices chosen, ascending; never all of them.

    Raises:
        ValueError: If there is only one group, which cannot be split.
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
