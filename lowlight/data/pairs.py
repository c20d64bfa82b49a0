"""Pairs of images: their files, the matching of dark images and references, and errors."""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, NoReturn, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from lowlight.decoding.formats import SUFFIXES
from lowlight.decoding.reading import READER, read_size
from lowlight.files import encodable
from lowlight.images import read_rgb

Split = Literal["train", "val", "test"]


class PairItem(Protocol):
    """A readable pair; small, immutable and picklable, for loader processes.

    Three attributes may be missing: ``label``, the number of the pair's class; ``is_alone``, whether no
    other pair shows its scene, however similar it looks; and ``video``, the :class:`Video` that it is a frame
    of, whose frames a set lists in their order.
    """

    @property
    def name(self) -> str:
        """``<set>/<stem>``, or ``<set>/<video>/<stem>`` for a frame of a video; unique in its split."""

    @property
    def scene(self) -> str | None:
        """Known scene, or ``None``; pairs of one scene are never divided between splits."""

    @property
    def has_reference(self) -> bool:
        """Whether there is a reference; if not, the dark image stands in its place, unscored."""

    def key(self) -> str:
        """Return a key of the pixels: equal keys mean equal pixels."""

    def check(self) -> None:
        """Raise ``ValueError`` for errors that can be found without decoding pixels."""

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Decode dark image and reference, each 8-bit, shape (H, W, 3); ``ValueError`` names a bad file."""

    def source(self) -> "PairItem":
        """Return the pair that training samples are cropped from: itself, unless they are drawn anew."""

    def sample(self, pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
        """Return a training sample of a crop of shape (2, H, W, 3) of :meth:`source`."""


@dataclass(frozen=True)
class Video:
    """A video of a set.

    Attributes:
        name: ``<set>/<video>``, unique in its split.
        scene: What the video shows; videos of one scene are never divided between splits.
        facts: What the set says of the video, such as its camera, keyed by column.
    """

    name: str
    scene: str
    facts: Mapping[str, str] = field(default_factory=dict)


class Fixed:
    """A pair whose training samples are its own pixels."""

    has_reference: ClassVar[bool] = True

    def source(self) -> Self:
        """Return the pair itself."""
        return self

    def sample(self, pixels: NDArray[np.uint8], _: np.random.Generator) -> NDArray[np.uint8]:
        """Return the pixels as they are."""
        return pixels


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
    """Return a key of a file's pixels: reader, path, size in bytes and modification time in nanoseconds."""
    state = path.stat()
    return f"{READER}|{path.resolve()}|{state.st_size}|{state.st_mtime_ns}"


def check_sizes(name: str, low: tuple[int, int], high: tuple[int, int]) -> None:
    """Raise ``ValueError`` if the images of a pair, of given width and height in pixels, differ in size."""
    if low != high:
        raise ValueError(f"{name}: low is {low[0]}x{low[1]} pixels but high is {high[0]}x{high[1]}")


@dataclass(frozen=True)
class FilePair(Fixed):
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
        check_sizes(self.name, read_size(self.low), read_size(self.high))

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Decode both files."""
        return read_rgb(self.low), read_rgb(self.high)


def stem_of(path: Path) -> str:
    """Return a file's name without its suffix in Unicode's normal form C: accents are written either way."""
    return unicodedata.normalize("NFC", encodable(path.stem))


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
            for double in doubles:
                there = (
                    double.name if double.parent == first.parent else f"{double.parent.name}/{double.name}"
                )
                problems.append(f"{here} and {there} have the same stem")
            if stem not in other:
                problems.append(f"{here} has no counterpart")
    common = sorted(lows.keys() & highs.keys())
    return {stem: (lows[stem][0], highs[stem][0]) for stem in common}, problems


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
        name = encodable(folder.resolve().name) or "root"
        if name in named:
            raise ValueError(
                f"two sets are called {name!r} ({named[name]} and {folder}), but image names must be unique; "
                f"rename a folder or name the sets yourself (sets: {{mine: ...}})"
            )
        named[name] = layout(folder)
    if slashed := [name for name in named if "/" in name]:
        raise ValueError(f"a set cannot be called {slashed[0]!r}: its images are called <set>/<stem>")
    return named


def check_references_alike(items: Sequence[PairItem]) -> None:
    """Refuse pairs of which some have references and some have none.

    Raises:
        ValueError: Naming one of each.
    """
    if len({item.has_reference for item in items}) > 1:
        with_, without = (
            next(item.name for item in items if item.has_reference == wanted) for wanted in (True, False)
        )
        raise ValueError(
            f"{with_} has a reference and {without} has none: join sets of pairs, or sets without any"
        )


def set_of(name: str) -> str:
    """Return the set of a pair called ``<set>/<stem>``."""
    return name.partition("/")[0]


def read_weights(weights: Mapping[str, float] | None, sets: Iterable[str]) -> dict[str, float] | None:
    """Return the weights of sets, in the sets' order; None if there are none.

    Raises:
        ValueError: If a set has none, one has a weight that is not positive, or there is no such set.
    """
    if not weights:
        return None
    names = list(sets)
    if set(names) != set(weights):
        given = ", ".join(weights)
        raise ValueError(
            f"data.weights names {given}, but the sets are {', '.join(names)}: give each a weight"
        )
    for name, weight in weights.items():
        if not weight > 0:
            raise ValueError(
                f"data.weights.{name}={weight} must be positive; ~data.sets.{name} leaves a set out"
            )
    return {name: float(weights[name]) for name in names}
