"""Runs grouped into the rows of the table: one entry per recipe, averaged over its seeds."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowlight.evaluation.statistics import bootstrap_interval
from lowlight.report.runs import Run
from lowlight.runs.folder import BEST
from lowlight.runs.recipe import differing_keys
from lowlight.runs.recipe import recipe as recipe_of

SEEDS = frozenset({"seed", "data.seed"})
"""Config keys of the seed; a set of pairs may have another seed, which is part of the recipe."""

MOST_KEYS_IN_A_LABEL = 3
"""Number of differing settings above which a label does not list them."""

Recipe = dict[str, Any]
Group = tuple[Recipe, list[Run]]


@dataclass(frozen=True)
class Entry:
    """One row of the table: the runs of one recipe, which differ only in the seed."""

    label: str
    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        """The run with the lowest seed, which represents the others in pictures and timing."""
        return self.runs[0]

    @property
    def capped(self) -> bool:
        """Whether a time limit ended the training of any run."""
        return any(run.stopped == "max_time" for run in self.runs)

    def score(self, key: str) -> float:
        """Return the mean of a test score over the runs; NaN if a run lacks it."""
        return _mean([run.scores.get(key, math.nan) for run in self.runs])

    def spread(self, key: str) -> float:
        """Return the sample standard deviation of a test score over the runs; NaN for a single run."""
        values = [run.scores.get(key, math.nan) for run in self.runs]
        return statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan

    @property
    def scenes(self) -> list[str]:
        """Scene of each image, in the order of :meth:`images`."""
        return [self.first.scenes[name] for name in self.first.per_image]

    def images(self, key: str) -> list[float]:
        """Return a score per image, averaged over the runs; NaN if a run lacks it."""
        return [
            _mean([run.per_image[name].get(key, math.nan) for run in self.runs])
            for name in self.first.per_image
        ]

    def interval(self, key: str) -> tuple[float, float]:
        """Return the bootstrap interval of a score over scenes; NaN if it is undefined."""
        return bootstrap_interval(self.images(key), self.scenes)

    def fact(self, key: str) -> float:
        """Return the mean of a number in the manifests over the runs; NaN if one lacks it."""
        return _mean([_number(run.manifest.get(key)) for run in self.runs])

    def curve(self, column: str) -> list[tuple[int, float, float, float]]:
        """Return the finite points of a curve as (epoch, mean, lowest, highest) over the runs."""
        points: dict[int, list[float]] = {}
        for run in self.runs:
            for epoch, value in run.curves.get(column, {}).items():
                if math.isfinite(value):
                    points.setdefault(epoch, []).append(value)
        return [(epoch, _mean(values), min(values), max(values)) for epoch, values in sorted(points.items())]


def gather(runs: Sequence[Run]) -> list[Entry]:
    """Group runs by method and recipe, label the groups, and rank them by PSNR, best first.

    Runs that share both recipe and seed are not independent: each gets a row, labelled by its folder.
    """
    recipes: list[Group] = []
    for run in runs:
        recipe = _recipe(run)
        for known, members in recipes:
            if members[0].method == run.method and not differing_keys(known, recipe, own=False):
                members.append(run)
                break
        else:
            recipes.append((recipe, [run]))
    groups: list[Group] = []
    for recipe, members in recipes:
        if len({run.seed for run in members}) == len(members):
            groups.append((recipe, sorted(members, key=lambda run: run.seed)))
        else:
            groups += [(recipe, [run]) for run in members]
    entries = [
        Entry(label, tuple(members)) for label, (_, members) in zip(_labels(groups), groups, strict=True)
    ]
    return sorted(entries, key=lambda entry: -_or_lowest(entry.score("psnr")))


def _recipe(run: Run) -> Recipe:
    """Return the settings that determine a result, without the seed.

    For a checkpoint they are those of its training, and its file and precision in the evaluation; a training
    scores its best checkpoint.
    """
    trained_as = run.manifest.get("trained_as")
    settings = trained_as or recipe_of(run.config)
    settings = {key: value for key, value in settings.items() if key not in SEEDS}
    if trained_as or not any(run.config.get(key) for key in ("checkpoint", "predictions")):
        settings |= {"scored.checkpoint": _checkpoint_file(run), "scored.precision": _precision(run)}
    return settings


def _checkpoint_file(run: Run) -> str:
    """Return the name of the checkpoint that was scored; of a run folder it is the best one."""
    name = Path(str(run.config.get("checkpoint"))).name
    return name if name.endswith(".ckpt") else BEST


def _precision(run: Run) -> str:
    """Return the arithmetic precision of the scores; where none is recorded, the setting."""
    used = (run.manifest.get("precision") or {}).get("used")
    trainer = run.config.get("trainer") or {}
    return str(used[-1] if used else trainer.get("precision") or "32-true")


def _labels(groups: Sequence[Group]) -> list[str]:
    """Label each group by its method and, if several have the same method, by the settings that differ."""
    labels = []
    for recipe, members in groups:
        method = members[0].method
        rivals = [other for other, others in groups if others[0].method == method]
        keys = sorted({key for other in rivals for key in differing_keys(rivals[0], other, own=False)})
        settings = ", ".join(f"{_short(key, keys)}={_shown(recipe.get(key))}" for key in keys)
        labels.append(f"{method} ({settings})" if len(keys) <= MOST_KEYS_IN_A_LABEL and keys else method)
    return [
        label if labels.count(label) == 1 else f"{members[0].method} ({_place(members[0], groups)})"
        for label, (_, members) in zip(labels, groups, strict=True)
    ]


def _short(key: str, keys: Sequence[str]) -> str:
    """Return the shortest suffix of a dotted key that is unique among ``keys``."""
    parts = key.split(".")
    for start in range(len(parts) - 1, 0, -1):
        end = ".".join(parts[start:])
        if not any(other != key and f".{other}".endswith(f".{end}") for other in keys):
            return end
    return key


def _place(run: Run, groups: Sequence[Group]) -> str:
    """Return the shortest suffix of a run's path that is unique among all runs."""
    paths = [member.folder.resolve() for _, members in groups for member in members]
    parts = run.folder.resolve().parts
    for start in range(len(parts) - 1, 0, -1):
        if sum(path.parts[-(len(parts) - start) :] == parts[start:] for path in paths) == 1:
            return "/".join(parts[start:])
    return str(run.folder)


def _shown(value: Any) -> str:
    """Format a config value as a user would: 1e-4 rather than 0.0001."""
    if not isinstance(value, float):
        return "null" if value is None else str(value)
    mantissa, _, exponent = f"{value:e}".partition("e")
    scientific = f"{float(mantissa):g}e{int(exponent)}"
    return min(f"{value:g}", scientific, key=len)


def _mean(values: Sequence[float]) -> float:
    """Average numbers, infinities included."""
    return sum(values) / len(values)


def _number(value: Any) -> float:
    """Return a number, or NaN if it is missing."""
    return math.nan if value is None else float(value)


def _or_lowest(value: float) -> float:
    """Return a score to sort by; a missing one sorts last."""
    return -math.inf if math.isnan(value) else value
