"""Which stage learns when, and from what."""

from typing import Any

import pytest
import torch
from pytorch_lightning import seed_everything
from torch import Tensor

from lowlight.colour import luminance
from lowlight.images import Batch
from lowlight.methods import TwoStages
from lowlight.networks import CoarseToFine
from lowlight.networks.coarse_to_fine import Scene


def two_stages(coarse_epochs: int, **options: Any) -> TwoStages:
    seed_everything(0)
    net = CoarseToFine(8, (8, 8), (8, 8), dropout=0)
    method = TwoStages(net, coarse_epochs, patch_size=16, patches=2, **options)
    method.record = lambda *_: None  # type: ignore[method-assign]  # without a trainer
    return method


def a_batch() -> Batch:
    high = torch.rand(2, 3, 32, 48)
    return {"low": high / 8, "high": high, "name": ["a", "b"]}


@pytest.mark.parametrize("coarse_epochs", [0, 1])
def test_a_step_trains_the_stage_whose_turn_it_is(coarse_epochs: int) -> None:
    method = two_stages(coarse_epochs)
    method.training_step(a_batch(), 0).backward()
    learning, resting = method.net.coarse, method.net.fine
    if coarse_epochs == 0:
        learning, resting = resting, learning
    assert all(weight.grad is not None for weight in learning.parameters())
    assert all(weight.grad is None for weight in resting.parameters())


@pytest.mark.parametrize("reference_exposure", [True, False])
def test_the_fine_stage_learns_under_the_references_exposure(
    reference_exposure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, batch = two_stages(0, reference_exposure=reference_exposure, brighten=0), a_batch()
    scenes: list[Scene] = []
    prepare = method.net.prepare

    def noting(low: Tensor, scene: Scene, *windows: Any) -> tuple[Tensor, Tensor]:
        scenes.append(scene)
        return prepare(low, scene, *windows)

    monkeypatch.setattr(method.net, "prepare", noting)
    batch["high"] = batch["high"] * torch.tensor([0.4, 0.8]).reshape(2, 1, 1, 1)
    method.training_step(batch, 0)
    means, own, references = (
        luminance(image).mean(dim=(1, 2))
        for image in (scenes[0].bright, method.net.scene(batch["low"]).bright, batch["high"])
    )
    wanted = references if reference_exposure else own
    torch.testing.assert_close(means, wanted, rtol=1e-3, atol=0)
    assert (own - references).abs().max() > 0.05


def test_the_fine_stage_learns_references_of_other_exposures(monkeypatch: pytest.MonkeyPatch) -> None:
    method, batch = two_stages(0, reference_stops=1.0, brighten=0), a_batch()
    seen: list[tuple[Tensor, Tensor]] = []
    refine = method.net.refine

    def noting(features: Tensor, coarse: Tensor) -> Tensor:
        seen.append((features, coarse))
        return refine(features, coarse)

    targets: list[Tensor] = []
    monkeypatch.setattr(method.net, "refine", noting)
    method.loss_function = lambda enhanced, high: targets.append(high) or (enhanced - high).abs().mean()
    for _ in range(8):
        method.training_step(batch, 0)
    means = torch.stack([high.mean() for high in targets])
    assert means.std() > 0.03
    coarse = torch.stack([coarse.mean() for _, coarse in seen])
    torch.testing.assert_close(coarse, means, atol=0.06, rtol=0)  # crops of images whose means are equal


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_the_dark_images_is_brightened_in_parts(share: float) -> None:
    method = two_stages(1, brighten=share)
    high = 0.1 + 0.9 * torch.rand(200, 3, 8, 8)
    low = high / 8
    after = method._brightened({"low": low, "high": high, "name": [""] * 200})
    assert after["high"].equal(high)
    weights = (after["low"] - low) / (high - low)
    assert weights.amin() >= 0
    assert weights.amax() <= 1 + 1e-5
    brightened = weights.amax(dim=(1, 2, 3)) > 1e-3
    assert brightened.float().mean() == pytest.approx(share, abs=0.1)
    if share == 1:
        assert weights.mean() == pytest.approx(0.5, abs=0.1)
        assert weights.amin(dim=(1, 2, 3)).amax() < 0.6  # a part stays dark
        assert (weights.amax(dim=(1, 2, 3)) - weights.amin(dim=(1, 2, 3)) > 0.5).float().mean() > 0.5
