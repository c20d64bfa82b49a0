"""Trained methods by path: checkpoints, run folders, pretrained folders."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from torch import nn

from lowlight.checkpoints.checkpoint import Saved, best_of, read_checkpoint
from lowlight.checkpoints.pretrained import WEIGHTS, locate, read_pretrained
from lowlight.checkpoints.recipe import build, check_recipe
from lowlight.checkpoints.sizes import check_size, load_weights
from lowlight.files import read_yaml, shortened
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
    if saved.recipe is not None:
        check_recipe(saved.recipe, saved.recipe_file, trust)
        with _naming(saved.recipe_file):
            if not trust:  # who trusts the recipe's author need not compare sizes
                check_size(saved)
            method = _built(saved.recipe)
    elif net is not None:
        method = Supervised(net)
        ours = {key: weight for key, weight in saved.weights.items() if key.startswith("net.")}
        saved = saved._replace(weights=ours)
    else:
        raise ValueError(
            f"{saved.recipe_file}: holds no recipe, its method was built by hand: pass the network, "
            "load(path, net=...)"
        )
    load_weights(method.net if saved.net_only else method, saved)
    return method.eval()


def _built(recipe: Any) -> Method:
    """Build a method; one without weights is tried on a small image, as only its arguments can be wrong."""
    method = build(recipe)
    if not method.learns:
        low = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        if method.enhance(low).shape != low.shape:
            raise ValueError("it does not keep the size of an image")
    return method


@contextmanager
def _naming(source: Path) -> Iterator[None]:
    """Turn whatever building a recipe raises into one line that names its file."""
    try:
        yield
    except Exception as error:  # its arguments are a stranger's, and so may be the error
        cause: BaseException = error
        while isinstance(cause, InstantiationException) and cause.__cause__ is not None:
            cause = cause.__cause__
        said = shortened(str(cause)) or type(cause).__name__
        named = said.startswith(str(source.parent))
        raise ValueError(said if named else f"{source}: its recipe cannot be built: {said}") from error


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
    run, above = Path(run), set[Path]()
    while not best_of(run).exists():
        if not (run / "config.yaml").exists():
            raise ValueError(f"{run}: no run here (neither best.ckpt nor config.yaml)")
        config = read_yaml(run / "config.yaml")
        checkpoint = config.get("checkpoint")
        if not checkpoint:
            return _without_weights(run, config, trust)
        if not isinstance(checkpoint, str):
            raise ValueError(f"{run}: its config.yaml names as its checkpoint what is no path")
        above.add(run.resolve())
        scored = locate(checkpoint)
        if scored.resolve() in above:
            raise ValueError(
                f"{run}: its config.yaml names {checkpoint} as its checkpoint, which leads back to it"
            )
        if not scored.is_dir() or (scored / WEIGHTS).exists():
            return load_method(scored, trust)
        run = scored
    return load(run, trust=trust)


def _without_weights(run: Path, config: Mapping[str, Any], trust: Sequence[str]) -> Method:
    """Build the method of a run that trained nothing from its config."""
    recipe = config.get("method")
    if recipe is None:
        raise ValueError(f"{run}: no method here; what was scored there are images that somebody saved")
    check_recipe(recipe, run / "config.yaml", trust)
    with _naming(run / "config.yaml"):
        method = _built(recipe)
    if method.learns:
        raise ValueError(f"{run}: no checkpoint in it: the run was stopped before its first epoch was saved")
    return method.eval()
