"""Trained methods by path: checkpoints, run folders, pretrained folders."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from lowlight.checkpoints.checkpoint import Saved, read_checkpoint
from lowlight.checkpoints.pretrained import read_pretrained
from lowlight.checkpoints.reading import read_any, read_run
from lowlight.checkpoints.recipe import as_method, assembled, build_model, check_recipe, enhancing
from lowlight.checkpoints.sizes import check_size
from lowlight.checkpoints.weights import load_weights, of_network
from lowlight.files import shortened
from lowlight.model import Model

if TYPE_CHECKING:
    from lowlight.methods import Method

log = logging.getLogger(__name__)


def load(path: Path | str, net: nn.Module | None = None, trust: Sequence[str] = ()) -> "Method":
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


def from_pretrained(folder: Path | str, trust: Sequence[str] = ()) -> "Method":
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


def load_method(path: Path | str, trust: Sequence[str] = ()) -> "Method":
    """Load a method from a checkpoint, a run folder or a pretrained folder, on the CPU, in evaluation mode.

    Args:
        path: The file or folder; where nothing is there, the name of shipped weights.
        trust: Packages beyond torch and lowlight that a recipe may call.

    Raises:
        ValueError: If no method is there, or its recipe calls what is not trusted.
    """
    return restore(read_any(path), trust=trust)


def load_run(run: Path | str, trust: Sequence[str] = ()) -> "Method":
    """Load the method of a run folder, on the CPU, in evaluation mode.

    It is the run's best checkpoint, the checkpoint that an evaluation scored, or, where nothing is learnt,
    built from the config.

    Raises:
        ValueError: As by :func:`load`, or if the folder holds no run.
    """
    return restore(read_run(run), trust=trust)


def start_from(method: "Method", path: Path | str) -> None:
    """Load into a new method the weights that its training is to begin with.

    Where it has the weights of all parts, such as a discriminator, all are loaded; otherwise, as of
    pretrained folders, which hold no more, those of the image network. The file is read as data only, and its
    recipe is not used.

    Args:
        method: On the CPU.
        path: As for :func:`load_method`.

    Raises:
        ValueError: If nothing is there, it has no weights, or they do not fit.
    """
    saved = read_any(Path(path).expanduser())._replace(recipe=None)
    if not saved.weights:
        raise ValueError(f"{path}: nothing was trained there, so no training can start from it")
    module: nn.Module = method
    shapes, own = (
        {name: one.shape for name, one in weights.items()} for weights in (saved.weights, method.state_dict())
    )
    if shapes != own:
        module, saved = method.net, saved._replace(weights=of_network(saved))
    try:
        load_weights(module, saved)
    except ValueError as error:
        raise ValueError(f"start_from: {error}; method and method.net must be as in its training") from error
    log.info("starting from %s of %s", "all weights" if module is method else "the image network", path)


def load_model(path: Path | str, trust: Sequence[str] = ()) -> Model:
    """Load what :func:`load_method` does, for enhancing only.

    The image network of one of lowlight's own methods is loaded without the method, and without Lightning.

    Raises:
        ValueError: As by :func:`load_method`.
    """
    saved = assembled(read_any(path), trust)
    recipe = enhancing(saved.recipe) if isinstance(saved.recipe, Mapping) else None
    if recipe is not None:
        unused = {key: node for key, node in saved.recipe.items() if key != "_target_"}
        check_recipe(unused, saved.recipe_file, trust)
        saved = saved._replace(recipe=recipe, weights=of_network(saved), net_only=True)
    return _restored(saved, trust)


def restore(saved: Saved, net: nn.Module | None = None, trust: Sequence[str] = ()) -> "Method":
    """Build a method from its recipe and load its weights; ``net`` and ``trust`` are those of :func:`load`.

    Raises:
        ValueError: If there is neither a recipe nor a network, the recipe is not trusted, or weights do not
            fit.
    """
    if saved.recipe is None and net is not None:
        from lowlight.methods import Supervised

        method = Supervised(net)
        load_weights(method.net, saved._replace(weights=of_network(saved)))
        return method.eval()
    return as_method(_restored(saved, trust))


def _restored(saved: Saved, trust: Sequence[str]) -> Model:
    """Build what a recipe describes, once it is checked, and load its weights."""
    saved = assembled(saved, trust)
    if saved.recipe is None:
        raise ValueError(
            f"{saved.recipe_file}: holds no recipe, its method was built by hand: pass the network, "
            "load(path, net=...)"
        )
    check_recipe(saved.recipe, saved.recipe_file, trust)
    with _naming(saved.recipe_file):
        if not (saved.is_config or trust):  # who trusts the recipe's author need not compare sizes
            check_size(saved)
        model = build_model(saved.recipe)
        if not model.parameter_count:
            _try(model)
    if not saved.is_config:
        load_weights(model.net if saved.net_only else model, saved)
    elif model.parameter_count:
        run = saved.recipe_file.parent
        raise ValueError(f"{run}: no checkpoint in it: the run was stopped before its first epoch was saved")
    return model.eval()


def _try(model: Model) -> None:
    """Enhance a small image by what has no weights, as only its arguments can be wrong."""
    low = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    if model.enhance(low).shape != low.shape:
        raise ValueError("it does not keep the size of an image")


@contextmanager
def _naming(source: Path) -> Iterator[None]:
    """Turn whatever building a recipe raises into one line that names its file."""
    try:
        yield
    except Exception as error:  # its arguments are a stranger's, and so may be the error
        from hydra.errors import InstantiationException

        cause: BaseException = error
        while isinstance(cause, InstantiationException) and cause.__cause__ is not None:
            cause = cause.__cause__
        said = shortened(str(cause)) or type(cause).__name__
        named = said.startswith(str(source.parent))
        raise ValueError(said if named else f"{source}: its recipe cannot be built: {said}") from error
