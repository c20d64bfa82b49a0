"""The data module finds, checks, divides and loads; a resumed training sees what an unbroken one sees."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor
from torch.utils.data import DataLoader

from lowlight.config import load_config
from lowlight.data import DarkenedPhotographs, PairDataModule, PairedFolder
from lowlight.images import Batch, read_image

Write = Callable[..., Path]

STEMS = [str(index) for index in range(10)]


@pytest.fixture
def lol(write_pairs: Write) -> Path:
    """Write ten training and two test pairs in LOL's layout."""
    write_pairs(split="eval15", stems=["20", "21"], size=(23, 17))
    return write_pairs(stems=STEMS, size=(40, 32))


def names(loader: DataLoader[Any] | list[Any]) -> list[str]:
    return [name for batch in loader for name in batch["name"]]


def test_a_root_is_all_it_needs(lol: Path) -> None:
    data = PairDataModule(root=lol)
    data.setup()
    (batch,) = data.train_dataloader()
    assert batch["low"].shape == batch["high"].shape == (9, 3, 128, 128)
    assert len(names(data.val_dataloader())) == 1
    assert sorted(names(data.train_dataloader()) + names(data.val_dataloader())) == [
        f"LOL/{s}" for s in STEMS
    ]
    first, _ = data.test_dataloader()
    assert first["name"] == ["LOL/20"]
    assert torch.equal(first["high"][0], read_image(lol / "eval15/high/20.png"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_looking_at_many_images_keeps_no_file_open(lol: Path) -> None:
    data = PairDataModule(root=lol)
    data.setup()
    before = len(list(Path("/proc/self/fd").iterdir()))
    thumbnails = data.datasets["train"].thumbnails()  # from the cache
    assert len(thumbnails) == 9
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_with_nothing_given_it_is_the_embedded_photographs() -> None:
    assert isinstance(PairDataModule().sets["synthetic"], DarkenedPhotographs)


def test_testing_needs_no_training_images(write_pairs: Write) -> None:
    data = PairDataModule(root=write_pairs(split="eval15"))
    data.setup("test")
    assert len(data.test_dataloader()) == 4
    with pytest.raises(ValueError, match=r"there is no train split in LOL \(.*\); give data\.root"):
        data.setup("fit")


def test_training_needs_no_test_images(write_pairs: Write) -> None:
    data = PairDataModule(root=write_pairs())
    data.setup("fit")
    with pytest.raises(ValueError, match="there is no test split"):
        data.setup("test")


def test_sets_are_joined_and_named(write_pairs: Write) -> None:
    data = PairDataModule(
        root=[write_pairs("LOL"), write_pairs("own", split="Train", folders=("input", "gt"), stems=["1"])],
        sets={"embedded": DarkenedPhotographs(views=1, test_views=1, exposures=1)},
        val_fraction=0,
    )
    data.setup("fit")
    found = names(data.train_dataloader())
    assert {name.split("/")[0] for name in found} == {"LOL", "own", "embedded"}
    assert len(found) == len(set(found)) == 4 + 1 + 4


def test_two_sets_of_one_name_are_refused(write_pairs: Write) -> None:
    with pytest.raises(ValueError, match="two sets are called 'LOL'"):
        PairDataModule(root=[write_pairs("LOL"), write_pairs("copy/LOL")])
    with pytest.raises(ValueError, match="a set cannot be called 'a/b'"):
        PairDataModule(sets={"a/b": PairedFolder(".")})


def test_scenes_stay_on_one_side(write_pairs: Write, write: Write) -> None:
    root = write_pairs(stems=STEMS)
    for stem in STEMS[5:]:
        write(root / f"our485/high/{stem}.png", 2 * int(stem) - 9)  # the scene of stem - 5
    data = PairDataModule(root=root, val_fraction=0.2)
    data.setup("fit")
    held_out = {name.removeprefix("LOL/") for name in names(data.val_dataloader())}
    assert len(held_out) == 2
    assert len({int(stem) % 5 for stem in held_out}) == 1
    assert data.describe()["scene_groups"] == {"train": 4, "val": 1}


def test_a_validation_split_of_its_own_is_used(write_pairs: Write) -> None:
    root = write_pairs()
    write_pairs(split="val", stems=["90"])
    data = PairDataModule(root=root)
    data.setup("fit")
    assert names(data.val_dataloader()) == ["LOL/90"]
    assert len(names(data.train_dataloader())) == 4


def test_a_joined_set_with_validation_images_does_not_end_that_of_the_others(
    write_pairs: Write, write: Write, tmp_path: Path
) -> None:
    own, other, lone = write_pairs("own"), write_pairs("other", stems=STEMS), write_pairs("lone", stems=["1"])
    write_pairs("own", split="val", stems=["90", "91"])
    for number, root in enumerate((own, other, lone)):
        for path in sorted(root.glob("our485/high/*")):
            write(path, 1000 * number + int(path.stem))  # no scene is in two sets
    write(own / "our485/high/1.png", 1003)  # but this one, which own trains on and other must not hold out
    data = PairDataModule([own, other, lone], val_fraction=0.4)
    data.setup("fit")
    held_out = names(data.val_dataloader())
    trained = {item.name for item in data.datasets["train"].items}
    assert held_out[:2] == ["own/90", "own/91"]
    assert [name.split("/")[0] for name in held_out[2:]] == ["other"] * len(held_out[2:])
    assert len(held_out) == 2 + 4
    assert "other/3" in trained
    assert trained.isdisjoint(held_out)
    assert data.describe()["scene_groups"] == {"train": 14 - 4, "val": 2 + 4}


def test_validation_can_be_left_out(lol: Path) -> None:
    data = PairDataModule(root=lol, val_fraction=0)
    data.setup("fit")
    assert data.val_dataloader() == []
    assert len(names(data.train_dataloader())) == 10
    with pytest.raises(ValueError, match=r"val_fraction=1 must be in \[0, 1\)"):
        PairDataModule(root=lol, val_fraction=1)


def test_one_scene_cannot_be_divided(write_pairs: Write) -> None:
    data = PairDataModule(root=write_pairs(stems=["1"]))
    with pytest.raises(ValueError, match=r"set data\.val_fraction=0"):
        data.setup("fit")


def test_only_full_batches_are_trained_unless_there_is_one(lol: Path) -> None:
    for batch_size, sizes in ((3, [3, 3, 3]), (4, [4, 4]), (10, [10]), (16, [10])):
        data = PairDataModule(root=lol, val_fraction=0, patch_size=8, batch_size=batch_size)
        data.setup("fit")
        assert [len(batch["name"]) for batch in data.train_dataloader()] == sizes


def test_resizing_is_for_training_and_eval_size_for_the_rest(lol: Path) -> None:
    data = PairDataModule(root=lol, patch_size=None, resize=8)
    data.setup()
    assert next(iter(data.train_dataloader()))["low"].shape == (9, 3, 8, 8)
    assert next(iter(data.val_dataloader()))["low"].shape == (1, 3, 32, 40)
    data = PairDataModule(root=lol, eval_size=16)
    data.setup()
    assert next(iter(data.test_dataloader()))["low"].shape == (1, 3, 16, 16)


@pytest.mark.parametrize("cache", [True, False])
def test_unequal_sizes_are_found_at_set_up(lol: Path, cache: bool, write: Write) -> None:
    for stem in STEMS[:7]:
        write(lol / f"our485/high/{stem}.png", 0, (20, 16))
    with pytest.raises(
        ValueError, match=r"7 of 10 pairs.*LOL/4: low is 40x32 pixels but high is 20x16; and 2 more\. "
    ):
        PairDataModule(root=lol, cache=cache).setup("fit")


def test_damaged_files_are_found_at_set_up(lol: Path) -> None:
    truncated = lol / "our485/low/3.png"
    truncated.write_bytes(truncated.read_bytes()[:-500])
    (lol / "our485/high/4.png").write_bytes(b"not an image")
    with pytest.raises(
        ValueError, match=r"^2 of 10 pairs cannot be used: .*3\.png: .*4\.png: .*\. Replace these"
    ):
        PairDataModule(root=lol).setup("fit")


def test_a_damaged_test_file_is_found_before_training(lol: Path) -> None:
    (lol / "eval15/low/20.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"1 of 2 pairs cannot be used: .*20\.png"):
        PairDataModule(root=lol).setup("fit")


def test_without_a_cache_a_truncated_file_is_named_when_it_is_read(lol: Path) -> None:
    truncated = lol / "eval15/low/20.png"
    truncated.write_bytes(truncated.read_bytes()[:-500])
    data = PairDataModule(root=lol, cache=False)
    data.setup("test")
    with pytest.raises(ValueError, match=r"20\.png: "):
        names(data.test_dataloader())


def test_an_unwritable_cache_is_one_warning(lol: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = PairDataModule(root=lol, cache_dir=lol / "our485/low/1.png", patch_size=8)
    with caplog.at_level(logging.WARNING, "lowlight"):
        data.setup()
        assert len(names(data.train_dataloader())) == 9
    assert len(caplog.records) == 1


def test_batches_are_equal_for_any_number_of_workers(lol: Path) -> None:
    def batches(workers: int) -> list[Batch]:
        data = PairDataModule(root=lol, patch_size=16, batch_size=3, num_workers=workers, seed=5)
        data.setup("fit")
        loader = data.train_dataloader()
        found = []
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
            found += list(loader)
        return found

    torch.manual_seed(0)
    alone = batches(0)
    torch.manual_seed(1)
    shared = batches(2)
    assert len(alone) == len(shared) == 6
    for one, other in zip(alone, shared, strict=True):
        assert one["name"] == other["name"]
        assert torch.equal(one["low"], other["low"])
        assert torch.equal(one["high"], other["high"])


class Recorder(pl.LightningModule):
    """A module that hardly learns and records its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.seen: list[tuple[int, list[str], float]] = []

    def training_step(self, batch: Batch) -> Tensor:
        self.seen.append((self.current_epoch, list(batch["name"]), batch["low"].mean().item()))
        return torch.nn.functional.l1_loss(self.gain * batch["low"], batch["high"])

    def validation_step(self, batch: Batch) -> None:
        pass

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-3)


def fit(root: Path, folder: Path, epochs: int, checkpoint: Path | None = None) -> Recorder:
    recorder = Recorder()
    callback = pl.callbacks.ModelCheckpoint(folder, save_last=True)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[callback],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = PairDataModule(root=root, patch_size=16, batch_size=3)
    trainer.fit(recorder, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    return recorder


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_training_sees_the_batches_of_an_unbroken_one(lol: Path, tmp_path: Path) -> None:
    unbroken = fit(lol, tmp_path / "unbroken", 4)
    fit(lol, tmp_path / "broken", 2)
    resumed = fit(lol, tmp_path / "broken", 4, tmp_path / "broken" / "last.ckpt")
    assert [epoch for epoch, *_ in unbroken.seen] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert resumed.seen == unbroken.seen[6:]
    assert torch.equal(resumed.gain, unbroken.gain)


@pytest.mark.filterwarnings("ignore")
def test_a_training_does_not_go_on_with_other_images(lol: Path, write_pairs: Write, tmp_path: Path) -> None:
    fit(lol, tmp_path / "run", 2)
    write_pairs(stems=[*STEMS, "10"], size=(40, 32))
    with pytest.raises(
        ValueError, match=r"LOL: other images are in train( and val)? than when this run began"
    ):
        fit(lol, tmp_path / "run", 4, tmp_path / "run" / "last.ckpt")


def test_the_description_is_plain(lol: Path) -> None:
    data = PairDataModule(root=lol)
    data.setup()
    description = data.describe()
    assert OmegaConf.to_container(OmegaConf.create(description)) == description
    assert description["sets"] == {"LOL": {"source": str(lol), "train": 9, "val": 1, "test": 2}}
    assert description["images"] == {"train": 9, "val": 1, "test": 2}
    assert description["split"] == "standard"


def compose(name: str, **overrides: object) -> PairDataModule:
    config = load_config([f"data={name}", "seed=3"])
    module = instantiate(OmegaConf.merge(config, {"data": overrides}).data)
    assert isinstance(module, PairDataModule)
    assert module.seed == 3
    return module


@pytest.mark.parametrize("name", ["lol", "pairs"])
def test_configs_of_paired_folders_load_them(name: str, write_pairs: Write) -> None:
    roots = [str(write_pairs(root, split="train", suffix=".bmp")) for root in ("a", "b")]
    data = compose(name, root=roots, val_fraction=0)
    data.setup("fit")
    assert len(names(data.train_dataloader())) == 8


def test_the_config_of_darkened_photographs_loads_a_folder(tmp_path: Path, write: Write) -> None:
    for index in range(5):
        write(tmp_path / "photos" / f"{index}.png", index, (40, 30))
    data = compose("darkened", root=str(tmp_path / "photos"))
    data.setup()
    assert data.describe()["images"] == {"train": 3, "val": 1, "test": 1}


def test_the_synthetic_config_is_the_default_of_the_data_module() -> None:
    (configured,) = compose("synthetic").sets.values()
    for split in ("train", "val", "test"):
        assert configured.items(split, "s") == PairDataModule().sets["synthetic"].items(split, "s")


def test_the_embedded_data_trains_a_batch(tmp_path: Path) -> None:
    data = PairDataModule(
        sets={"synthetic": DarkenedPhotographs(views=1, test_views=1, exposures=1)}, batch_size=2
    )
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert batch["low"].shape == (2, 3, 128, 128)
    assert batch["low"].mean() < batch["high"].mean()
    assert np.isfinite(batch["low"].numpy()).all()


def test_an_epoch_has_the_size_that_is_asked_for(lol: Path) -> None:
    data = PairDataModule(lol, epoch_size=11, batch_size=4, patch_size=16, val_fraction=0)
    data.setup("fit")
    assert [len(batch["name"]) for batch in data.train_dataloader()] == [4, 4]  # of 6 pairs; 3 dropped
    with pytest.raises(ValueError, match=r"data\.epoch_size=0 must be at least 1 sample"):
        PairDataModule(lol, epoch_size=0)
