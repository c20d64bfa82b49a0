"""Networks that summarise the whole image first and then restore any window of it."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor


class Window(NamedTuple):
    """A range of rows or columns of an image, in pixels."""

    start: int
    stop: int
    length: int
    """Length of the whole axis."""


@runtime_checkable
class TwoPass(Protocol):
    """A network whose first pass sees the whole image and whose second is local.

    A large image can be cut into tiles that share the first pass's result, its *scene*. Any network with
    these members is tiled that way; :class:`lowlight.networks.CoarseToFine` is one.
    """

    @property
    def stride(self) -> int:
        """Sides of images and windows are multiples of this many pixels."""

    @property
    def window_halo(self) -> int | None:
        """Receptive-field radius of :meth:`restore` under a given scene, in pixels; None if unbounded."""

    def scene_of_windows(self, windows: Iterable[tuple[Tensor, Window, Window]]) -> Any:
        """Compute the scene of an image that is passed window by window.

        Args:
            windows: Disjoint windows that cover the image, each of shape (1, 3, H, W) in [0, 1], with its
                rows and columns.
        """

    def restore(self, low: Tensor, scene: Any, rows: Window, columns: Window) -> Tensor:
        """Restore a window of shape (1, 3, H, W) under the scene of the whole image, not clamped."""
