"""Pairs of drawn licence plates and their degraded pictures, each with the problem as its label."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import PIL
from numpy.typing import NDArray

from lowlight.data.pairs import PairItem, Split, file_state
from lowlight.data.plate_drawing import Drawn, draw_plate, fonts
from lowlight.data.plate_problems import PROBLEMS, degrade

_SPLITS: dict[Split, int] = {"train": 0, "val": 1, "test": 2}

_DEGRADING, _DRAWING = 1, 2
"""Last words of the two seeds; without one, a plate's is that of a training sample: seed, pass, index."""


@dataclass(frozen=True)
class PlatePair:
    """A drawn plate under one problem; everything follows from seed, split and index.

    The picture is fixed for evaluation; a training sample is degraded anew, by the same problem.

    Attributes:
        name: ``<set>/<problem>-<index>``.
        problem: One of :data:`lowlight.data.plate_problems.PROBLEMS`.
        seed: Seed of the set, number of the split, and index.
        font_files: Fonts to choose from.
        scene: None: each plate is a scene of its own.
        is_bright: Whether nothing is degraded, for training, which does so itself.
        is_alone: True, as plates of one layout look alike without being one scene.
    """

    has_reference: ClassVar[bool] = True
    name: str
    problem: str
    seed: tuple[int, int, int]
    font_files: tuple[str, ...]
    scene: str | None = None
    is_alone: bool = True
    is_bright: bool = False

    @property
    def label(self) -> int:
        """Number of the problem; 0 is none."""
        return PROBLEMS.index(self.problem)

    def key(self) -> str:
        """Return a key of the pixels: the fonts, Pillow's version, which draws, and all parameters."""
        states = [file_state(Path(font)) if font else "" for font in self.font_files]
        return (
            f"plate 2|{PIL.__version__}|{states}|{self.seed}|{self.problem if not self.is_bright else None}"
        )

    def check(self) -> None:
        """Do nothing: nothing is read."""

    def draw(self) -> Drawn:
        """Draw the plate; its text is known."""
        return draw_plate(np.random.default_rng([*self.seed, _DRAWING]), self.font_files)

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Draw the plate and degrade it, always alike."""
        high = self.draw().pixels
        if self.is_bright:
            return high, high
        return degrade(high, self.problem, np.random.default_rng([*self.seed, _DEGRADING])), high

    def source(self) -> "PlatePair":
        """Return the pair without its fixed picture, which training has no use for."""
        return replace(self, is_bright=True)

    def sample(self, pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
        """Degrade the reference of a crop of shape (2, H, W, 3) anew."""
        return np.stack([degrade(pixels[1], self.problem, generator), pixels[1]])


class DrawnPlates:
    """Licence plates drawn from national layouts, each degraded by one problem; all problems are as frequent.

    Args:
        count: Number of training plates.
        val_count: Number of validation plates.
        test_count: Number of test plates.
        problems: Problems that occur; by default all of :data:`lowlight.data.plate_problems.PROBLEMS`.
        font_folder: Folder of fonts to draw with; by default Pillow's own and Matplotlib's.
        seed: Identifies the set; not the training's seed.

    Raises:
        ValueError: If a count is below 1, a problem is unknown, or the folder has no fonts.
    """

    def __init__(
        self,
        *,
        count: int = 720,
        val_count: int = 90,
        test_count: int = 180,
        problems: Sequence[str] | None = None,
        font_folder: Path | str | None = None,
        seed: int = 0,
    ) -> None:
        self.counts: dict[Split, int] = {"train": count, "val": val_count, "test": test_count}
        if min(self.counts.values()) < 1:
            raise ValueError(f"counts of plates must be at least 1, got {[*self.counts.values()]}")
        self.problems = tuple(PROBLEMS if problems is None else problems)
        if not self.problems or not set(self.problems) <= set(PROBLEMS):
            raise ValueError(f"problems={list(self.problems)} must be some of {', '.join(PROBLEMS)}")
        self.font_folder = None if font_folder is None else Path(font_folder).expanduser()
        self.seed = seed

    def __str__(self) -> str:
        return "drawn plates"

    @cached_property
    def _fonts(self) -> tuple[str, ...]:
        return fonts(self.font_folder)

    def items(self, split: Split, name: str) -> list[PairItem]:
        """Return the pairs of a split, named ``<name>/<problem>-<index>``."""
        return list[PairItem](self.pairs(split, name))

    def pairs(self, split: Split, name: str = "plates") -> list[PlatePair]:
        """Return the pairs of a split, whose texts are known."""
        made = []
        for index in range(self.counts[split]):
            problem = self.problems[index % len(self.problems)]
            seed = (self.seed, _SPLITS[split], index)
            made.append(PlatePair(f"{name}/{problem}-{index:05d}", problem, seed, self._fonts))
        return made
