"""Shapes that rays meet: spheres and boxes."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Points = NDArray[np.float32]
"""Positions or directions in metres, shape (3, N): right, up, away from the first wall."""

_FAR = np.float32(1e4)
"""Distance of what is not hit, metres."""


class Outline(NamedTuple):
    """A shape: the centre and the radius of a ball around it, and its intersection with rays.

    ``hit`` maps origins and directions, each (3, N) or the origin (3, 1), to the distance in lengths of the
    direction, the local position and the normal.
    """

    centre: Points
    reach: float
    hit: Callable[[Points, Points], tuple[Floats, Points, Points]]

    def near(self, origin: Points, rays: Points, lengths: Floats | float = 1.0) -> NDArray[np.intp]:
        """Return the indices of the rays of one origin, of given lengths, that meet the ball."""
        offset = self.centre - origin
        square = float(dot(offset, offset)[0]) - self.reach**2
        if square <= 0:
            return np.arange(rays.shape[1])
        return np.flatnonzero(dot(offset, rays) > np.float32(square**0.5) * lengths)


def dot(one: Points, other: Points) -> Floats:
    """Return the scalar products of vectors."""
    return np.asarray(one[0] * other[0] + one[1] * other[1] + one[2] * other[2])


def column(*values: float) -> Points:
    """Return one vector, shape (3, 1)."""
    return np.array(values, np.float32)[:, None]


def sphere(centre: Points, radius: float) -> Outline:
    """Return a sphere."""

    def hit(origin: Points, direction: Points) -> tuple[Floats, Points, Points]:
        offset = origin - centre
        length = dot(direction, direction)
        half = dot(direction, offset)
        root = half * half - length * (dot(offset, offset) - radius * radius)
        first = (-half - np.sqrt(np.maximum(root, 0))) / length
        distance: Floats = np.where((root > 0) & (first > 1e-4), first, _FAR).astype(np.float32)
        local: Points = offset + distance * direction
        return distance, local, local / np.float32(radius)

    return Outline(centre, radius, hit)


def box(centre: Points, half: Sequence[float], turn: float = 0.0, *, inside: bool = False) -> Outline:
    """Return a box of given half sides, turned about the vertical by radians.

    The local position is measured from the centre along the sides. A box seen from ``inside`` is a room.
    """
    sine, cosine = np.float32(np.sin(turn)), np.float32(np.cos(turn))
    sides = column(*half)

    def turned(points: Points, sine: np.float32) -> Points:
        right, up, away = points
        return np.stack([cosine * right - sine * away, up, sine * right + cosine * away])

    def hit(origin: Points, direction: Points) -> tuple[Floats, Points, Points]:
        start = turned(origin - centre, sine)
        ray = turned(direction, sine)
        with np.errstate(divide="ignore", invalid="ignore"):
            first = (-sides - start) / ray
            second = (sides - start) / ray
        near, far = np.minimum(first, second), np.maximum(first, second)
        enter, leave = near.max(0), far.min(0)
        met = leave if inside else enter
        missed = (leave < enter) | (met <= 1e-4) | ~np.isfinite(met)
        distance: Floats = np.where(missed, _FAR, met).astype(np.float32)
        axis = far.argmin(0) if inside else near.argmax(0)
        normal = np.zeros_like(ray)
        columns = np.arange(ray.shape[1])
        normal[axis, columns] = -np.sign(ray[axis, columns])
        local: Points = start + distance * ray
        return distance, local, turned(normal, np.float32(-sine))

    return Outline(centre, float(np.linalg.norm(sides)), hit)


def on_surface(local: Points, normal: Points) -> tuple[Floats, Floats]:
    """Return the two coordinates of points along the surface they are on, metres."""
    axis = np.abs(normal).argmax(0)
    right, up, away = local
    return np.where(axis == 0, away, right), np.where(axis == 1, away, up)
