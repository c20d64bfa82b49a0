"""EnlightenGAN: its losses, its optimizers, and training on folders of dark and of bright photographs."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lowlight.checkpoints.load import load
from lowlight.config import load_config
from lowlight.data import PairDataModule
from lowlight.images import Batch
from lowlight.losses import l1
from lowlight.methods import EnlightenGAN
from lowlight.methods.enlighten_gan import relativistic
from lowlight.training import train
from tests.conftest import photograph
from tests.tiny import TINY, tiny
from tests.tiny_runs import QUICK


class Level(nn.Module):
    """Score an image by its mean, times one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, image: Tensor) -> Tensor:
        return self.weight * image.mean((1, 2, 3))


class Levels(nn.Module):
    """Two discriminators of one weight each."""

    def __init__(self) -> None:
        super().__init__()
        self.whole, self.patch = Level(), Level()


class Brighten(nn.Module):
    """Multiply by one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, low: Tensor) -> Tensor:
        return low * self.weight


def flat(*levels: float) -> Tensor:
    """Make uniform images, one per level, whose patches all look alike."""
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, 20, 24).contiguous()


def enlighten_gan(*overrides: str) -> EnlightenGAN:
    method = tiny("enlighten_gan", *overrides)
    assert isinstance(method, EnlightenGAN)
    return method


def test_relativistic_scores_by_hand() -> None:
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0])  # relative to the others: .5, 2.5; -2, -1
    judging = ((0.5**2 + 1.5**2) / 2 + (4 + 1) / 2) / 2
    generating = ((0.5**2 + 2.5**2) / 2 + (9 + 4) / 2) / 2
    assert relativistic(real, fake, generating=False).item() == pytest.approx(judging)
    assert relativistic(real, fake, generating=True).item() == pytest.approx(generating)


def test_both_objectives_are_the_published_sums() -> None:
    method = EnlightenGAN(Brighten(), Levels(), preserving=l1, preserving_weight=3.0, patch_size=8)
    batch: Batch = {"low": flat(0.1, 0.2), "high": flat(0.6, 0.8), "name": ["a", "b"]}
    restored = flat(0.3, 0.5)  # whose mean is 0.4; that of the bright images is 0.7
    whole = ((0.2**2 + 0.4**2) / 2 + (1.4**2 + 1.2**2) / 2) / 2
    patch = (0.7**2 + 0.5**2) / 2
    preserved = 3 * 2 * (0.2 + 0.3) / 2
    assert method.loss(restored, batch).item() == pytest.approx(whole + patch + preserved, abs=1e-5)
    whole = ((0.8**2 + 0.6**2) / 2 + (0.4**2 + 0.2**2) / 2) / 2
    patch = ((0.4**2 + 0.2**2) / 2 + (0.3**2 + 0.5**2) / 2) / 2
    loss, accuracy = method.judge(restored, batch)
    assert loss.item() == pytest.approx(whole + patch, abs=1e-5)
    # Of the relative scores only the enhanced ones are right; of the patches both bright ones and one other.
    assert accuracy.item() == pytest.approx((2 + 6 * (2 + 1)) / (4 + 6 * 4))


def test_patches_are_at_one_place_of_all_images_and_at_fixed_places_in_evaluation() -> None:
    method = EnlightenGAN(Brighten(), Levels(), patch_size=8, patches=4)
    image = torch.rand(3, 3, 20, 24)
    one, other = method.cut(image, image + 1)
    assert one.shape == (12, 3, 8, 8)
    torch.testing.assert_close(one + 1, other)
    windows = image.unfold(2, 8, 1).unfold(3, 8, 1)
    assert (windows[0].movedim(0, 2) == one[0]).flatten(2).all(-1).any()
    assert not torch.equal(method.cut(image)[0], one)
    method.eval()
    assert torch.equal(method.cut(image)[0], method.cut(image)[0])
    assert method.cut(torch.rand(1, 3, 5, 30))[0].shape == (4, 3, 5, 8)


def unpaired_batch() -> Batch:
    """Return dark images and bright ones of other scenes."""
    low, high = torch.rand(2, 4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return {"low": low / 5, "high": 0.4 + high / 2, "name": list("abcd"), "has_reference": False}


def fit(method: EnlightenGAN, steps: int = 1) -> pl.Trainer:
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(method, DataLoader([unpaired_batch()] * steps, batch_size=None))  # type: ignore[arg-type]
    return trainer


@pytest.mark.parametrize("trained", ["net", "discriminator"])
def test_each_optimizer_changes_its_own_network_only(trained: str) -> None:
    sgd = [partial(torch.optim.SGD, lr=0.5 if trained == part else 0.0) for part in ("net", "discriminator")]
    source = enlighten_gan()
    method = EnlightenGAN(
        source.net, source.discriminator, patch_size=16, optimizer=sgd[0], discriminator_optimizer=sgd[1]
    )
    before = {key: weight.detach().clone() for key, weight in method.named_parameters()}
    fit(method)
    changed = {key: not torch.equal(before[key], weight) for key, weight in method.named_parameters()}
    assert changed == {key: key.startswith(trained) for key in before}


def test_the_generators_step_leaves_no_gradient_in_the_discriminators() -> None:
    method = enlighten_gan()
    batch = unpaired_batch()
    restored = method.restore(batch["low"])
    loss, _ = method.judge(restored.detach(), batch)
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is None for weight in method.net.parameters())
    assert all(weight.grad is not None for weight in method.discriminator.parameters())


@pytest.mark.slow
def test_the_discriminators_learn_and_the_generator_deceives_them_by_brightening() -> None:
    method = enlighten_gan("method.optimizer.lr=1e-2", "method.discriminator_optimizer.lr=0")
    batch = unpaired_batch()
    optimizer = torch.optim.Adam(method.discriminator.parameters(), lr=3e-3)
    for _ in range(40):
        loss, accuracy = method.judge(batch["low"], batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert accuracy > 0.7
    before = method.loss(method.restore(batch["low"]), batch)
    metrics = fit(method, 30).callback_metrics
    after = method.train().loss(method.restore(batch["low"]), batch)
    assert after < before - 0.1
    assert method.restore(batch["low"]).mean() > 1.1 * batch["low"].mean()
    assert {"train/generator_loss", "train/discriminator_loss", "train/discriminator_accuracy"} <= set(
        metrics
    )
    assert "train/psnr" not in metrics  # there is nothing to compare with


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"discriminator": Level()}, "Level does not judge whole images and patches apart"),
        ({"patch_size": 0}, "patch_size=0 and patches=6 must be at least 1"),
        ({"patches": 0}, "patches=0"),
        ({"preserving_weight": -1.0}, "preserving_weight=-1.0 at least 0"),
        ({"accumulate": 0}, "accumulate must be"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EnlightenGAN(**{"net": Brighten(), "discriminator": Levels()} | settings)


def config(root: Path, out: Path, *more: str, data: str = "unpaired") -> DictConfig:
    name = "enlighten_gan"
    overrides = [f"method={name}", *TINY[name], f"data={data}", f"data.root={root}", *QUICK]
    return load_config([*overrides, f"output_dir={out}", "trainer.max_epochs=1", "data.patch_size=32", *more])


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return folders of three dark and of two bright photographs of other scenes, of other sizes."""
    for kind, seeds, size in (("dark", range(3), (40, 50)), ("bright", range(10, 12), (64, 36))):
        (tmp_path / kind).mkdir()
        for seed in seeds:
            pixels = photograph(seed, *size) // (4 if kind == "dark" else 1)
            Image.fromarray(pixels).save(tmp_path / kind / f"{seed}.png")
    return tmp_path / "dark", tmp_path / "bright"


