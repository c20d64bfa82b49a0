"""Layouts of paired sets in folders, as published copies have them."""

import os
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self, cast, get_args

from lowlight.data.pairs import FilePair, PairItem, Split, list_images, match, refuse, stem_of
from lowlight.decoding.formats import SUFFIXES

SPLITS: Mapping[str, Sequence[str]] = {
    "train": ("our485", "train"),
    "val": ("val", "valid"),
    "test": ("eval15", "test"),
}
"""Folder names of each split, compared by :func:`plain`."""

FOLDERS: Sequence[Sequence[str]] = (("low", "high"), ("low", "normal"), ("input", "gt"), ("input", "target"))
"""Folder names of dark images and references, compared by :func:`plain`."""

_SEARCHED = 100  # folders, at most, that are searched for another root


class UnknownLayoutError(ValueError):
    """A folder is missing, or has another layout than the one looked for."""


@dataclass(frozen=True)
class Found:
    """Files of a split.

    Attributes:
        place: Folder of the split.
        pairs: Pairs, named by stem.
        unmatched: One sentence per file without a counterpart.
        empty: One sentence per folder without an image.
    """

    place: Path
    pairs: Sequence[FilePair]
    unmatched: Sequence[str] = ()
    empty: Sequence[str] = ()


class Layout(ABC):
    """Pairs of image files below a folder.

    Args:
        root: Folder of the set.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).expanduser()

    def __str__(self) -> str:
        return str(self.root)

    def at(self, root: Path) -> Self:
        """Return the same layout for another folder."""
        other = copy(self)
        other.root = root
        return other

    def find(self, split: Split) -> Found | None:
        """Return the files of a split; ``None`` if there are only other splits.

        Raises:
            ValueError: If the folder is missing, has another layout, or two folders for the split; the
                message names a root or a data set that would work, if there is any.
        """
        try:
            return self._find(split)
        except UnknownLayoutError as error:
            raise ValueError(f"{error}{_other_choice(self)}") from None

    @abstractmethod
    def _find(self, split: Split) -> Found | None: ...

    def readable(self) -> bool:
        """Return whether the folder has a pair in this layout."""
        try:
            found = [self._find(split) for split in get_args(Split)]
        except (OSError, ValueError):
            return False
        return any(one and one.pairs for one in found)

    def items(self, split: Split, name: str) -> list[PairItem]:
        """Return the pairs of a split; empty if the folder has only other splits.

        Raises:
            ValueError: If the folder is missing, empty or has another layout, or if files do not match; the
                message names the first five problems and the remedy.
        """
        found = self.find(split)
        if found is None:
            return []
        if found.empty:
            refuse(self, found.empty, f"Put images there; their names end in {', '.join(sorted(SUFFIXES))}.")
        if found.unmatched:
            remedy = (
                "Every image needs exactly one of the same stem in the other folder: add, rename or remove."
            )
            refuse(found.place, found.unmatched, remedy)
        return [
            replace(pair, name=f"{name}/{pair.name}", scene=pair.scene and f"{name}/{pair.scene}")
            for pair in found.pairs
        ]

    def _check_root(self, looked_for: str) -> None:
        if not self.root.is_dir():
            raise UnknownLayoutError(
                f"{self.root}: no such folder; data.root, or the root of the set, must hold {looked_for}"
            )


class PairedFolder(Layout):
    """Pairs of image files in one of the published layouts of paired low-light sets.

    ``root`` has one folder per split (``our485`` or ``train``; ``eval15`` or ``test``; ``val`` or ``valid``
    if the set has a validation split), each with a folder of dark images and one of references (``low|high``,
    ``low|normal``, ``input|gt`` or ``input|target``); names are case-insensitive. One split suffices.

    Args:
        root: Folder of the set.
        splits: Folder names of ``train``, ``val`` and ``test``, for other layouts. A name may be a path, such
            as ``eval/nikon``; ``root`` may then be its first folder, too.
        folders: Pairs of folder names or paths, dark images first, for other layouts.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        splits: Mapping[str, Sequence[str]] = SPLITS,
        folders: Sequence[Sequence[str]] = FOLDERS,
    ) -> None:
        super().__init__(root)
        self.splits = {split: [name.lower() for name in names] for split, names in splits.items()}
        self.folders = [(low.lower(), high.lower()) for low, high in folders]

    def _find(self, split: Split) -> Found | None:
        splits = "|".join(name for names in self.splits.values() for name in names)
        looked_for = f"a folder {splits} with {self._known()} in it"
        self._check_root(looked_for)
        found = self._split_folders()
        if not any(found.values()):
            here = [f"{low}|{high}" for low, high in self.folders if holds(self.root, low, high)]
            hint = f"; it holds {here[0]} itself: give its parent folder" if here else ""
            raise UnknownLayoutError(f"{self.root}: no known layout, looked for {looked_for}{hint}")
        folders = found.get(split, [])
        if len(folders) > 1:
            names = " and ".join(path.relative_to(self.root).as_posix() for path in folders)
            raise ValueError(f"{self.root}: {names} could all be the {split} split; keep one of them there")
        return pair_up(folders[0], *self._pair_folders(folders[0])) if folders else None

    def _split_folders(self) -> dict[str, list[Path]]:
        """Return the folders of each split."""
        return {
            split: _lowest([path for name in names for path in _places(self.root, name)])
            for split, names in self.splits.items()
        }

    def _pair_folders(self, folder: Path) -> tuple[Path, Path]:
        """Return the folders of dark images and of references.

        Raises:
            UnknownLayoutError: If there is no such pair of folders, or more than one.
        """
        found = [
            (low, high)
            for low_name, high_name in self.folders
            for low in subfolders(folder, low_name)
            for high in subfolders(folder, high_name)
        ]
        lowest = _lowest([low for low, _ in found])
        found = [(low, high) for low, high in found if low in lowest]
        if len(found) != 1:
            problem = "more than one pair" if found else "none"
            raise UnknownLayoutError(
                f"{folder}: looked for one pair of folders {self._known()} and found {problem}"
            )
        return found[0]

    def _known(self) -> str:
        return ", ".join(f"{low}|{high}" for low, high in self.folders)


