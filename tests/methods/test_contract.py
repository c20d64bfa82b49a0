"""What must hold for every method of conf/method."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowlight.checkpoints.load import load
from lowlight.config import available
from lowlight.images import Batch
from lowlight.methods import GAN
from tests.tiny import LEARNT, TINY, tiny

ALONE = [name for name in LEARNT if not name.endswith("gan")]
"""Methods whose training step needs no trainer: those of one optimizer."""


def test_every_method_has_a_tiny_version() -> None:
    assert available("method") == sorted(TINY)


@pytest.mark.parametrize("name", available("method"))
def test_enhance_keeps_any_size_and_stays_in_range(name: str) -> None:
    method = tiny(name).eval()
    for size in ((1, 1), (1, 40), (17, 23), (32, 32)):
        low = torch.rand(2, 3, *size)
        enhanced = method.enhance(low)
        assert enhanced.shape == low.shape
        assert enhanced.dtype == torch.float32
        assert enhanced.min() >= 0
        assert enhanced.max() <= 1


@pytest.mark.parametrize("name", LEARNT)
def test_enhance_is_as_in_evaluation_also_amid_training(name: str) -> None:
    method = tiny(name).train()
    before = {key: weight.clone() for key, weight in method.state_dict().items()}
    low = torch.rand(1, 3, 1, 5)
    assert method.enhance(low).equal(method.enhance(low))
    assert all(torch.equal(before[key], weight) for key, weight in method.state_dict().items())
    assert method.net.training


@pytest.mark.parametrize("name", available("method"))
def test_enhance_refuses_what_is_no_image_batch(name: str) -> None:
    with pytest.raises(ValueError, match="low must be RGB float"):
        tiny(name).enhance(torch.rand(3, 8, 8))


@pytest.mark.parametrize("name", LEARNT)
def test_every_parameter_of_the_image_network_gets_a_gradient(name: str) -> None:
    method = tiny(name)
    batch: Batch = {"low": torch.rand(2, 3, 64, 64) / 4, "high": torch.rand(2, 3, 64, 64), "name": ["a", "b"]}
    method.loss(method.restore(batch["low"]), batch).backward()
    trained = {key: weight for key, weight in method.net.named_parameters() if weight.requires_grad}
    assert [key for key, weight in trained.items() if weight.grad is None] == []
    assert all(weight.grad.isfinite().all() for weight in trained.values())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, ()) for name in ALONE),
        ("coarse_to_fine", ("method.coarse_epochs=0",)),  # the second stages
        ("retinexnet", ("method.decomposition_epochs=0",)),
    ],
)
def test_a_training_step_runs_what_was_compiled(
    name: str, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    method = tiny(name, *options)
    depth, calls = 0, {True: 0, False: 0}

    def compiling(function: Callable[..., Any], **_: Any) -> Callable[..., Any]:
        def compiled(*arguments: Any, **named: Any) -> Any:
            nonlocal depth
            depth += 1
            try:
                return function(*arguments, **named)
            finally:
                depth -= 1

        return compiled

    def note(*_: Any) -> None:
        calls[depth > 0] += 1

    monkeypatch.setattr(torch, "compile", compiling)
    method.net.compile()
    for module in method.net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_pre_hook(note)
    batch: Batch = {"low": torch.rand(2, 3, 64, 64) / 4, "high": torch.rand(2, 3, 64, 64), "name": ["a", "b"]}
    method.training_step(batch, 0)
    assert calls[True] > 4 * calls[False]


@pytest.mark.parametrize("name", [name for name in ALONE if name != "sci"])  # whose losses are its own
def test_a_loss_that_takes_the_network_gets_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method, given = tiny(name), []

    def loss(enhanced: Tensor, high: Tensor, net: nn.Module) -> Tensor:
        given.append(net)
        return (enhanced - high).abs().mean()

    assert hasattr(method, "loss_function")
    monkeypatch.setattr(method, "loss_function", loss)
    low = torch.rand(2, 3, 64, 64) / 4
    method.loss(method.restore(low), {"low": low, "high": 2 * low, "name": ["a", "b"]})
    assert given == [method.net]


def test_every_parameter_of_the_discriminator_gets_a_gradient() -> None:
    method = tiny("gan")
    assert isinstance(method, GAN)
    low, high = torch.rand(2, 3, 64, 64) / 4, torch.rand(2, 3, 64, 64)
    real, fake = method.discriminator(low, high), method.discriminator(low, low)
    method._discriminator_loss(real, fake).backward()
    assert [key for key, weight in method.discriminator.named_parameters() if weight.grad is None] == []
    assert all(weight.grad.isfinite().all() for weight in method.discriminator.parameters())


def test_a_method_says_what_others_need_to_know_of_it() -> None:
    classical, gan = tiny("gamma"), tiny("gan")
    assert not classical.learns
    assert classical.parameter_count == 0
    assert gan.learns
    assert gan.parameter_count == sum(weight.numel() for weight in gan.net.parameters()) > 0


def test_a_network_is_built_saved_and_loaded_by_the_file_it_stands_in(tmp_path: Path) -> None:
    method = tiny("autoencoder", "method.net._target_=lowlight.networks.autoencoder.Autoencoder").eval()
    checkpoint = {"state_dict": method.state_dict()}
    method.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, tmp_path / "best.ckpt")
    low = torch.rand(1, 3, 20, 30)
    assert torch.equal(load(tmp_path).enhance(low), method.enhance(low))