def test_trains_on_two_folders_and_is_scored_on_pairs(
    folders: tuple[Path, Path], lol: Path, tmp_path: Path
) -> None:
    dark, bright = folders
    more = [f"data.bright={bright}", f"data.layout.pairs={lol}", "data.layout.val_pairs=2"]
    metrics = train(config(dark, tmp_path / "run", *more))
    assert metrics["val/psnr"] > 5
    assert metrics["images"] == 2
    assert load(tmp_path / "run").enhance(torch.rand(1, 3, 5, 7)).shape == (1, 3, 5, 7)
    assert f'"bright": "{bright}"' in (tmp_path / "run" / "manifest.json").read_text()


def test_trains_on_pairs_as_if_they_were_none(lol: Path, tmp_path: Path) -> None:
    train(config(lol, tmp_path / "run", data="lol"))
    assert '"bright": "references of the training images"' in (tmp_path / "run/manifest.json").read_text()
    assert "train/psnr" not in (tmp_path / "run" / "metrics.csv").read_text()


def test_without_bright_photographs_it_does_not_start(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"dark/\d has no bright counterpart to learn from: set data\.bright=FOLDER"
    ):
        train(config(folders[0], tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_training_does_not_go_on_with_other_bright_photographs(
    folders: tuple[Path, Path], lol: Path
) -> None:
    def data() -> PairDataModule:
        module = PairDataModule(lol, patch_size=16, bright=folders[1])
        module.unpair()
        module.setup("fit")
        return module

    before = data().state_dict()
    data().load_state_dict(before)
    (folders[1] / "10.png").rename(folders[1] / "new.png")
    with pytest.raises(ValueError, match=r"LOL: other images are in data\.bright than when this run began:"):
        data().load_state_dict(before)
    del before["bright"]  # as in earlier checkpoints
    data().load_state_dict(before)


def test_data_for_unpaired_training_pass_by_lightning_alone(lol: Path) -> None:
    data = PairDataModule(lol, batch_size=2, patch_size=32)
    data.unpair()
    data.setup("fit")
    (batch, *_) = data.train_dataloader()
    method = enlighten_gan()
    assert method.loss(method.restore(batch["low"]), batch).isfinite()
