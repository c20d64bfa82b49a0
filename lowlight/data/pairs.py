"""A paired set described: which dark image belongs to which reference, and what is wrong with a folder."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from lowlight.images import SUFFIXES, read_rgb

Split = Literal["train", "val", "test"]

SPLITS: Mapping[str, Sequence[str]] = {
    "train": ("our485", "train"),
    "val": ("val", "valid"),
    "test": ("eval15", "test"),
}
"""Folder names of each split, compared without regard to case."""

FOLDERS: Sequence[Sequence[str]] = (("low", "high"), ("low", "normal"), ("input", "gt"))
"""Folder names of the dark images and their references, compared without regard to case."""


class PairItem(Protocol):
    """One pair that can be read; small, immutable and picklable, so that loader workers can hold it."""

    @property
    def name(self) -> str:
        """``<set>/<stem>``, unique in its split."""

    @property
    def scene(self) -> str | None:
        """What the pair shows, where it is known; pairs of equal scene are never split apart."""

    def key(self) -> str:
        """Identify the pixels: equal keys mean equal pixels."""

    def check(self) -> None:
        """Raise ``ValueError`` for what can be seen to be wrong without decoding any pixel."""

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Decode the dark image and its reference, (H, W, 3) each; ``ValueError`` names a bad file."""


class PairSet(Protocol):
    """A set of pairs, divided into splits."""

    def items(self, split: Split, name: str) -> list[PairItem]:
        """List the pairs of a split of the set called ``name``; empty where it has no such split."""


def refuse(subject: object, problems: Sequence[str], remedy: str) -> NoReturn:
    """Raise one ``ValueError`` that names the first five culprits, counts the others and says the remedy."""
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    raise ValueError(f"{subject}: {'; '.join(problems[:5])}{more}. {remedy}")


def list_images(folder: Path) -> list[Path]:
    """List the image files of a folder in the order of their names; hidden and other files are ignored."""
    files = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in files if path.suffix.lower() in SUFFIXES and path.is_file())


def file_state(path: Path) -> str:
    """Identify a file's content by its path, size in bytes and time of change in nanoseconds."""
    state = path.stat()
    return f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}"


