"""Videos as folders of frames, with or without references, split by video."""

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray

from lowlight.data.layouts import FOLDERS, SPLITS, plain, subfolders
from lowlight.data.pairs import (
    PairItem,
    Split,
    Video,
    check_sizes,
    file_state,
    list_images,
    match,
    refuse,
    stem_of,
)
from lowlight.data.splits import by_hash
from lowlight.decoding.reading import read_size
from lowlight.files import encodable, read_table
from lowlight.images import read_rgb

METADATA = "metadata.csv"
"""Table beside the videos, a row each: column ``video``; optional ``split``, ``scene`` and others."""


@dataclass(frozen=True)
class Frame:
    """A frame of a video, with its reference if there is one."""

    name: str
    low: Path
    high: Path | None
    video: Video

    @property
    def scene(self) -> str:
        """Scene of the video."""
        return self.video.scene

    @property
    def has_reference(self) -> bool:
        """Whether there is a reference."""
        return self.high is not None

    def key(self) -> str:
        """Return a key of the pixels: path, size and time of the files."""
        return "|".join(file_state(path) for path in (self.low, self.high) if path)

    def check(self) -> None:
        """Read the headers and compare the image sizes."""
        low = read_size(self.low)
        check_sizes(self.name, low, read_size(self.high) if self.high else low)

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Decode the frame and its reference, or the frame twice."""
        low = read_rgb(self.low)
        return low, read_rgb(self.high) if self.high else low

    def source(self) -> Self:
        """Return the frame itself."""
        return self

    def sample(self, pixels: NDArray[np.uint8], _: np.random.Generator) -> NDArray[np.uint8]:
        """Return the pixels as they are."""
        return pixels


class _Folder(NamedTuple):
    """A video's path below its set, without the split's folder, its frames, its references and its split."""

    name: str
    low: Path
    high: Path | None
    split: Split | None


class VideoFolders:
    """Videos as folders of frames, never divided between splits.

    Without references, as in LLIV-Phone, every folder of images is a video: ``<video>/<frame>.png``, at any
    depth. With references, as in SDSD, two folders hold the videos: ``low/<video>/<frame>.png`` and
    ``high/<video>/<frame>.png`` (also ``input|gt`` and the other names of :data:`.layouts.FOLDERS`), matched
    by stem; or each video holds the two, ``<video>/low/<frame>.png``. Nothing else beside the two is read.
    Frames are ordered by the numbers in their names.

    The splits are those of folders (``train``, ``val``, ``test`` anywhere above the videos, as in
    ``train/low/<video>`` and ``low/train/<video>``; all videos or none), else those of the column ``split``
    of ``metadata.csv``, else chosen by a hash of the scenes' names. The table's other columns are
    written beside the scores; ``scene`` names what several videos show, in any split. Without it, every
    video is a scene of its own, also if folders of two splits give two videos one name.

    Args:
        root: Folder of the set.
        splits: Folder names of ``train``, ``val`` and ``test``.
        folders: Pairs of folder names, dark videos first.
        test_fraction: Share of the scenes for testing, at least one, where nothing else divides them; 0 and 1
            put all on one side. A single scene is for testing.
        frames: Frames used of each video, from the first; ``None`` for all.

    References:
        Li, Guo, Han, Jiang, Cheng, Gu, Loy, 2022, "Low-Light Image and Video Enhancement Using Deep Learning:
        A Survey" (LLIV-Phone); Wang, Xu, Fu, Lu, Yu, Jia, 2021, "Seeing Dynamic Scene in the Dark: A
        High-Quality Video Dataset with Mechatronic Alignment" (SDSD).
    """

    def __init__(
        self,
        root: Path | str,
        *,
        splits: Mapping[str, Sequence[str]] = SPLITS,
        folders: Sequence[Sequence[str]] = FOLDERS,
        test_fraction: float = 0.2,
        frames: int | None = None,
    ) -> None:
        if not 0 <= test_fraction <= 1:
            raise ValueError(f"test_fraction={test_fraction} must be in [0, 1]")
        if frames is not None and frames < 1:
            raise ValueError(f"frames={frames} must be at least 1, or null for all")
        self.root = Path(root).expanduser()
        self.splits = splits
        self.folders = folders
        self.test_fraction = test_fraction
        self.frames = frames

    def __str__(self) -> str:
        return str(self.root)

    def items(self, split: Split, name: str) -> list[PairItem]:
        """Return the frames of a split, named ``<name>/<video>/<stem>``; empty if it has no video.

        Raises:
            ValueError: If the folder is missing or holds no videos, if only some of them are in folders of
                splits, if frames do not match or share a stem, or if ``metadata.csv`` is unusable.
        """
        found, facts = self._videos(), self._metadata()
        scenes = {video: facts.get(video.name, {}).get("scene") or _where(video) for video in found}
        divided = self._divided(found, facts, scenes)
        items: list[PairItem] = []
        problems: list[str] = []
        for video in found:
            if divided[video] != split:
                continue
            about = Video(f"{name}/{video.name}", f"{name}/{scenes[video]}", facts.get(video.name, {}))
            frames, misfits = _frames(video)
            problems += [f"{video.name}: {problem}" for problem in misfits]
            items += [
                Frame(f"{about.name}/{stem}", low, high, about)
                for stem, (low, high) in list(frames.items())[: self.frames]
            ]
        if problems:
            refuse(self.root, problems, "Add, rename or remove frames.")
        return items

    def _videos(self) -> list[_Folder]:
        """Find the videos of all splits."""
        if not self.root.is_dir():
            raise ValueError(f"{self.root}: no such folder; data.root must hold a folder of frames per video")
        places: list[tuple[Split | None, Path]] = [
            (split, place)
            for split in ("train", "val", "test")
            for name in self.splits.get(split, ())
            for place in subfolders(self.root, name)
            if _folders_of_images(place)
        ]
        found = [
            self._divide(*video, split)
            for split, place in places or [(None, self.root)]
            for video in sorted(self._inside(place), key=lambda one: by_numbers(one[0]))
        ]
        if not found:
            known = ", ".join(f"{low}|{high}" for low, high in self.folders)
            hint = "; it holds frames itself: give its parent folder" if list_images(self.root) else ""
            raise ValueError(
                f"{self.root}: no videos, looked for folders of frames, alone or in a pair of folders {known}"
                f"{hint}"
            )
        outside = [video.name for video in found if video.split is None]
        if 0 < len(outside) < len(found):
            inside = next(video for video in found if video.split)
            raise ValueError(
                f"{self.root}: video {inside.name} is in a folder of the split {inside.split}, "
                f"{outside[0]} in none; put all videos below folders of splits, or none"
            )
        return found

    def _inside(self, place: Path, name: str = "") -> Iterator[tuple[str, Path, Path | None]]:
        """Yield path, frames and references of the videos at a folder, of that path, and below it."""
        children = [
            place / child for child in next(os.walk(place), ("", [], []))[1] if not child.startswith(".")
        ]
        sides = self._sides(place) if children else None
        if sides is None:
            if name and list_images(place):
                yield name, place, None
            for child in children:
                if not child.is_symlink():
                    yield from self._inside(child, _joined(name, child.name))
            return
        if holding := [side for side in sides if list_images(side)]:
            if not name:
                raise ValueError(
                    f"{holding[0]}: holds images, not a folder per video; "
                    "photographs are read by data=lol or data=pairs"
                )
            yield name, *sides
        dark, bright = map(_folders_of_images, sides)
        if alone := sorted(dark.keys() ^ bright.keys()):
            low, high = sides
            refuse(
                place,
                [f"video {one} is in one of {low.name} and {high.name} only" for one in alone],
                "Every video needs a folder of its name in both.",
            )
        for one in dark:
            yield _joined(name, one), dark[one], bright[one]

    def _sides(self, place: Path) -> tuple[Path, Path] | None:
        """Return the folders of dark frames and of references in a folder, if it has both."""
        for names in self.folders:
            low, high = (subfolders(place, name) for name in names)
            if low and high:
                return low[0], high[0]
        return None

    def _divide(self, name: str, low: Path, high: Path | None, split: Split | None) -> _Folder:
        """Return a video with its split: the one it was found in, or else that of a folder above it."""
        parts = unicodedata.normalize("NFC", name).split("/")
        splits: dict[str, Split] = {
            plain(folder): one for one in get_args(Split) for folder in self.splits.get(one, ())
        }
        if split is None and (above := next((part for part in parts[:-1] if plain(part) in splits), None)):
            split = splits[plain(above)]
            parts.remove(above)
        return _Folder("/".join(parts), low, high, split)

    def _metadata(self) -> dict[str, dict[str, str]]:
        """Read the rows of ``metadata.csv`` by video, if there is such a file."""
        path = self.root / METADATA
        if not path.is_file():
            return {}
        rows = [
            {key.lstrip("\ufeff").strip(): value for key, value in row.items()} for row in read_table(path)
        ]
        key = next((key for key in ("video", "video_id") if rows and key in rows[0]), None)
        if key is None:
            raise ValueError(f"{path}: has no column video, which names the folder of each row's video")
        return {unicodedata.normalize("NFC", row.pop(key)): row for row in rows}

    def _divided(
        self, found: Sequence[_Folder], facts: Mapping[str, Mapping[str, str]], scenes: Mapping[_Folder, str]
    ) -> dict[_Folder, str]:
        """Return the split of each video."""
        if any(video.split for video in found):
            return {video: str(video.split) for video in found}
        if any("split" in row for row in facts.values()):
            names = {name: split for split, names in self.splits.items() for name in (split, *names)}
            stated = {video: facts.get(video.name, {}).get("split", "").strip().lower() for video in found}
            if bad := [video for video in found if stated[video] not in names]:
                problem = f"gives video {bad[0].name} the split {stated[bad[0]]!r}"
                raise ValueError(f"{self.root / METADATA}: {problem}, which is none of {', '.join(names)}")
            return {video: names[stated[video]] for video in found}
        order = by_hash(set(scenes.values()))
        tests = round(self.test_fraction * len(order))
        if 0 < self.test_fraction < 1:
            tests = max(min(max(tests, 1), len(order) - 1), len(order) == 1)
        chosen = set(order[:tests])
        return {video: "test" if scenes[video] in chosen else "train" for video in found}


def _joined(*parts: str) -> str:
    return encodable("/".join(filter(None, parts)))


def _where(video: _Folder) -> str:
    """Return a video's path below its set: two splits may each hold a ``pair0``, of different scenes."""
    return f"{video.split}/{video.name}" if video.split else video.name


def _folders_of_images(place: Path) -> dict[str, Path]:
    """Return the folders below a folder that hold images themselves, by relative path, sorted by number."""
    found = {}
    for base, folders, _ in os.walk(place):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if Path(base) != place and list_images(Path(base)):
            name = Path(base).relative_to(place).as_posix()
            found[unicodedata.normalize("NFC", name)] = Path(base)
    return dict(sorted(found.items(), key=lambda one: by_numbers(one[0])))


def _frames(video: _Folder) -> tuple[dict[str, tuple[Path, Path | None]], list[str]]:
    """Return a video's frames and references by stem, in order, and one sentence per misfit."""
    frames: dict[str, tuple[Path, Path | None]] = {}
    problems: list[str] = []
    if video.high:
        pairs, problems = match(list_images(video.low), list_images(video.high))
        frames |= pairs
    else:
        for path in list_images(video.low):
            stem = stem_of(path)
            if stem in frames:
                problems.append(f"{frames[stem][0].name} and {path.name} have the same stem")
            frames.setdefault(stem, (path, None))
    return dict(sorted(frames.items(), key=lambda one: by_numbers(one[0]))), problems


def by_numbers(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts names by the numbers in them: ``frame2`` before ``frame10``."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
