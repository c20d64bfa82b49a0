"""Sets of pairs in folders: layouts, matching of dark images and references, and their errors."""

import os
import re
import unicodedata
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
"""Folder names of each split, case-insensitive."""

FOLDERS: Sequence[Sequence[str]] = (("low", "high"), ("low", "normal"), ("input", "gt"))
"""Folder names of dark images and references, case-insensitive."""


class PairItem(Protocol):
    """A readable pair; small, immutable and picklable, for loader processes."""

    @property
    def name(self) -> str:
        """``<set>/<stem>``, unique in its split."""

    @property
    def scene(self) -> str | None:
        """Known scene, or ``None``; pairs of one scene are never divided between splits."""

    def key(self) -> str:
        """Return a key of the pixels: equal keys mean equal pixels."""

    def check(self) -> None:
        """Raise ``ValueError`` for errors that can be found without decoding pixels."""

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Decode dark image and reference, each 8-bit, shape (H, W, 3); ``ValueError`` names a bad file."""


class PairSet(Protocol):
    """A set of pairs, divided into splits."""

    def items(self, split: Split, name: str) -> list[PairItem]:
        """Return the pairs of a split, named ``<name>/<stem>``; empty if there is no such split."""


def refuse(subject: object, problems: Sequence[str], remedy: str) -> NoReturn:
    """Raise one ``ValueError`` with the first five problems, the number of others and the remedy."""
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    raise ValueError(f"{subject}: {'; '.join(problems[:5])}{more}. {remedy}")


def list_images(folder: Path) -> list[Path]:
    """Return the image files of a folder, sorted by name, without hidden files."""
    files = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in files if path.suffix.lower() in SUFFIXES and path.is_file())


def file_state(path: Path) -> str:
    """Return a key of a file's content: path, size in bytes and modification time in nanoseconds."""
    state = path.stat()
    return f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}"


def image_size(path: Path) -> tuple[int, int]:
    """Return an image's width and height in pixels, from its header.

    Raises:
        ValueError: If the file is missing or not an image; the message names it.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path}: not a readable image ({error})") from error


def check_sizes(name: str, low: tuple[int, int], high: tuple[int, int]) -> None:
    """Raise ``ValueError`` if the images of a pair, of given width and height in pixels, differ in size."""
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
        """Return a key of the pixels: path, size and time of both files."""
        return f"{file_state(self.low)}|{file_state(self.high)}"

    def check(self) -> None:
        """Compare the image sizes in both headers."""
        check_sizes(self.name, image_size(self.low), image_size(self.high))

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Decode both files."""
        return read_rgb(self.low), read_rgb(self.high)


def stem_of(path: Path) -> str:
    """Return a file's name without its suffix in Unicode's normal form C: accents are written either way."""
    return unicodedata.normalize("NFC", path.stem)


def shared_prefix(stems: Iterable[str]) -> str:
    """Return the prefix shared by all names of a folder, as in LOL-v2: ``low`` of ``low00001``, ``low00002``.

    It ends before a number in every name or after a separator (``low_``, ``low-``), so it never cuts a number
    or a word, and is never a whole name.
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
        stems[stem_of(path).removeprefix(prefix)].append(path)
    return stems


def match(low: Sequence[Path], high: Sequence[Path]) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """Match dark images with references by the stems of their names, never by their order.

    The prefixes that the names of either folder share (``low00001`` and ``normal00001``) are removed only if
    more stems match without them.

    Returns:
        The pairs keyed by stem, sorted, and one sentence per problem: duplicate stems (``a.png`` beside
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
    """Pairs of image files in one of the published layouts of paired low-light sets.

    ``root`` has one folder per split (``our485`` or ``train``; ``eval15`` or ``test``; ``val`` or ``valid``
    if the set has a validation split), each with a folder of dark images and one of references (``low|high``,
    ``low|normal`` or ``input|gt``); names are case-insensitive. One split suffices.

    Args:
        root: Folder of the set.
        splits: Folder names of ``train``, ``val`` and ``test``, for other layouts.
        folders: Pairs of folder names, dark images first, for other layouts.
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
        """Return the pairs of a split; empty if the folder has only other splits.

        Raises:
            ValueError: If the folder is missing, empty or in no known layout, or if files do not match; the
                message names the first five problems and the remedy.
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
        """Return the folder of a split; None if there are only other splits.

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
        """Return a split's folders of dark images and of references.

        Raises:
            ValueError: If there is no such pair of folders, or more than one.
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
    """Return all sets keyed by name; those of ``root`` are named after their folders.

    Raises:
        ValueError: If two sets have one name, or a name contains a slash.
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
