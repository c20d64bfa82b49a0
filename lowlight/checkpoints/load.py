"""Trained methods by path: checkpoints, run folders, pretrained folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from torch import nn

from lowlight.checkpoints.checkpoint import Saved, best_of, read_checkpoint
from lowlight.checkpoints.pretrained import WEIGHTS, locate, read_pretrained
from lowlight.checkpoints.recipe import build, check_recipe
from lowlight.files import first_line
from lowlight.methods import Method, Supervised


def load(path: Path | str, net: nn.Module | None = None, trust: Sequence[str] = ()) -> Method:
    """Load a method from a checkpoint, on the CPU, in evaluation mode.

    The file is read as data only. Its recipe may call networks, optimizers, schedulers, methods and losses of
    torch and lowlight (:data:`lowlight.checkpoints.recipe.ALLOWED`), nothing else.

    Args:
        path: A ``.ckpt`` file, or a run folder, whose best checkpoint is taken.
        net: The image network of a method that was built by hand and so has no recipe; it is wrapped in
            :class:`lowlight.methods.Supervised`.
        trust: Packages beyond torch and lowlight that the recipe may call, such as ``["mypackage"]``.

    Raises:
        ValueError: If the file is missing, broken or no checkpoint, or its recipe calls what is not trusted.
    """
    return restore(read_checkpoint(Path(path)), net, trust)


def from_pretrained(folder: Path | str, trust: Sequence[str] = ()) -> Method:
    """Load a method from a folder of :func:`lowlight.save_pretrained`, on the CPU, in evaluation mode.

    The recipe is checked as by :func:`load`. What only training needs, such as a discriminator, is new.

    Args:
        folder: The folder; where no such folder exists, the name of shipped weights (``coarse_to_fine``) or
            a Hugging Face repository (``organisation/name``).
        trust: Packages beyond torch and lowlight that the recipe may call, such as ``["mypackage"]``.

    Raises:
        ValueError: If files are missing or broken, weights do not fit, or the recipe is not trusted.
    """
    return restore(read_pretrained(folder), trust=trust)


def restore(saved: Saved, net: nn.Module | None = None, trust: Sequence[str] = ()) -> Method:
    """Build a method from its recipe and load its weights; ``net`` and ``trust`` are those of :func:`load`.

    Raises:
        ValueError: If there is neither a recipe nor a network, the recipe is not trusted, or weights do not
            fit.
    """
    weights = saved.weights
    if saved.recipe is not None:
        check_recipe(saved.recipe, saved.recipe_file, trust)
        method = build(saved.recipe)
    elif net is not None:
        method = Supervised(net)
        weights = {key: weight for key, weight in weights.items() if key.startswith("net.")}
    else:
        raise ValueError(
            f"{saved.recipe_file}: holds no recipe, its method was built by hand: pass the network, "
            "load(path, net=...)"
        )
    try:
        (method.net if saved.net_only else method).load_state_dict(weights)
    except RuntimeError as error:
        whose = "network" if saved.recipe is None else "recipe"
        problem = f"weights do not fit the {whose}: {first_line(error)}"
        raise ValueError(f"{saved.weights_file}: {problem}") from error
    return method.eval()


def load_method(path: Path | str, trust: Sequence[str] = ()) -> Method:
    """Load a method from a checkpoint, a run folder or a pretrained folder, on the CPU, in evaluation mode.

    Args:
        path: The file or folder; where nothing is there, the name of shipped weights.
        trust: Packages beyond torch and lowlight that a recipe may call.

    Raises:
        ValueError: If no method is there, or its recipe calls what is not trusted.
    """
    path = locate(path)
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    if path.is_file():
        return load(path, trust=trust)
    return from_pretrained(path, trust) if (path / WEIGHTS).exists() else load_run(path, trust)


def load_run(run: Path | str, trust: Sequence[str] = ()) -> Method:
    """Load the method of a run folder, on the CPU, in evaluation mode.

    It is the run's best checkpoint, the checkpoint that an evaluation scored, or, where nothing is learnt,
    built from the config.

    Raises:
        ValueError: As by :func:`load`, or if the folder holds no run.
    """
    run = Path(run)
    if best_of(run).exists():
        return load(run, trust=trust)
    if not (run / "config.yaml").exists():
        raise ValueError(f"{run}: no run here (neither best.ckpt nor config.yaml)")
    config = cast(DictConfig, OmegaConf.load(run / "config.yaml"))
    if checkpoint := config.get("checkpoint"):
        return load_method(checkpoint, trust)
    if config.get("method") is None:
        raise ValueError(f"{run}: no method here; what was scored there are images that somebody saved")
    recipe = cast(dict[str, Any], OmegaConf.to_container(config.method))
    check_recipe(recipe, run / "config.yaml", trust)
    method = build(recipe)
    if method.learns:
        raise ValueError(f"{run}: no checkpoint in it: the run was stopped before its first epoch was saved")
    return method.eval()
