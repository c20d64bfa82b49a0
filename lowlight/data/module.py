"""Loaders for training, validation and testing on one paired set or several joined."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from lowlight.data.cache import ArrayCache, default_cache_dir
from lowlight.data.dataset import EpochSampler, PairDataset, collate
from lowlight.data.pairs import PairedFolder, PairItem, PairSet, Split, refuse
from lowlight.data.scenes import hold_out, scene_groups
from lowlight.data.synthetic import DarkenedPhotographs
from lowlight.images import Pair


class PairDataModule(pl.LightningDataModule):
    """Paired images for a Lightning trainer: ``PairDataModule(root="LOL")``.

    Training samples are crops (or resized images), shuffled and augmented as a function of seed, epoch and
    index alone. Validation and testing yield whole images at native size, one at a time, in a fixed order.
    Unless a set brings a validation split of its own, whole scenes of the training images are held out.
    All files that a stage uses are checked at set-up, which raises one ``ValueError`` for all of them.

    Args:
        root: The folder of a set, or several, which are joined; a set is called as its folder.
        sets: Sets by name, joined with those of ``root``. With neither, the embedded photographs.
        layout: How each folder of ``root`` is read.
        batch_size: Training samples a batch (and device). The last batch of an epoch is dropped if it is not
            full, unless it is the only one.
        patch_size: Side of training crops in pixels; ``None`` trains on whole images.
        resize: Side in pixels that training images are resized to, as squares, before any crop; ``None``
            keeps their size.
        augment: Whether training samples are mirrored and turned by quarters.
        val_fraction: Share of the training images held out for validation; 0 holds out none.
        eval_size: Side in pixels that validation and test images are resized to; ``None`` is native size.
        num_workers: Loader processes; samples are the same for any number.
        seed: Seed of the validation split, the order and the augmentation.
        cache: Whether decoded images are kept on disk.
        cache_dir: Where; by default the user's cache folder.

    Reference:
        Wei, Wang, Yang, Liu, 2018, "Deep Retinex Decomposition for Low-Light Enhancement" (the LOL data set).
    """

    def __init__(
        self,
        root: Path | str | Sequence[Path | str] | None = None,
        sets: Mapping[str, PairSet] | None = None,
        *,
        layout: Callable[[Path], PairSet] = PairedFolder,
        batch_size: int = 16,
        patch_size: int | None = 128,
        resize: int | None = None,
        augment: bool = True,
        val_fraction: float = 0.1,
        eval_size: int | None = None,
        num_workers: int = 0,
        seed: int = 0,
        cache: bool = True,
        cache_dir: Path | str | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= val_fraction < 1:
            raise ValueError(f"val_fraction={val_fraction} must be in [0, 1)")
        self.sets = _name_sets(root, sets, layout)
        self.batch_size = batch_size
        self.patch_size = patch_size
        self.resize = resize
        self.augment = augment
        self.val_fraction = val_fraction
        self.eval_size = eval_size
        self.num_workers = num_workers
        self.seed = seed
        folder = Path(cache_dir).expanduser() if cache_dir else default_cache_dir()
        self.cache = ArrayCache(folder if cache else None)
        self.datasets: dict[Split, PairDataset] = {}
        self._scenes: dict[Split, int] = {}

    def setup(self, stage: str | None = None) -> None:
        """Find, check and divide the pairs of a stage.

        A stage that trains also checks the test split, if there is one, so that a damaged file is found
        before hours of training and not after them.

        Raises:
            ValueError: If a needed split is missing or anything is wrong with its files.
        """
        if stage in ("fit", "validate", None) and "train" not in self.datasets:
            self._set_up_training()
        if "test" not in self.datasets:
            items = self._items("test")
            if items:
                self.datasets["test"] = self._checked(items, resize=self.eval_size)
            elif stage == "test":
                self._refuse_missing("test")

    def _set_up_training(self) -> None:
        items = self._items("train")
        if not items:
            self._refuse_missing("train")
        # Checked whole before it is divided, because dividing needs the pixels.
        everything = self._checked(items, resize=self.resize)
        held_out = self._items("val")
        groups = scene_groups(everything.thumbnails(), [item.scene for item in items])
        if not held_out and self.val_fraction > 0:
            chosen = set(hold_out(groups, self.val_fraction, self.seed))
            held_out = [items[index] for index in sorted(chosen)]
            self._scenes["val"] = sum(group[0] in chosen for group in groups)
            items = [item for index, item in enumerate(items) if index not in chosen]
        self._scenes["train"] = len(groups) - self._scenes.get("val", 0)
        train = PairDataset(
            items, self.cache, resize=self.resize, patch_size=self.patch_size, augment=self.augment
        )
        val = self._checked(held_out, resize=self.eval_size)
        self.datasets |= {"train": train, "val": val}

    def _items(self, split: Split) -> list[PairItem]:
        return [item for name, pairs in self.sets.items() for item in pairs.items(split, name)]

    def _checked(self, items: Sequence[PairItem], *, resize: int | None) -> PairDataset:
        dataset = PairDataset(items, self.cache, resize=resize)
        if problems := dataset.problems():
            remedy = "Replace these files or remove them (both of a pair)."
            refuse(f"{len(problems)} of {len(items)} pairs cannot be used", problems, remedy)
        return dataset

    def _refuse_missing(self, split: Split) -> None:
        places = ", ".join(f"{name} ({pairs})" for name, pairs in self.sets.items())
        raise ValueError(f"there is no {split} split in {places}; give data.root a folder that has one")

    def train_dataloader(self) -> DataLoader[Pair]:
        """Load shuffled training batches."""
        dataset = self.datasets["train"]
        sampler = EpochSampler(dataset, self.seed)
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            drop_last=len(sampler) > self.batch_size,
            collate_fn=collate,
            **self._workers(),
        )

    def val_dataloader(self) -> DataLoader[Pair] | list[Any]:
        """Load the validation images one by one; nothing where none are held out."""
        return self._one_by_one("val") if len(self.datasets["val"]) else []

    def test_dataloader(self) -> DataLoader[Pair]:
        """Load the test images one by one."""
        return self._one_by_one("test")

    def _one_by_one(self, split: Split) -> DataLoader[Pair]:
        return DataLoader(self.datasets[split], batch_size=1, **self._workers())

    def _workers(self) -> dict[str, Any]:
        return {
            "num_workers": self.num_workers,
            "persistent_workers": self.num_workers > 0,
            "pin_memory": torch.cuda.is_available(),
        }

    def describe(self) -> dict[str, Any]:
        """Say in plain containers which images the splits set up so far hold and how they are prepared."""
        images = {split: len(dataset) for split, dataset in self.datasets.items()}
        sets: dict[str, dict[str, Any]] = {name: {"source": str(pairs)} for name, pairs in self.sets.items()}
        for split, dataset in self.datasets.items():
            for name, count in Counter(item.name.split("/")[0] for item in dataset.items).items():
                sets[name][split] = count
        return {
            "split": "standard",
            "sets": sets,
            "images": images,
            "scene_groups": dict(self._scenes),
            "batch_size": self.batch_size,
            "patch_size": self.patch_size,
            "resize": self.resize,
            "augment": self.augment,
            "val_fraction": self.val_fraction,
            "eval_size": self.eval_size,
            "seed": self.seed,
        }


def _name_sets(
    root: Path | str | Sequence[Path | str] | None,
    sets: Mapping[str, PairSet] | None,
    layout: Callable[[Path], PairSet],
) -> dict[str, PairSet]:
    roots = [root] if isinstance(root, str | Path) else list(root or [])
    if not roots and not sets:
        return {"synthetic": DarkenedPhotographs()}
    named = dict(sets or {})
    for folder in (Path(path).expanduser() for path in roots):
        name = folder.resolve().name or "root"
        if name in named:
            raise ValueError(
                f"two sets are called {name!r} ({named[name]} and {folder}), but image names must be unique; "
                f"rename a folder or name the sets yourself (sets: {{mine: ...}})"
            )
        named[name] = layout(folder)
    if slashed := [name for name in named if "/" in name]:
        raise ValueError(f"a set cannot be called {slashed[0]!r}: its images are called <set>/<stem>")
    return named
