"""Audit of a paired set: damaged files, duplicates, misfits, and test scenes that occur in training."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lowlight.data.layouts import Layout, PairedFolder
from lowlight.data.pairs import FilePair, Split, refuse
from lowlight.data.registration import shift
from lowlight.data.scenes import SAME_SCENE, scene_groups, standardised, thumbnail
from lowlight.images import read_rgb

Verdict = Literal["clean", "suspicious", "damaged", "leaking"]
"""Result of an audit, from best to worst: only duplicates in a split, misfits, unusable pairs, a leak."""

NEAR_DUPLICATE = 0.02
"""Mean difference of two thumbnails, as a share of their level, below which images are near-duplicates."""

BETTER_FIT = 0.1
"""Gain in correlation from which another scene's reference fits a dark image better than its own."""

_SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class _Image:
    """Name, SHA-256, width and height, mean level (of 255) and thumbnail of a decoded file."""

    name: str
    digest: str
    size: tuple[int, int]
    level: float
    thumbnail: NDArray[np.float32]


@dataclass(frozen=True)
class _Pair:
    """A decoded pair; ``moved`` is the shift of its dark image, in pixels down and right."""

    split: Split
    scene: str | None
    low: _Image
    high: _Image
    moved: tuple[int, int] | None


@dataclass
class _Found:
    """Usable pairs and problems found while files were read."""

    pairs: list[_Pair] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)


def published_lol() -> dict[str, str]:
    """Return the SHA-256 of the 1,000 published files of LOL v1, keyed by path in the set."""
    lines = Path(__file__).with_name("lol_sha256.txt").read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def audit(
    root: Path | str,
    published: Mapping[str, str] | None = None,
    layout: Callable[[Path], Layout] = PairedFolder,
) -> dict[str, Any]:
    """Check every file of a paired set.

    Args:
        root: Folder of the set, with any of its splits.
        published: SHA-256 of the published files, keyed by path; by default LOL's.
        layout: Layout of the folder.

    Returns:
        Plain containers. ``verdict`` is the worst finding (see :data:`Verdict`); ``splits`` describes each
        split (pairs, scenes, exposure); all other keys are lists of findings: ``empty`` (folders without
        images), ``unmatched``, ``unreadable``, ``unequal`` (sizes differ), ``swapped`` (dark image brighter
        than its reference), ``exchanged`` (another scene's reference fits better), ``misregistered`` (with
        the shift in pixels), ``identical`` (groups of files with equal bytes), ``near_duplicates``,
        ``leaking_scenes`` and ``leaking_files`` (across splits); ``lol`` counts the files with LOL's
        published bytes.

    Raises:
        ValueError: If the folder is missing, in no known layout, or without any image.
    """
    found = _read(layout(Path(root)))
    # By name, as several dark images may share a reference.
    images = [*{image.name: image for pair in found.pairs for image in (pair.low, pair.high)}.values()]
    split_of = {image.name: pair.split for pair in found.pairs for image in (pair.low, pair.high)}
    groups = scene_groups([pair.high.thumbnail for pair in found.pairs], [pair.scene for pair in found.pairs])
    identical = _identical(images)
    report: dict[str, Any] = {
        "root": str(root),
        "splits": {split: _describe(split, found.pairs, groups) for split in _SPLITS if _has(split, found)},
        "empty": found.empty,
        "unmatched": found.unmatched,
        "unreadable": found.unreadable,
        "unequal": found.unequal,
        "swapped": [
            f"{pair.low.name} is brighter than {pair.high.name} ({pair.low.level:.0f} against "
            f"{pair.high.level:.0f} of 255)"
            for pair in found.pairs
            if pair.low.level > pair.high.level
        ],
        "exchanged": _exchanged(found.pairs),
        "misregistered": [
            {"image": pair.low.name, "down": pair.moved[0], "right": pair.moved[1]}
            for pair in found.pairs
            if pair.moved
        ],
        "identical": identical,
        "near_duplicates": _near_duplicates(images, identical),
        "leaking_scenes": _leaks(found.pairs, groups),
        "leaking_files": [group for group in identical if len({split_of[name] for name in group}) > 1],
        "lol": _compare_with(images, published_lol() if published is None else published),
    }
    return {"verdict": _verdict(report), **report}


def _verdict(report: Mapping[str, Any]) -> Verdict:
    if report["leaking_scenes"] or report["leaking_files"]:
        return "leaking"
    if report["empty"] or report["unmatched"] or report["unreadable"] or report["unequal"]:
        return "damaged"
    if report["swapped"] or report["exchanged"] or report["misregistered"]:
        return "suspicious"
    return "clean"


def _has(split: Split, found: _Found) -> bool:
    return any(pair.split == split for pair in found.pairs)


