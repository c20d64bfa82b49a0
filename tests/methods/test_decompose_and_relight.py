"""Which network of a Retinex decomposition learns when, and by which losses."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowlight.checkpoints import build
from lowlight.config import load_config
from lowlight.illumination import structure_smoothness
from lowlight.images import Batch
from lowlight.losses import decomposition_loss, l1
from lowlight.methods import DecomposeAndRelight
from tests.tiny import tiny


def retinexnet(*overrides: str) -> DecomposeAndRelight:
    method = tiny("retinexnet", *overrides)
    assert isinstance(method, DecomposeAndRelight)
    method.record = lambda *_: None  # type: ignore[method-assign]  # without a trainer
    return method


def a_batch(side: int = 16) -> Batch:
    high = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    return {"low": high / 8, "high": high, "name": ["a", "b"]}


def test_the_decomposition_learns_first() -> None:
    method, batch = retinexnet(), a_batch()
    parts = [method.net.decomposition(batch[key]) for key in ("low", "high")]  # type: ignore[literal-required]
    expected = decomposition_loss(batch["low"], batch["high"], *parts)
    loss = method.training_step(batch, 0)
    torch.testing.assert_close(loss, expected)
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None for weight in method.net.decomposition.parameters())
    assert all(weight.grad is None for weight in method.net.relighting.parameters())


def test_then_it_is_frozen_and_the_relighting_learns() -> None:
    method, batch = retinexnet("method.decomposition_epochs=0"), a_batch()
    reflectance, illumination = method.net.decomposition(batch["low"])
    _, adjusted = method.net.relighting(reflectance, illumination)
    expected = l1(reflectance * adjusted, batch["high"]) + 3 * structure_smoothness(adjusted, reflectance)
    loss = method.training_step(batch, 0)
    torch.testing.assert_close(loss, expected)
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is None for weight in method.net.decomposition.parameters())
    assert all(weight.grad is not None for weight in method.net.relighting.parameters())


def test_a_frozen_network_is_left_as_it_is_by_the_optimizer() -> None:
    method, batch = retinexnet("method.decomposition_epochs=0"), a_batch()
    before = [weight.clone() for weight in method.net.decomposition.parameters()]
    optimizer = method.configure_optimizers()
    method.training_step(batch, 0).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    assert all(map(torch.equal, before, method.net.decomposition.parameters()))


@pytest.mark.parametrize("epochs", [0, 1])
def test_images_of_any_size_are_padded(epochs: int) -> None:
    method = retinexnet(f"method.decomposition_epochs={epochs}")
    assert method.training_step(a_batch(13), 0).isfinite()


class Grey(nn.Module):
    """A decomposition of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        light = self.weight * image.mean(1, keepdim=True)
        return image / light.clamp(min=0.01), light


def test_a_follower_is_another_config() -> None:
    """Networks and losses of both stages are the config's."""
    here = "tests.methods.test_decompose_and_relight"
    recipe: Any = load_config(["method=retinexnet", "method.decomposition_epochs=0"]).method
    recipe = {**recipe, "net": {**recipe.net, "decomposition": {"_target_": f"{here}.Grey"}}}
    recipe["loss"] = {"_target_": "lowlight.losses.ssim_loss", "_partial_": True}
    method = build(recipe)
    assert isinstance(method, DecomposeAndRelight)
    method.record = lambda *_: None  # type: ignore[method-assign]
    assert method.training_step(a_batch(), 0).isfinite()
    assert method.enhance(torch.rand(1, 3, 10, 10)).shape == (1, 3, 10, 10)


def test_settings_that_cut_a_stage_short_are_said() -> None:
    chosen = ["method=retinexnet", "data=lol", "data.root=LOL", "trainer.max_epochs=50"]
    config = load_config([*chosen, "callbacks=[default,early_stopping]"])
    first, second = build(config.method).training_problems(config)
    assert "must outlast method.decomposition_epochs=50" in first
    assert "all of trainer.max_epochs=50 train the first stage" in second
    with pytest.raises(ValueError, match="decomposition_epochs=-1 must be at least 0"):
        retinexnet("method.decomposition_epochs=-1")
