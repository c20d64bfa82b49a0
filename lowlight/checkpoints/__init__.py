"""Checkpoints: methods with their recipes, loaded, saved and shared."""

from lowlight.checkpoints.checkpoint import read
from lowlight.checkpoints.load import from_pretrained, load, load_method, load_run
from lowlight.checkpoints.pretrained import save_pretrained
from lowlight.checkpoints.recipe import build, check_recipe, make

__all__ = [
    "build",
    "check_recipe",
    "from_pretrained",
    "load",
    "load_method",
    "load_run",
    "make",
    "read",
    "save_pretrained",
]