def _read(layout: Layout) -> _Found:
    """Decode all files of all splits on all cores, and collect problems."""
    found = _Found()
    jobs: list[tuple[Split, FilePair]] = []
    for split in _SPLITS:
        files = layout.find(split)
        if files is None:
            continue
        place = files.place.relative_to(layout.root) if files.place != layout.root else Path()
        found.empty += files.empty
        found.unmatched += [f"{place}/{problem}".removeprefix("./") for problem in files.unmatched]
        jobs += [(split, pair) for pair in files.pairs]
    if not (jobs or found.unmatched):
        refuse(layout, [*dict.fromkeys(found.empty)] or ["no pair"], "Give a folder with images.")
    with ThreadPoolExecutor() as pool:
        for result in pool.map(lambda job: _read_pair(layout.root, *job), jobs):
            if isinstance(result, _Pair):
                if result.low.size == result.high.size:
                    found.pairs.append(result)
                else:
                    sizes = ["x".join(map(str, image.size)) for image in (result.low, result.high)]
                    found.unequal.append(f"{result.low.name} is {sizes[0]} but {result.high.name} {sizes[1]}")
            else:
                found.unreadable += result
    return found


def _read_pair(root: Path, split: Split, pair: FilePair) -> _Pair | list[str]:
    """Return a decoded pair, or the problems of its files."""
    images, pixels, problems = [], [], []
    for path in (pair.low, pair.high):
        try:
            pixels.append(read_rgb(path))
        except ValueError as error:
            problems.append(str(error))
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        height, width = pixels[-1].shape[:2]
        name = path.relative_to(root).as_posix()
        level = float(pixels[-1].mean())
        images.append(_Image(name, digest, (width, height), level, thumbnail(pixels[-1])))
    if problems:
        return problems
    equal = pixels[0].shape == pixels[1].shape
    return _Pair(split, pair.scene, images[0], images[1], shift(pixels[0], pixels[1]) if equal else None)


def _describe(split: Split, pairs: Sequence[_Pair], groups: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Return a split's numbers of pairs and scenes, its sizes and its exposure."""
    inside = [[pairs[index].high.name for index in group if pairs[index].split == split] for group in groups]
    scenes = [names for names in inside if names]
    ours = [pair for pair in pairs if pair.split == split]
    return {
        "pairs": len(ours),
        "scene_groups": len(scenes),
        "largest_scene": max(map(len, scenes)),
        "images_with_a_sibling": sum(len(names) for names in scenes if len(names) > 1),
        "sizes": sorted({f"{pair.low.size[0]}x{pair.low.size[1]}" for pair in ours}),
        "low_level": _levels(pair.low.level for pair in ours),
        "high_level": _levels(pair.high.level for pair in ours),
        "scenes": scenes,
    }


def _levels(levels: Iterable[float]) -> dict[str, float]:
    """Return mean and 5th, 50th and 95th percentile of the images' mean levels (of 255)."""
    values = np.array(list(levels))
    percentiles = {f"p{at}": round(float(np.percentile(values, at)), 1) for at in (5, 50, 95)}
    return {"mean": round(float(values.mean()), 1), **percentiles}


def _leaks(pairs: Sequence[_Pair], groups: Sequence[Sequence[int]]) -> list[dict[str, Any]]:
    """Return the scenes that occur in more than one split, as image names per split."""
    leaks = []
    for group in groups:
        sides: dict[str, list[str]] = defaultdict(list)
        for index in group:
            sides[pairs[index].split].append(pairs[index].high.name)
        if len(sides) > 1:
            leaks.append(dict(sides))
    return leaks


def _identical(images: Sequence[_Image]) -> list[list[str]]:
    """Return groups of files with equal bytes."""
    names: dict[str, list[str]] = defaultdict(list)
    for image in images:
        names[image.digest].append(image.name)
    return [group for group in names.values() if len(group) > 1]


def _near_duplicates(images: Sequence[_Image], identical: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return pairs of nearly equal images of different bytes; only the first of identical files counts."""
    copies = {name for group in identical for name in group[1:]}
    kept = [image for image in images if image.name not in copies]
    if not kept:
        return []
    rows = np.stack([image.thumbnail.ravel() for image in kept])
    alike = standardised([image.thumbnail for image in kept])
    pairs = []
    for index, row in enumerate(rows[:-1]):
        others = np.nonzero(alike[index + 1 :] @ alike[index] > SAME_SCENE)[0] + index + 1
        near = others[np.abs(rows[others] - row).mean(1) < NEAR_DUPLICATE * row.mean()]
        pairs += [[kept[index].name, kept[other].name] for other in near]
    return pairs


def _exchanged(pairs: Sequence[_Pair]) -> list[str]:
    """Return the dark images that another scene's reference fits clearly better than their own."""
    if not pairs:
        return []
    low = standardised([pair.low.thumbnail for pair in pairs])
    high = standardised([pair.high.thumbnail for pair in pairs])
    fit = low @ high.T
    own = fit.diagonal().copy()
    fit[high @ high.T > SAME_SCENE] = -1
    best = fit.argmax(1)
    return [
        f"{pair.low.name} fits {pairs[best[index]].high.name} better than {pair.high.name} "
        f"(correlation {fit[index, best[index]]:.2f} against {own[index]:.2f})"
        for index, pair in enumerate(pairs)
        if fit[index, best[index]] > own[index] + BETTER_FIT and not pair.moved
    ]


def _compare_with(images: Sequence[_Image], published: Mapping[str, str]) -> dict[str, Any]:
    """Count the files with published bytes, and list those of a published path but other bytes."""
    digests = set(published.values())
    changed = [image.name for image in images if published.get(image.name, image.digest) != image.digest]
    return {
        "published_files": len(published),
        "equal": sum(image.digest in digests for image in images),
        "files": len(images),
        "changed": changed,
    }
