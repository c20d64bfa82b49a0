"""Recipes and weights by path: checkpoints, run folders, pretrained folders."""

from pathlib import Path

from lowlight.checkpoints.checkpoint import Saved, read_checkpoint
from lowlight.checkpoints.pretrained import read_pretrained
from lowlight.files import read_yaml
from lowlight.runs.folder import best_of
from lowlight.shipped import WEIGHTS, existing, locate


def read_any(path: Path | str) -> Saved:
    """Read recipe and weights from a checkpoint, a run folder or a pretrained folder, or by a shipped name.

    Raises:
        ValueError: If nothing is there, or it is broken.
    """
    path = existing(path)
    if path.is_file():
        return read_checkpoint(path)
    return read_pretrained(path) if (path / WEIGHTS).exists() else read_run(path)


def read_run(run: Path | str) -> Saved:
    """Read recipe and weights of a run folder; without weights where it trained nothing.

    Raises:
        ValueError: If the folder holds no run, or its files are broken.
    """
    run, above = Path(run), set[Path]()
    while not best_of(run).exists():
        file = run / "config.yaml"
        if not file.exists():
            raise ValueError(f"{run}: no run here (neither a checkpoint nor config.yaml)")
        config = read_yaml(file)
        checkpoint = config.get("checkpoint")
        if not checkpoint:
            recipe = config.get("method")
            if recipe is None:
                raise ValueError(
                    f"{run}: no method here; what was scored there are images that somebody saved"
                )
            return Saved(recipe, file, {}, file, is_config=True)
        if not isinstance(checkpoint, str):
            raise ValueError(f"{run}: its config.yaml names as its checkpoint what is no path")
        above.add(run.resolve())
        scored = locate(checkpoint)
        if scored.resolve() in above:
            raise ValueError(
                f"{run}: its config.yaml names {checkpoint} as its checkpoint, which leads back to it"
            )
        if not scored.is_dir() or (scored / WEIGHTS).exists():
            return read_any(scored)
        run = scored
    return read_checkpoint(run)
