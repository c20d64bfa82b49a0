"""The layout of paired sets whose splits are lists of names, such as MIT-Adobe FiveK."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lowlight.data.layouts import FOLDERS, SPLITS, Found, PairedFolder, holds, pair_up
from lowlight.data.pairs import Split, list_images, stem_of
from lowlight.decoding.formats import SUFFIXES

LISTS: Mapping[str, Sequence[str]] = {
    "train": ("train.txt", "train_input.txt", "train_label.txt"),
    "val": ("val.txt", "valid.txt"),
    "test": ("test.txt",),
}
"""Text files that list a split's images, one stem or file name per line."""


class ListedPairs(PairedFolder):
    """Pairs whose split is given by lists or numbers, as in copies of MIT-Adobe FiveK.

    ``root`` has a folder of dark images and one of references; text files beside them list the stems or file
    names of each split. Without any list, the first number in a name decides. A ``root`` with one folder per
    split is read like :class:`PairedFolder`.

    Args:
        root: Folder of the set.
        splits: Folder names of the splits, if they are in folders.
        folders: Pairs of folder names or paths, dark images first.
        lists: Names of the list files of each split.
        test_from: Lowest number of a test image, for sets without lists.

    Reference:
        Bychkovsky, Paris, Chan, Durand, 2011, "Learning Photographic Global Tonal Adjustment with a Database
        of Input / Output Image Pairs".
    """

    def __init__(
        self,
        root: Path | str,
        *,
        splits: Mapping[str, Sequence[str]] = SPLITS,
        folders: Sequence[Sequence[str]] = FOLDERS,
        lists: Mapping[str, Sequence[str]] = LISTS,
        test_from: int = 4501,
    ) -> None:
        super().__init__(root, splits=splits, folders=folders)
        self.lists = lists
        self.test_from = test_from

    def _find(self, split: Split) -> Found | None:
        if not any(holds(self.root, low, high) for low, high in self.folders):
            return super()._find(split)
        low, high = self._pair_folders(self.root)
        if not any((self.root / name).is_file() for names in self.lists.values() for name in names):
            if split == "val":
                return None
            found = pair_up(self.root, low, high, lambda stem: self._is_test(stem) == (split == "test"))
            return found if found.pairs or found.unmatched or split == "train" else None
        files = [self.root / name for name in self.lists.get(split, ()) if (self.root / name).is_file()]
        if not files:
            return None
        listed = {stem: file.name for file in files for stem in _listed(file)}
        found = pair_up(self.root, low, high, listed)
        there = {stem_of(pair.low) for pair in found.pairs} | {stem_of(path) for path in list_images(low)}
        missing = [
            f"{listed[stem]} lists {stem}, which is not in {low.name}" for stem in listed if stem not in there
        ]
        return replace(found, unmatched=[*found.unmatched, *missing])

    def _is_test(self, stem: str) -> bool:
        number = re.search(r"\d+", stem)
        return number is not None and int(number.group()) >= self.test_from


def _listed(file: Path) -> list[str]:
    """Return the stems in a list of one stem, file name or path per line."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: not a readable list of images ({error})") from error
    names = [Path(line) for line in lines if line]
    stems = (name.stem if name.suffix.lower() in SUFFIXES else name.name for name in names)
    return [unicodedata.normalize("NFC", stem) for stem in stems]
