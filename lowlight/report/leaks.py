"""What runs record about test scenes in their training data."""

from collections.abc import Mapping
from typing import Any

from lowlight.report.runs import Run
from lowlight.runs.recipe import differing_keys
from lowlight.runs.recipe import recipe as recipe_of

CHOOSES_TEST_IMAGES = ("data.root", "data.sets", "data.layout", "data.split")
"""Beginnings of the settings that decide what the test images are."""


def is_trained(run: Run) -> bool:
    """Return whether a run's images may come from training: all but methods without parameters do."""
    return "predictions" in run.manifest or run.manifest.get("parameters") != 0


def leak_of(run: Run) -> Mapping[str, Any] | None:
    """Return the counts of test images whose scenes were trained on, or None if they are unknown.

    A training counts them for its own test split; for a checkpoint scored on other images they say nothing.
    """
    leak = (run.manifest.get("data") or {}).get("leak")
    if not leak and _has_the_test_split_of_its_training(run):
        leak = run.manifest["data_of_training"].get("leak")
    return leak if leak and leak.get("test_images") == len(run.per_image) else None


def _has_the_test_split_of_its_training(run: Run) -> bool:
    """Return whether an evaluated checkpoint was scored on the test split of its own training."""
    data, theirs = (run.manifest.get(key) or {} for key in ("data", "data_of_training"))
    trained_as = run.manifest.get("trained_as")
    if not trained_as or not theirs or _tested(data) != _tested(theirs):
        return False
    return not differing_keys(_test_split(trained_as), _test_split(recipe_of(run.config)), own=False)


def _tested(data: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of test images by set, from the description of the data in a manifest."""
    sets = data.get("sets") or {}
    return {name: about["test"] for name, about in sets.items() if about.get("test")}


def _test_split(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a recipe that decide what the test images are.

    ``scene_disjoint`` leaves out training pairs only, so its test images are those of ``standard``.
    """
    chosen = {
        key: value
        for key, value in recipe.items()
        if value is not None and key.startswith(CHOOSES_TEST_IMAGES)
    }
    return chosen | {"data.split": chosen.get("data.split") == "by_file"}
