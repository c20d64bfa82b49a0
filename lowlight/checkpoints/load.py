"""Loading methods: checkpoints, run folders and pretrained folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from torch import nn

from lowlight.checkpoints.checkpoint import best_of, read
from lowlight.checkpoints.pretrained import WEIGHTS, from_pretrained, locate
from lowlight.checkpoints.recipe import build, check_recipe
from lowlight.files import first_line
from lowlight.methods import Method, Supervised


def load(path: Path | str, net: nn.Module | None = None, trust: Sequence[str] = ()) -> Method:
    """Load a method from a checkpoint of ours, ready to enhance, on the CPU.

    The file is read as data only, and of its recipe only known things are called: networks, optimizers,
    schedulers and methods of torch and lowlight, and lowlight's losses.

    Args:
        path: A ``.ckpt`` file, or a run folder, of which :func:`best_of` is taken.
        net: The image network of a method that was built by hand, which left no recipe; it is wrapped in
            :class:`lowlight.methods.Supervised`.
        trust: Packages beyond torch and lowlight that the recipe may call, such as ``["mypackage"]``.

    Raises:
        ValueError: If the file is missing, broken or not ours, or its recipe calls what is not trusted.
    """
    path = Path(path)
    path = best_of(path) if path.is_dir() else path
    checkpoint = read(path)
    recipe, weights = checkpoint.get("recipe"), checkpoint["state_dict"]
    if recipe is not None:
        check_recipe(recipe, path, trust)
        method = build(recipe)
    elif net is not None:
        method = Supervised(net)
        weights = {key: weight for key, weight in weights.items() if key.startswith("net.")}
    else:
        raise ValueError(
            f"{path}: holds no recipe, its method was built by hand: pass the network, load(path, net=...)"
        )
    try:
        method.load_state_dict(weights)
    except RuntimeError as error:
        whose = "network" if recipe is None else "recipe"
        raise ValueError(f"{path}: weights do not fit the {whose}: {first_line(error)}") from error
    return method.eval()


def load_method(path: Path | str, trust: Sequence[str] = ()) -> Method:
    """Load a method, on the CPU, from a checkpoint, a run folder or a pretrained folder.

    Args:
        path: Where it is; or, where nothing is, the name of one of :func:`shipped`.
        trust: Packages beyond torch and lowlight that a recipe may call.

    Raises:
        ValueError: If nothing of ours is there, or its recipe calls what is not trusted.
    """
    path = locate(path)
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    if path.is_file():
        return load(path, trust=trust)
    return from_pretrained(path, trust) if (path / WEIGHTS).exists() else load_run(path, trust)


def load_run(run: Path | str, trust: Sequence[str] = ()) -> Method:
    """Load the method of a run folder: its best checkpoint, or the one it evaluated, or, where nothing is
    learnt, its config.

    Raises:
        ValueError: As :func:`lowlight.checkpoints.load.load` does, or if the folder holds no run.
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
