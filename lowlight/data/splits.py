"""Protocols that divide pairs into training and test: as published, disjoint by scene, or by file."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from lowlight.data.dataset import Clue, PairDataset
from lowlight.data.pairs import PairItem
from lowlight.data.scenes import hold_out, scene_groups

Protocol = Literal["standard", "scene_disjoint", "by_file"]
"""Division into training and test pairs.

``standard``: the published split. ``scene_disjoint``: the published split without training pairs and bright
photographs whose scene occurs in the test split. ``by_file``: all pairs pooled and divided at random
regardless of scenes, with the published number of test pairs; only to measure the leak.
"""

PROTOCOLS = get_args(Protocol)


def by_file(train: Sequence[PairItem], test: Sequence[PairItem]) -> tuple[list[PairItem], list[PairItem]]:
    """Pool pairs and divide them at random, independently of the training's seed.

    Returns:
        As many training and test pairs as given, sorted by name.

    Raises:
        ValueError: If either is empty or two pairs have the same name.
    """
    if not train or not test:
        raise ValueError("data.split=by_file pools training and test pairs, but there is only one split")
    pool = sorted([*train, *test], key=lambda item: item.name)
    twice = [name for name, count in Counter(item.name for item in pool).items() if count > 1]
    if twice:
        raise ValueError(
            f"data.split=by_file pools all pairs, but {twice[0]} is in several splits: rename one, "
            "or leave data.split as it is where the set itself names its images"
        )
    chosen = set(np.random.default_rng(0).choice(len(pool), size=len(test), replace=False).tolist())
    return (
        [item for index, item in enumerate(pool) if index not in chosen],
        [item for index, item in enumerate(pool) if index in chosen],
    )


def by_hash(names: Iterable[str]) -> list[str]:
    """Sort names by their hashes: an order as if drawn, but the same on every machine."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def digest_of(names: Iterable[str]) -> str:
    """Return a short digest of names, whatever their order."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]


def check_digests(before: Mapping[str, str], now: Mapping[str, str], sets: str) -> None:
    """Refuse images that have changed by their names: new ones move scenes between the splits.

    Args:
        before: Digests of a checkpoint, by split, and of ``data.bright`` where it is set.
        now: Digests of the data.
        sets: Names of the sets, for the message.

    Raises:
        ValueError: Saying in which splits they are others.
    """
    changed = [split for split in ("train", "val") if before.get(split) != now.get(split)]
    leaks = ", so its best epoch may have learnt what is validated now" if changed else ""
    if before.get("bright", now.get("bright")) != now.get("bright"):  # which earlier checkpoints lack
        changed.append("data.bright")
    if changed:
        raise ValueError(
            f"{sets}: other images are in {' and '.join(changed)} than when this run began{leaks}: "
            "train anew (resume=restart, or another output_dir)"
        )


def hold_out_names(names: Collection[str], fraction: float) -> set[str]:
    """Choose a share of two names or more by their hashes, at least one and never all."""
    return set(by_hash(names)[: min(max(round(fraction * len(names)), 1), len(names) - 1)])


def hold_out_files(count: int, fraction: float, seed: int) -> list[int]:
    """Choose images for validation regardless of scenes, at least one and never all."""
    wanted = min(max(round(fraction * count), 1), count - 1)
    return sorted(np.random.default_rng(seed).permutation(count)[:wanted].tolist())


def hold_out_scenes(
    groups: Sequence[Sequence[int]],
    sets: Sequence[str],
    fraction: float,
    seed: int,
    validated: Collection[str] = (),
) -> list[int]:
    """Choose whole scenes for validation, the same share of each set; a scene is in its first pair's.

    A set of a single scene is left whole, unless every set has one and none is validated.

    Args:
        groups: Indices of the pairs of each scene.
        sets: Name of the set per pair.
        fraction: Share of the pairs.
        seed: Seed of the choice.
        validated: Sets with validation pairs of their own; scenes of theirs are left in training.

    Returns:
        Indices of the pairs held out.
    """
    by_set: dict[str, list[Sequence[int]]] = {}
    for group in groups:
        if not any(sets[index] in validated for index in group):
            by_set.setdefault(sets[group[0]], []).append(group)
    divided = [one for one in by_set.values() if len(one) > 1]
    if not divided and not validated:
        divided = [list(groups)]
    return [index for one in divided for index in hold_out(one, fraction, seed)]


def apart_from_test(
    train: PairDataset, val: PairDataset, bright: PairDataset, test: PairDataset, protocol: Protocol
) -> tuple[PairDataset, PairDataset, PairDataset, dict[str, int]]:
    """Count test images whose scenes occur in training or validation pairs, or in bright photographs.

    The references are compared. Where there are none, photographs are compared with the test's dark images,
    too: they may be these images, or others of their scenes.

    Args:
        train: Training pairs.
        val: Validation pairs.
        bright: Bright photographs of other scenes for unpaired training; empty without ``data.bright``.
        test: Test pairs.
        protocol: Only ``scene_disjoint`` leaves anything out.

    Returns:
        Training pairs, validation pairs and bright photographs, without those of test scenes if the protocol
        is disjoint by scene, and counts: ``test_images``, ``in_training_scenes`` and ``left_out``.

    Raises:
        ValueError: If no training pair is left, or none of the bright photographs.
    """
    parts = (train, val, bright)
    is_paired = all(part.has_references for part in parts)
    ours, theirs = scenes_on_both_sides(
        [clue for part in parts for clue in part.clues()], test.clues() if is_paired else test.clues_of_both()
    )
    seen = {index % len(test) for index in theirs}
    counts = {"test_images": len(test), "in_training_scenes": len(seen), "left_out": 0}
    if protocol != "scene_disjoint" or not ours:
        return train, val, bright, counts
    starts = (0, len(train), len(train) + len(val))
    of_train, of_val, of_bright = (
        {index - start for index in ours if start <= index < start + len(part)}
        for part, start in zip(parts, starts, strict=True)
    )
    for part, left_out, name in (
        (train, of_train, "training pair"),
        (bright, of_bright, "bright photograph"),
    ):
        if left_out and len(left_out) == len(part):
            raise ValueError(
                f"data.split=scene_disjoint leaves no {name}: the test split shows every scene; "
                "give others, or set data.split=standard, which counts them"
            )
    counts |= {"in_training_scenes": 0, "left_out": len(ours)}
    return train.without(of_train), val.without(of_val), bright.without(of_bright), counts


def scenes_on_both_sides(train: Sequence[Clue], test: Sequence[Clue]) -> tuple[list[int], list[int]]:
    """Find the images whose scene occurs in both splits.

    Args:
        train: Thumbnail and known scene (or ``None``) per training image.
        test: Thumbnail and known scene (or ``None``) per test image.

    Returns:
        Indices of these training images and test images, ascending.
    """
    thumbnails, labels = zip(*[*train, *test], strict=True)
    mixed = [group for group in scene_groups(thumbnails, labels) if group[0] < len(train) <= group[-1]]
    indices = sorted(index for group in mixed for index in group)
    return (
        [index for index in indices if index < len(train)],
        [index - len(train) for index in indices if index >= len(train)],
    )
