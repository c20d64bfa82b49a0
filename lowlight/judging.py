"""Networks that decide themselves which images they should enhance.

Imports no torch, which exported networks do without.
"""

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


class Judgement(NamedTuple):
    """What a network finds in an image before enhancing it.

    Attributes:
        reason: Why the image is better left unchanged, a word such as ``undamaged``; None to enhance it.
        finding: A phrase on what is wrong with the image, for the user; None if nothing is to be said.
    """

    reason: str | None
    finding: str | None = None


@runtime_checkable
class Judging(Protocol):
    """A network that judges its input, in place of the check whether a photograph is dark.

    :class:`lowlight.networks.PlateRestorer` is one.
    """

    def judge(self, low: "Tensor") -> tuple[str | None, str | None]:
        """Return the attributes of the :class:`Judgement` on an image of shape (1, 3, H, W) in [0, 1]."""
