"""Data module: loaders for training, validation and testing on one or several joined sets of pairs."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from lowlight.data.cache import ArrayCache, default_cache_dir
from lowlight.data.dataset import PairDataset, check_alike, checked, collate
from lowlight.data.layouts import PairedFolder
from lowlight.data.mixup import mix
from lowlight.data.pairs import PairItem, PairSet, Split, name_sets, read_weights, set_of
from lowlight.data.photographs import REFERENCES, bright_images
from lowlight.data.progressive import Stage, read_stages, stage_of
from lowlight.data.sampling import EpochSampler
from lowlight.data.splits import (
    PROTOCOLS,
    Protocol,
    apart_from_test,
    by_file,
    check_digests,
    digest_of,
    hold_out_files,
    hold_out_scenes,
)
from lowlight.data.synthetic import embedded
from lowlight.data.workers import usable_workers
from lowlight.images import Batch, Pair


class PairDataModule(pl.LightningDataModule):
    """Paired images for a Lightning trainer: ``PairDataModule(root="LOL")``.

    Training samples are crops (or resized images), shuffled and augmented; they depend on seed, pass
    over the pairs, and index only. Validation and testing yield whole images at native size, one at a time,
    in a fixed order. Of every set without a validation split, whole scenes of the training images are held
    out. Set-up checks all files that a stage uses and reports all bad ones in one ``ValueError``.

    Args:
        root: Folder of a set, or several folders, joined; each set is named after its folder.
        sets: Sets keyed by name, joined with those of ``root``. If both are missing, the embedded
            photographs and rooms.
        layout: Makes a set from each folder of ``root``.
        split: Division into training and test pairs; see :data:`lowlight.data.splits.Protocol`.
        batch_size: Training samples per batch and device. The last batch of an epoch is dropped if it is not
            full, unless it is the only one.
        epoch_size: Training samples per epoch, all devices together, so that an epoch takes the same time for
            any number of pairs; ``None`` is as many as there are pairs.
        weights: Weight of each set in the training samples, by its name; ``None`` gives every pair the same.
        patch_size: Side of training crops in pixels; ``None`` trains on whole images.
        resize: Side in pixels of the squares to which training images are resized before any crop; ``None``
            keeps their size.
        progressive: Earlier stages, such as ``[{"epochs": 10, "patch_size": 64, "batch_size": 32}]``, each
            with its own ``"resize"`` if given; the trainer then needs
            ``reload_dataloaders_every_n_epochs=1``, which ``lowlight train`` sets.
        augment: Whether training samples are mirrored and turned by multiples of 90 degrees.
        mixup: Concentration of the weights by which each training pair is blended with another one of its
            batch; see :func:`lowlight.data.mixup.mix`. ``None`` blends nothing.
        bright: Folder of bright photographs for unpaired training; ``None`` takes the training references.
        val_fraction: Share of the training images held out for validation, where a set has no validation
            split; 0 holds out none.
        eval_size: Side in pixels of the squares to which validation and test images are resized; ``None`` is
            native size.
        num_workers: Loader processes; samples are the same for any number.
        seed: Seed of the validation split, the order and the augmentation.
        cache: Whether decoded images are kept on disk.
        cache_dir: Folder of the cache; by default the user's cache folder.

    Reference:
        Wei, Wang, Yang, Liu, 2018, "Deep Retinex Decomposition for Low-Light Enhancement" (the LOL data set).
    """

    def __init__(
        self,
        root: Path | str | Sequence[Path | str] | None = None,
        sets: Mapping[str, PairSet] | None = None,
        *,
        layout: Callable[[Path], PairSet] = PairedFolder,
        split: Protocol = "standard",
        batch_size: int = 16,
        epoch_size: int | None = None,
        weights: Mapping[str, float] | None = None,
        patch_size: int | None = 128,
        resize: int | None = None,
        progressive: Sequence[Mapping[str, Any]] | None = None,
        augment: bool = True,
        mixup: float | None = None,
        bright: Path | str | None = None,
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
        if mixup is not None and mixup <= 0:
            raise ValueError(f"data.mixup={mixup} must be positive, or null to mix nothing")
        if split not in PROTOCOLS:
            raise ValueError(f"data.split={split} is none of {', '.join(PROTOCOLS)}")
        self.sets = name_sets(root, sets, layout) or {"synthetic": embedded()}
        self.split = split
        if epoch_size is not None and epoch_size < 1:
            raise ValueError(f"data.epoch_size={epoch_size} must be at least 1 sample, or null")
        self.epoch_size = epoch_size
        self.weights = read_weights(weights, self.sets)
        self.batch_size = batch_size
        self.patch_size = patch_size
        self.resize = resize
        self.stages = read_stages(progressive)
        self.augment = augment
        self.mixup = mixup
        self.bright = bright
        self.unpaired = False
        self.val_fraction = val_fraction
        self.eval_size = eval_size
        self.num_workers = usable_workers(num_workers)
        self.seed = seed
        folder = (Path(cache_dir).expanduser() if cache_dir else default_cache_dir()) if cache else None
        self.cache = ArrayCache(folder)
        self.datasets: dict[Split, PairDataset] = {}
        self._scenes: dict[Split, int] = {}
        self._leak: dict[str, Any] = {}

    def unpair(self) -> None:
        """Before set-up, have bright images, drawn independently, replace the training references."""
        self.unpaired = True

    def setup(self, stage: str | None = None) -> None:
        """Find, check and divide the pairs of a stage.

        Training also checks the test split, if there is one, to find damaged files before hours of training.

        Raises:
            ValueError: If a needed split is missing or has bad files.
        """
        if "test" not in self.datasets:
            items = self._items("test")
            if items:
                self.datasets["test"] = checked(items, self.cache, resize=self.eval_size)
            elif stage == "test":
                self._refuse_missing("test")
        if stage in ("fit", "validate", None) and "train" not in self.datasets:
            self._set_up_training()

    def _set_up_training(self) -> None:
        items, own = self._items("train"), self._items("val")
        if not items:
            self._refuse_missing("train")
        # Checked before it is divided, since the scenes are found by their pixels.
        everything = checked(items, self.cache, resize=self.resize, drawn=True)
        val = checked(own, self.cache, resize=self.eval_size)
        bright = self._bright(items)
        if test := self.datasets.get("test"):
            everything, val, bright, self._leak = apart_from_test(everything, val, bright, test, self.split)
        items = everything.items
        groups = everything.scene_groups()
        self._scenes["train"] = len(groups)
        if self.val_fraction > 0 and everything.has_references:
            chosen = self._held_out(items, groups, {set_of(item.name) for item in own})
            if chosen and self.split != "by_file":
                held_out = sum(group[0] in chosen for group in groups)
                self._scenes["train"] -= held_out
                self._scenes["val"] = held_out + len(val.scene_groups())
            held = [items[index] for index in sorted(chosen)]
            val = PairDataset([*val.items, *held], self.cache, resize=self.eval_size)
            items = [item for index, item in enumerate(items) if index not in chosen]
        train = PairDataset(
            items,
            self.cache,
            resize=self.resize,
            patch_size=self.patch_size,
            augment=self.augment,
            drawn=True,
            bright=(bright.items or items) if self.unpaired else (),
        )
        if self.stages and self.resize is None:
            last = Stage(1, self.patch_size, self.batch_size)
            whole = [one for one in [*self.stages, last] if one.patch_size is None and one.resize is None]
            if any(one.epochs and one.batch_size > 1 for one in whole):
                # Sizes that differ would otherwise fail only after the earlier stages.
                check_alike({item.name: train.size(index) for index, item in enumerate(items)})
        self.datasets |= {"train": train, "val": val}

    def _held_out(
        self, items: Sequence[PairItem], groups: Sequence[Sequence[int]], validated: Collection[str]
    ) -> set[int]:
        """Return the indices of the training pairs that are held out of sets without validation pairs."""
        if self.split == "by_file":
            return set(hold_out_files(len(items), self.val_fraction, self.seed))
        sets = [set_of(item.name) for item in items]
        return set(hold_out_scenes(groups, sets, self.val_fraction, self.seed, validated))

    def _bright(self, items: Sequence[PairItem]) -> PairDataset:
        """Return the bright photographs of unpaired training; empty where training references are drawn."""
        if not self.unpaired:
            return PairDataset(())
        if self.patch_size is None and self.resize is None:
            raise ValueError("unpaired training needs images of one size: set data.patch_size or data.resize")
        return checked(bright_images(self.bright, items), self.cache, resize=self.resize)

    def scene_labels(self, split: Split) -> dict[str, str]:
        """Return the scene of each image of a split that is set up, keyed by image name.

        A scene is known by its label, or else by the name of its first image.
        """
        dataset = self.datasets[split]
        groups = dataset.scene_groups()
        first = [(index, dataset.items[group[0]]) for group in groups for index in group]
        return {
            dataset.items[index].name: item.scene or item.name
            for index, item in sorted(first, key=lambda pair: pair[0])
        }

    def image_file(self, name: str) -> str:
        """Return an enhanced image's file name: ``<stem>.png``, or ``<set>/<stem>.png`` for several sets."""
        return f"{name.partition('/')[2] if len(self.sets) == 1 else name}.png"

    def _items(self, split: Split) -> list[PairItem]:
        if self.split != "by_file":
            return self._published(split)
        train, test = by_file([*self._published("train"), *self._published("val")], self._published("test"))
        return {"train": train, "val": [], "test": test}[split]

    def _published(self, split: Split) -> list[PairItem]:
        return [item for name, pairs in self.sets.items() for item in pairs.items(split, name)]

    def _refuse_missing(self, split: Split) -> None:
        places = ", ".join(f"{name} ({pairs})" for name, pairs in self.sets.items())
        raise ValueError(f"there is no {split} split in {places}; give data.root a folder that has one")

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of the data: a digest of the images' names in each split."""
        names: dict[str, list[str]] = {
            split: [item.name for item in data.items] for split, data in self.datasets.items()
        }
        if self.bright is not None and "train" in self.datasets:
            names["bright"] = [item.name for item in self.datasets["train"].bright]
        return {split: digest_of(one) for split, one in names.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuse to go on from a checkpoint of other images: :func:`lowlight.data.splits.check_digests`."""
        check_digests(state_dict, self.state_dict(), ", ".join(self.sets))

    def train_dataloader(self) -> DataLoader[Pair]:
        """Return the loader of shuffled training batches, of the next epoch if training is progressive.

        Raises:
            ValueError: If training is progressive but the trainer does not reload the loader every epoch.
        """
        epoch = self._next_epoch()
        dataset, batch_size = copy(self.datasets["train"]), self.batch_size
        if self.stages and getattr(self.trainer, "reload_dataloaders_every_n_epochs", 1) != 1:
            raise ValueError("progressive training needs Trainer(reload_dataloaders_every_n_epochs=1)")
        if stage := stage_of(self.stages, epoch):
            dataset.patch_size, batch_size = stage.patch_size, stage.batch_size
            dataset.resize = stage.resize or dataset.resize
        sampler = EpochSampler(dataset, self.seed, self.epoch_size, self.weights)
        sampler.set_epoch(epoch)  # Lightning does so too late for the loader processes of a resumed run
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            drop_last=len(sampler) > batch_size,
            collate_fn=collate,
            **self._workers(),
        )

    def _next_epoch(self) -> int:
        """Return the epoch to be trained next, counted from 0; 0 without a trainer.

        When a resumed trainer requests the loader, its ``current_epoch`` is still the previous one.
        """
        if self.trainer is None:
            return 0
        return int(self.trainer.fit_loop.epoch_progress.current.processed)  # type: ignore[attr-defined]

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:  # noqa: ARG002
        """Apply mixup to training batches, if set."""
        is_training = self.trainer is not None and self.trainer.training
        return batch if self.mixup is None or not is_training else mix(batch, self.mixup)

    def val_dataloader(self) -> DataLoader[Pair] | list[Any]:
        """Return the loader of single validation images, or an empty list if none are held out."""
        return self._one_by_one("val") if len(self.datasets["val"]) else []

    def test_dataloader(self) -> DataLoader[Pair]:
        """Return the loader of single test images."""
        return self._one_by_one("test")

    def _one_by_one(self, split: Split) -> DataLoader[Pair]:
        return DataLoader(self.datasets[split], batch_size=1, collate_fn=collate, **self._workers())

    def _workers(self) -> dict[str, Any]:
        """Return the arguments that all loaders share.

        A loader draws the seed of its processes from its generator once per epoch, except in the first epoch
        of a resumed run. With the global generator, dropout would then differ after resuming.
        """
        return {
            "generator": torch.Generator().manual_seed(self.seed),
            "num_workers": self.num_workers,
            "persistent_workers": self.num_workers > 0,
            "pin_memory": torch.cuda.is_available(),
        }

    def describe(self) -> dict[str, Any]:
        """Return, as plain containers, the images of the splits set up so far and their preparation."""
        images = {split: len(dataset) for split, dataset in self.datasets.items()}
        sets: dict[str, dict[str, Any]] = {name: {"source": str(pairs)} for name, pairs in self.sets.items()}
        for split, dataset in self.datasets.items():
            for name, count in Counter(set_of(item.name) for item in dataset.items).items():
                sets[name][split] = count
        return {
            "split": self.split,
            "sets": sets,
            "images": images,
            "scene_groups": dict(self._scenes),
            **({"leak": self._leak} if self._leak else {}),
            "batch_size": self.batch_size,
            "epoch_size": self.epoch_size,
            **({"weights": self.weights} if self.weights else {}),
            "patch_size": self.patch_size,
            "resize": self.resize,
            "progressive": [asdict(stage) for stage in self.stages],
            "augment": self.augment,
            "mixup": self.mixup,
            **({"bright": str(self.bright or REFERENCES)} if self.unpaired else {}),
            "val_fraction": self.val_fraction,
            "eval_size": self.eval_size,
            "seed": self.seed,
        }
