"""Measuring the memory of a pass through an enhancer."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lowlight.memory import resident, taken_by

RESERVE = 0.3
"""Memory set aside beyond what was measured, as a share of it."""

UNKNOWN = 4000
"""Cost assumed of a pass that was not measured, in bytes per pixel: above the published MIRNet's."""

LEAST = 60
"""Smallest cost assumed, in bytes per pixel: the first millisecond of a pass and its finishing go unseen."""

PROBE = 192
"""Side of the image that a pass is measured on, in pixels, before padding to the stride."""

WARM_UP = 32
"""Side of the image of the pass before it, in pixels."""


def measure_bytes_per_pixel(
    enhance: Callable[[NDArray[np.float32]], NDArray[np.float32]], stride: int
) -> float:
    """Measure the peak memory of a pass in bytes per pixel, with a reserve.

    One-time set-up is no part of it, so that a pass on a small image goes before. The measured pass is the
    first at its size: some runtimes keep their buffers, and take next to nothing for a second one.

    Args:
        enhance: Maps images of shape (1, 3, H, W) in [0, 1] to the same shape.
        stride: Sides are padded to multiples of this many pixels.
    """
    side = PROBE + -PROBE % stride
    probe = np.random.default_rng(0).random((1, 3, side, side), np.float32)
    enhance(probe[..., :WARM_UP, :WARM_UP])
    taken = taken_by(lambda: enhance(probe)) / side**2 if resident() else UNKNOWN
    return (1 + RESERVE) * max(taken, LEAST) + 3 * 12  # the float image, its enhancement and the blend