def pair_up(
    place: Path, low: Path, high: Path, chosen: Collection[str] | Callable[[str], bool] | None = None
) -> Found:
    """Match the images of two folders, or the chosen ones, by stem.

    Args:
        place: Folder of the split.
        low: Folder of dark images.
        high: Folder of references.
        chosen: Stems in Unicode's normal form C, or a condition on such a stem; by default all.
    """
    images = {side: list_images(side) for side in (low, high)}
    empty = [f"no image in {side}" for side in (low, high) if not images[side]]
    is_chosen = chosen if callable(chosen) else lambda stem: chosen is None or stem in chosen
    kept = [[path for path in paths if is_chosen(stem_of(path))] for paths in images.values()]
    pairs, unmatched = match(*kept)
    return Found(place, [FilePair(stem, *pair) for stem, pair in pairs.items()], unmatched, empty)


def plain(name: str) -> str:
    """Return a folder's name without what copies of a set write differently.

    That is case, spaces, hyphens, underscores and Unicode's normal form.
    """
    return re.sub(r"[ _-]", "", unicodedata.normalize("NFC", name).lower()) or name


def subfolders(folder: Path, path: str) -> list[Path]:
    """Return the folders at a relative path below a folder; names are compared by :func:`plain`."""
    places = [folder] if folder.is_dir() else []
    for part in map(plain, path.split("/")):
        inside = [
            place / name
            for place in places
            for name in sorted(os.listdir(place))  # noqa: PTH208  # names alone: folders may hold many files
            if plain(name) == part
        ]
        places = [below for below in inside if below.is_dir()]
    return places


def named_layouts() -> Mapping[str, Callable[[Path], Layout]]:
    """Return the layouts of the data sets in ``conf/data``, keyed by their names."""
    from hydra.utils import instantiate  # not needed to read data
    from omegaconf import OmegaConf

    from lowlight.config import available, config_folder

    layouts: dict[str, partial[Layout]] = {}
    for name in available("data"):
        config = OmegaConf.load(config_folder() / "data" / f"{name}.yaml")
        layout: partial[Any] = instantiate(config.layout) if "layout" in config else partial(PairedFolder)
        if "root" in list(config) and issubclass(cast(type, layout.func), Layout):
            layouts[name] = layout
    return layouts


def layout_of(name: str) -> Callable[[Path], Layout]:
    """Return the layout of a data set in ``conf/data``.

    Raises:
        ValueError: If no data set of that name has one.
    """
    layouts = named_layouts()
    if name not in layouts:
        raise ValueError(f"no data set {name!r} in folders; there are {', '.join(layouts)}")
    return layouts[name]


def _other_choice(layout: Layout) -> str:
    """Return a hint at the sub-folders, or at the data sets by name, that can be read instead."""
    root, named = layout.root, named_layouts()
    first = _folders(root)
    second = [inside for folder in first for inside in _folders(folder)][:_SEARCHED]
    below = [[folder for folder in folders if _folders(folder)] for folders in (first, second)]
    choices: list[str] = []
    for folders in below:
        choices = choices or [f"data.root={folder}" for folder in folders if layout.at(folder).readable()]
    choices += [f"data={name}" for name, other in named.items() if other(root).readable()]
    for folders in below:
        choices = choices or [
            f"data={name} data.root={folder}"
            for folder in folders
            for name, other in named.items()
            if other(folder).readable()
        ]
    return f"; try {' or '.join(choices[:4])}" if choices else ""


def _folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, without hidden ones; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            names = [one.name for one in entries if one.is_dir() and not one.name.startswith(".")]
    except OSError:
        return []
    return [folder / name for name in sorted(names)][:_SEARCHED]


def _places(root: Path, path: str) -> list[Path]:
    """Return the folders at a path below a root, or below its parent if the root is the path's beginning."""
    first, _, rest = path.partition("/")
    is_inside = rest and plain(root.resolve().name) == plain(first)
    return subfolders(root, path) + (subfolders(root, rest) if is_inside else [])


def _lowest(folders: Sequence[Path]) -> list[Path]:
    """Return the folders without those that hold another one of them."""
    return [path for path in dict.fromkeys(folders) if not any(path in other.parents for other in folders)]


def holds(folder: Path, *paths: str) -> bool:
    """Return whether a folder has all sub-folders at the given paths."""
    return all(subfolders(folder, path) for path in paths)
