"""Training of SCI: its stages, its losses, and that calibration is of the training alone."""

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from lowlight.checkpoints.load import load
from lowlight.checkpoints.originals import load_original_model
from lowlight.cli.export import app as export
from lowlight.illumination import guided_smoothness
from lowlight.images import Batch
from lowlight.methods import SelfCalibrated
from lowlight.networks.sci import SCI, SelfCalibration
from tests.networks.original_formula import dark_image, published_state
from tests.tiny import tiny


def sci(*overrides: str) -> SelfCalibrated:
    method = tiny("sci", *overrides)
    assert isinstance(method, SelfCalibrated)
    method.record = lambda *_: None  # type: ignore[method-assign]  # without a trainer
    return method


def dark_batch() -> Batch:
    low = dark_image(16, 24)
    return {"low": low, "high": torch.full_like(low, torch.nan), "name": ["a"]}


def test_the_loss_is_summed_over_stages_each_on_what_it_was_given() -> None:
    method, batch = sci("method.stages=3").eval(), dark_batch()
    low, given, expected = batch["low"], batch["low"], torch.zeros(())
    for _ in range(3):
        illumination = method.net.illumination(given)
        expected = expected + 1.5 * (illumination - given).square().mean()
        expected = expected + guided_smoothness(illumination, given, 0.1)
        given = low + method.calibration((low / illumination).clamp(0, 1))
    torch.testing.assert_close(method.loss(low, batch), expected)
    torch.testing.assert_close(method.training_step(batch, 0), expected)


def test_the_calibration_is_the_image_minus_an_estimate_of_repeated_blocks() -> None:
    net, image = SelfCalibration(4, layers=2).eval(), dark_image(6, 8)
    features = net.in_conv(image)
    once = features + net.convs(features)
    expected = image - net.out_conv(once + net.convs(once))
    torch.testing.assert_close(net(image), expected)


@pytest.mark.parametrize("stages", [1, 2])
def test_calibration_is_trained_from_the_second_stage_on(stages: int) -> None:
    method = sci(f"method.stages={stages}")
    method.training_step(dark_batch(), 0).backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None for weight in method.net.parameters())
    assert all((weight.grad is not None) is (stages > 1) for weight in method.calibration.parameters())


def test_statistics_are_those_of_the_first_stage_which_alone_is_run_afterwards() -> None:
    one, three = (sci(f"method.stages={stages}") for stages in (1, 3))
    three.load_state_dict(one.state_dict())
    for method in (one, three):
        method.training_step(dark_batch(), 0)
    alone = {name: value for name, value in one.net.named_buffers() if "running" in name}
    assert alone
    for name, value in three.net.named_buffers():
        if name in alone:
            torch.testing.assert_close(value, alone[name])
    assert {module.momentum for module in three.modules() if isinstance(module, torch.nn.BatchNorm2d)} == {
        0.1
    }


def test_training_brightens_a_dark_image() -> None:
    method, batch = sci(), dark_batch()
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = method.training_step(batch, 0)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]
    enhanced = method.enhance(batch["low"])
    assert enhanced.mean() > 1.5 * batch["low"].mean()
    assert enhanced.max() <= 1


def test_at_test_time_there_is_no_calibration(tmp_path: Path) -> None:
    method = sci().eval()
    checkpoint = {"state_dict": method.state_dict()}
    method.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, tmp_path / "best.ckpt")
    model, low = load(tmp_path), dark_image(9, 11)
    torch.save(method.net.original_state_dict(), tmp_path / "trained.pt")
    published = load_original_model(tmp_path / "trained.pt", "sci")
    for one in (model, published):
        assert one.parameter_count == 258
        assert torch.equal(one.enhance(low), method.enhance(low))
    with torch.no_grad():
        for weight in method.calibration.parameters():
            weight.fill_(torch.nan)
    assert method.enhance(low).isfinite().all()
    assert not any("calibration" in name for name, _ in published.named_parameters())


def test_published_files_hold_the_calibration_which_is_not_read(tmp_path: Path) -> None:
    net = SCI()
    net.load_original(published_state(net))
    state = net.original_state_dict()
    extra = {f"calibrate.{key}": value for key, value in SelfCalibration().state_dict().items()}
    torch.save(state | extra, tmp_path / "medium.pt")
    read = load_original_model(tmp_path / "medium.pt", "sci").net
    assert isinstance(read, SCI)
    assert torch.equal(read.estimate.conv[0].weight, state["enhance.conv.0.weight"])
    made = CliRunner().invoke(
        export,
        [str(tmp_path / "medium.pt"), "--as", "sci", "--format", "original", "--out", str(tmp_path / "a.pt")],
    )
    assert made.exit_code == 0, made.output
    again = torch.load(tmp_path / "a.pt", weights_only=True)
    assert again.keys() == state.keys()
    assert all(torch.equal(again[key], state[key]) for key in state)


def test_a_shared_block_that_differs_is_refused() -> None:
    state = published_state(SCI())
    state["enhance.blocks.0.0.weight"] = state["enhance.blocks.0.0.weight"] + 1
    with pytest.raises(ValueError, match=r"blocks.0.0.weight differs from .*, which this network shares"):
        SCI().load_original(state)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="layers=0"):
        SCI(layers=0)
    with pytest.raises(ValueError, match="stages=0"):
        sci("method.stages=0")