def image_size(path: Path) -> tuple[int, int]:
    """Read an image's width and height, in pixels, from its header.

    Raises:
        ValueError: If the file is missing or not an image; the message names it.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path}: not a readable image ({error})") from error


def check_sizes(name: str, low: tuple[int, int], high: tuple[int, int]) -> None:
    """Refuse a pair whose images, of the given widths and heights in pixels, differ in size."""
    if low != high:
        raise ValueError(f"{name}: low is {low[0]}x{low[1]} pixels but high is {high[0]}x{high[1]}")


@dataclass(frozen=True)
class FilePair:
    """A pair of image files."""

    name: str
    low: Path
    high: Path
    scene: str | None = None

    def key(self) -> str:
        """Identify the pixels by both files' paths, sizes and times."""
        return f"{file_state(self.low)}|{file_state(self.high)}"

    def check(self) -> None:
        """Compare the sizes that the two headers state."""
        check_sizes(self.name, image_size(self.low), image_size(self.high))

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Decode both files."""
        return read_rgb(self.low), read_rgb(self.high)


def shared_prefix(stems: Iterable[str]) -> str:
    """Find the word that a whole folder puts before its names, as LOL-v2 does: ``low00001``, ``low00002``.

    It ends where a number begins in every name or after a separator (``low_``, ``low-``), so it never takes
    a digit of a number or a letter of a word, and never a whole name.
    """
    stems = list(stems)
    common = os.path.commonprefix(stems).rstrip("0123456789")  # noqa: RUF071 (names, not paths)
    if all(stem[len(common) : len(common) + 1].isdecimal() for stem in stems):
        return common
    word = re.match(r".*[\W_]", common)
    prefix = word.group() if word else ""
    return "" if prefix in stems else prefix


def _by_stem(paths: Sequence[Path], prefix: str = "") -> dict[str, list[Path]]:
    stems = defaultdict(list)
    for path in paths:
        stems[path.stem.removeprefix(prefix)].append(path)
    return stems


def match(low: Sequence[Path], high: Sequence[Path]) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """Pair dark images with references by the stems of their names, never by their order.

    Stems are compared as they are; only if more of them match without the prefix that each folder shares
    (``low00001`` and ``normal00001``) is it removed.

    Returns:
        The pairs by stem, sorted, and what is wrong, a sentence a culprit: doubled stems (``a.png`` beside
        ``a.jpg``) and files without a counterpart.
    """
    lows, highs = _by_stem(low), _by_stem(high)
    if lows.keys() != highs.keys():
        short_lows = _by_stem(low, shared_prefix(lows))
        short_highs = _by_stem(high, shared_prefix(highs))
        if len(short_lows.keys() & short_highs.keys()) > len(lows.keys() & highs.keys()):
            lows, highs = short_lows, short_highs
    problems = []
    for side, other in ((lows, highs), (highs, lows)):
        for stem in sorted(side):
            first, *doubles = side[stem]
            here = f"{first.parent.name}/{first.name}"
            problems += [f"{here} and {double.name} have the same stem" for double in doubles]
            if stem not in other:
                problems.append(f"{here} has no counterpart")
    common = sorted(lows.keys() & highs.keys())
    return {stem: (lows[stem][0], highs[stem][0]) for stem in common}, problems


def _subfolders(folder: Path) -> dict[str, list[Path]]:
    found = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            found[path.name.lower()].append(path)
    return found


class PairedFolder:
    """Pairs of image files in one of the layouts that paired low-light sets are published in.

    ``root`` holds a folder a split (``our485`` or ``train``; ``eval15`` or ``test``; ``val`` or ``valid``
    where a set brings its own validation), each with a folder of dark images and one of references
    (``low|high``, ``low|normal`` or ``input|gt``); upper and lower case are the same. One split is enough.

    Args:
        root: The set's folder.
        splits: Folder names of ``train``, ``val`` and ``test``, for a layout of your own.
        folders: Pairs of folder names, dark images first, for a layout of your own.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        splits: Mapping[str, Sequence[str]] = SPLITS,
        folders: Sequence[Sequence[str]] = FOLDERS,
    ) -> None:
        self.root = Path(root).expanduser()
        self.splits = {split: [name.lower() for name in names] for split, names in splits.items()}
        self.folders = [(low.lower(), high.lower()) for low, high in folders]

    def __str__(self) -> str:
        return str(self.root)

    def items(self, split: Split, name: str) -> list[PairItem]:
        """List the pairs of a split; empty where the folder has only other splits.

        Raises:
            ValueError: If the folder is missing, empty or in no known layout, or if files do not pair up; one
                message names the first five culprits and the remedy.
        """
        folder = self.split_folder(split)
        if folder is None:
            return []
        low, high = self.pair_folders(folder)
        images = {side: list_images(side) for side in (low, high)}
        if empty := [f"no image in {side}" for side in (low, high) if not images[side]]:
            refuse(self, empty, f"Put images there; their names end in {', '.join(sorted(SUFFIXES))}.")
        pairs, problems = match(images[low], images[high])
        if problems:
            remedy = (
                "Every image needs exactly one of the same stem in the other folder: add, rename or remove."
            )
            refuse(folder, problems, remedy)
        return [FilePair(f"{name}/{stem}", *pair) for stem, pair in pairs.items()]

    def split_folder(self, split: Split) -> Path | None:
        """Find the folder of a split; None where there are only others.

        Raises:
            ValueError: If the set's folder is missing, in no known layout, or has two folders for the split.
        """
        if not self.root.is_dir():
            raise ValueError(f"{self.root}: no such folder; data.root must hold {self._looked_for()}")
        subfolders = _subfolders(self.root)
        found = {
            key: [path for name in names for path in subfolders.get(name, [])]
            for key, names in self.splits.items()
        }
        if not any(found.values()):
            here = [f"{low}|{high}" for low, high in self.folders if {low, high} <= subfolders.keys()]
            hint = f"; it holds {here[0]} itself: give its parent folder" if here else ""
            raise ValueError(f"{self.root}: no known layout, looked for {self._looked_for()}{hint}")
        folders = found.get(split, [])
        if len(folders) > 1:
            names = " and ".join(path.name for path in folders)
            raise ValueError(f"{self.root}: {names} could all be the {split} split; keep one of them there")
        return folders[0] if folders else None

    def pair_folders(self, folder: Path) -> tuple[Path, Path]:
        """Find a split's folder of dark images and that of references.

        Raises:
            ValueError: If there is none, or more than one pair of them.
        """
        subfolders = _subfolders(folder)
        found = [
            (low, high)
            for low_name, high_name in self.folders
            for low in subfolders.get(low_name, [])
            for high in subfolders.get(high_name, [])
        ]
        if len(found) != 1:
            known = ", ".join(f"{low}|{high}" for low, high in self.folders)
            problem = "more than one pair" if found else "none"
            raise ValueError(f"{folder}: looked for one pair of folders {known} and found {problem}")
        return found[0]

    def _looked_for(self) -> str:
        splits = "|".join(name for names in self.splits.values() for name in names)
        return f"a folder {splits} with {', '.join(f'{low}|{high}' for low, high in self.folders)} in it"


def name_sets(
    root: Path | str | Sequence[Path | str] | None,
    sets: Mapping[str, PairSet] | None,
    layout: Callable[[Path], PairSet],
) -> dict[str, PairSet]:
    """Call each set as its folder, beside those that have names already.

    Raises:
        ValueError: If two would be called alike, or a name holds a slash.
    """
    roots = [root] if isinstance(root, str | Path) else list(root or [])
    named = dict(sets or {})
    for folder in (Path(path).expanduser() for path in roots):
        name = folder.resolve().name or "root"
        if name in named:
            raise ValueError(
                f"two sets are called {name!r} ({named[name]} and {folder}), but image names must be unique; "
                f"rename a folder or name the sets yourself (sets: {{mine: ...}})"
            )
        named[name] = layout(folder)
    if slashed := [name for name in named if "/" in name]:
        raise ValueError(f"a set cannot be called {slashed[0]!r}: its images are called <set>/<stem>")
    return named
