"""Finding a learning rate, profiling and compiling."""

import csv
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch._inductor import config as inductor

from lowlight.checkpoints.load import load
from lowlight.config import load_config
from lowlight.evaluation import evaluate
from lowlight.training.learning_rate_finder import steepest
from lowlight.training.trainer import code_generator_errors_in_one_line
from tests.tiny_runs import checkpoint, manifest, run


@pytest.mark.slow
@pytest.mark.parametrize("name", ["autoencoder", "nafnet"])  # whose loss, minus PSNR, is negative
def test_a_learning_rate_is_found_and_nothing_is_trained(
    name: str, lol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO", "lowlight")
    folder = tmp_path / "run"
    stages = ["data.progressive=[{epochs: 1, patch_size: 16, batch_size: 4}]", "data.mixup=1"]
    found = run(name, lol, folder, "find_lr=true", "trainer.max_epochs=1", *stages)["suggested_lr"]
    assert 1e-8 < found < 1
    assert f"method.optimizer.lr={found:.2g}" in caplog.messages[-1]
    rows = list(csv.DictReader((folder / "lr_find.csv").open()))
    assert found in [float(row["lr"]) for row in rows]
    rates = [float(row["lr"]) for row in rows]
    assert rates == sorted(rates)
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "lr_find.csv"]

    run(name, lol, folder, f"method.optimizer.lr={found:.2g}")  # the folder is still free
    assert manifest(folder)["stopped"] == "finished"


def test_a_method_with_several_optimizers_is_refused(lol: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="find_lr=true cannot tune method=gan"):
        run("gan", lol, tmp_path, "find_lr=true")
    assert not list(tmp_path.iterdir())


def test_the_rate_is_where_the_loss_falls_most_for_a_factor_and_noise_at_low_rates_does_not_count() -> None:
    generator = np.random.default_rng(0)
    rates = np.logspace(-8, 0, 100)
    losses = 1 / (1 + rates / 1e-3) + 1e-3 * generator.standard_normal(100)  # falls most at 1e-3
    found = steepest(rates.tolist(), losses.tolist())
    assert found is not None
    assert 3e-4 < found < 3e-3
    losses[-20:] = np.nan
    assert steepest(rates.tolist(), losses.tolist()) == found


@pytest.mark.parametrize("losses", [[1.0] * 5, list(range(30)), [float("nan")] * 30])
def test_losses_that_do_not_fall_suggest_nothing(losses: list[float]) -> None:
    assert steepest([10.0**power for power in range(len(losses))], losses) is None


@pytest.mark.slow
def test_losses_that_show_no_rate_are_told(lol: Path, tmp_path: Path) -> None:
    nothing = patch("lowlight.training.learning_rate_finder.steepest", return_value=None)
    with nothing, pytest.raises(ValueError, match=r"lr_find\.csv suggest no learning rate"):
        run("autoencoder", lol, tmp_path, "find_lr=true")


@pytest.mark.slow
def test_a_profile_is_left_in_the_run_folder(lol: Path, tmp_path: Path) -> None:
    run("autoencoder", lol, tmp_path, "trainer.profiler=simple")
    for stage, step in (("fit", "training_step"), ("test", "test_step")):
        assert step in (tmp_path / f"{stage}-profile.txt").read_text()
    run("autoencoder", lol, tmp_path, "trainer.profiler=null", "resume=restart")
    assert not list(tmp_path.glob("*-profile.txt"))


def test_an_evaluation_is_profiled_too(lol: Path, tmp_path: Path) -> None:
    data = ["data=lol", f"data.root='{lol}'", f"output_dir='{tmp_path}'"]
    evaluate(load_config(["method=identity", "trainer=cpu", "trainer.profiler=advanced", *data], "evaluate"))
    assert "test_step" in (tmp_path / "test-profile.txt").read_text()


@pytest.mark.slow
def test_a_missing_compiler_is_told_before_anything_is_written(lol: Path, tmp_path: Path) -> None:
    # By torch's own means: monkeypatch would take the setting away afterwards instead of restoring it.
    missing = inductor.patch({"cpp.cxx": (None, "no-such-compiler")})
    with (
        missing,
        pytest.raises(ValueError, match=r"compile=true: .*No working C\+\+ compiler.*compile=false"),
    ):
        run("autoencoder", lol, tmp_path, "compile=true")
    assert not list(tmp_path.iterdir())


def test_generated_code_that_fails_is_told_in_one_line() -> None:
    """Whatever fails in generated code, not elsewhere, is put down to compiling."""
    config = load_config(["method=autoencoder", "compile=true", "trainer.precision=bf16-mixed"])
    generated = compile("def kernel(): return buf6", "torchinductor_me/ab/cab.py", "exec")
    space: dict[str, Any] = {}
    exec(generated, space)
    with (
        pytest.raises(ValueError, match=r"compile=true: .* autoencoder fails in bf16-mixed \(.*buf6"),
        code_generator_errors_in_one_line(config),
    ):
        space["kernel"]()
    with pytest.raises(NameError), code_generator_errors_in_one_line(config):
        raise NameError("mine")
    config.compile = False
    with pytest.raises(NameError), code_generator_errors_in_one_line(config):
        space["kernel"]()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["autoencoder", "gan"])
def test_a_compiled_run_leaves_checkpoints_that_load_without(
    name: str, lol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.compile", partial(torch.compile, backend="aot_eager"))  # generates no code
    more = ["data.patch_size=64", "trainer.max_epochs=1", "callbacks=[default,ema]"]
    compiled = run(name, lol, tmp_path / "compiled", "compile=true", *more)
    eager = run(name, lol, tmp_path / "eager", *more)
    assert compiled["val/psnr"] == pytest.approx(eager["val/psnr"], abs=0.05)
    method = load(tmp_path / "compiled")
    assert method.net._compiled_call_impl is None
    one, two = (checkpoint(tmp_path / folder)["state_dict"] for folder in ("compiled", "eager"))
    assert one.keys() == two.keys()
    low = torch.rand(1, 3, 33, 40) / 4
    assert torch.allclose(method.enhance(low), load(tmp_path / "eager").enhance(low), atol=0.02)
