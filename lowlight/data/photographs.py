"""Photographs without references, for training that needs none."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lowlight.data.layouts import PairedFolder
from lowlight.data.pairs import Fixed, PairItem, Split, file_state, refuse
from lowlight.data.splits import hold_out_names
from lowlight.decoding.formats import images_below
from lowlight.decoding.reading import read_size
from lowlight.images import read_rgb

REFERENCES = "references of the training images"
"""What a run's files name as the bright images of unpaired training that has no folder of them."""

SCORED_ON = ", scored on "
"""What stands between the folder that is learnt from and the one that is only scored on."""


@dataclass(frozen=True)
class Photograph(Fixed):
    """A photograph in the place of both images of a pair; by itself it has no reference."""

    has_reference: ClassVar[bool] = False

    name: str
    photo: Path
    scene: str | None = None

    def key(self) -> str:
        """Return a key of the pixels: path, size and time of the file."""
        return f"photograph|{file_state(self.photo)}"

    def check(self) -> None:
        """Read the photograph's header."""
        read_size(self.photo)

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Decode the photograph."""
        pixels = read_rgb(self.photo)
        return pixels, pixels


class Photographs:
    """Any photographs for training without references, scored on pairs where there are some.

    With ``pairs``, all photographs are for training; validation and test images are that folder's. Without,
    ``test_fraction`` of the photographs, chosen by a hash of their names, are for testing without reference,
    and there are no validation images.

    Args:
        root: Folder of photographs; those in folders below it count, too, except in hidden ones.
        pairs: Folder of pairs, see :class:`lowlight.data.PairedFolder`.
        val_pairs: Number of training pairs, evenly spaced, that validate where ``pairs`` has no validation
            split; 0 for none.
        test_fraction: Share of the photographs for testing, without ``pairs``; at least one photograph.

    Raises:
        ValueError: If ``val_pairs`` is negative or ``test_fraction`` is not in (0, 1).
    """

    def __init__(
        self,
        root: Path | str,
        *,
        pairs: Path | str | None = None,
        val_pairs: int = 16,
        test_fraction: float = 0.1,
    ) -> None:
        if val_pairs < 0 or not 0 < test_fraction < 1:
            raise ValueError(
                f"val_pairs={val_pairs} must be at least 0 and test_fraction={test_fraction} in (0, 1)"
            )
        self.root = Path(root).expanduser()
        self.pairs = None if pairs is None else PairedFolder(pairs)
        self.val_pairs = val_pairs
        self.test_fraction = test_fraction

    def __str__(self) -> str:
        return str(self.root) if self.pairs is None else f"{self.root}{SCORED_ON}{self.pairs}"

    def items(self, split: Split, name: str) -> list[PairItem]:
        """Return the photographs of a split, named ``<name>/<path without suffix>``, or its pairs.

        Raises:
            ValueError: If a folder is missing, has too few photographs, two of one name, or an unknown
                layout, or if a photograph cannot be read.
        """
        if self.pairs is not None and split != "train":
            return self._scored(self.pairs, split, name)
        photos = self._photographs()
        tests = hold_out_names(photos, self.test_fraction) if self.pairs is None else set[str]()
        chosen = {"train": photos.keys() - tests, "val": set(), "test": tests}[split]
        return [Photograph(f"{name}/{stem}", photos[stem]) for stem in sorted(chosen)]

    def _scored(self, pairs: PairedFolder, split: Split, name: str) -> list[PairItem]:
        found = pairs.items(split, name)
        if split == "test" or found:
            return found
        candidates = pairs.items("train", name)
        places = np.linspace(0, len(candidates), min(self.val_pairs, len(candidates)), endpoint=False)
        return [candidates[int(place)] for place in places]

    def _photographs(self) -> dict[str, Path]:
        """Return all photographs by their path without suffix."""
        photos = find_photographs(self.root, "root")
        least = 2 if self.pairs is None else 1
        if len(photos) < least:
            needed = "two or more are needed to split them" if least > 1 else "one or more are needed"
            raise ValueError(f"{self.root}: {len(photos)} photographs; {needed}")
        return photos


def bright_images(root: Path | str | None, items: Sequence[PairItem]) -> Sequence[PairItem]:
    """Return bright photographs for unpaired training.

    Args:
        root: Folder of bright photographs, also below it; None returns none, as the references of ``items``
            are taken.
        items: The training pairs.

    Raises:
        ValueError: If the folder is missing or empty, has two photographs of one name, or there is none and
            the pairs have no references.
    """
    if root is None:
        if not all(item.has_reference for item in items):
            raise ValueError(
                f"{items[0].name} has no bright counterpart to learn from: set data.bright=FOLDER"
            )
        return []
    root = Path(root).expanduser()
    photos = find_photographs(root, "data.bright")
    if not photos:
        raise ValueError(f"{root}: no photographs; data.bright must hold bright ones")
    return [Photograph(f"bright/{stem}", path) for stem, path in photos.items()]


def find_photographs(root: Path, setting: str) -> dict[str, Path]:
    """Return the photographs of a folder and of those below it, keyed by path without suffix, sorted.

    Args:
        root: The folder; hidden folders in it are left out.
        setting: Name of the setting that holds it, for the error message.

    Raises:
        ValueError: If the folder is missing or has two photographs of one name.
    """
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; {setting} must hold photographs")
    photos = images_below(root)
    stems = [path.relative_to(root).with_suffix("").as_posix() for path in photos]
    twice = [stem for stem, count in Counter(stems).items() if count > 1]
    if twice:
        refuse(root, [f"{stem} is there twice" for stem in twice], "Rename or remove one of each.")
    return dict(zip(stems, photos, strict=True))
