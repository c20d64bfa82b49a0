"""What every learned method's training offers by a switch, in whole runs."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from lowlight.checkpoint import build
from lowlight.config import load_config
from tests.runs import checkpoint, overrides, run
from tests.tiny import LEARNT

SGD = ["method.optimizer._target_=torch.optim.SGD", "method.optimizer.lr=1"]
BOTH_SGD = ["~method.optimizer.betas", "~method.discriminator_optimizer.betas"] + [
    setting.replace("optimizer", optimizer)
    for setting in ("method.optimizer._target_=torch.optim.SGD", "method.optimizer.lr=1")
    for optimizer in ("optimizer", "discriminator_optimizer")
]


@pytest.mark.parametrize("name", LEARNT)
def test_one_switch_clips_and_one_accumulates_for_every_method(name: str, lol: Path, tmp_path: Path) -> None:
    more = BOTH_SGD if name == "gan" else SGD
    more += ["trainer.gradient_clip_val=1e-3", "trainer.max_epochs=1"]
    switches = ["data.batch_size=1", "data.patch_size=64", "trainer.accumulate_grad_batches=3", *more]
    run(name, lol, tmp_path, *switches)
    networks = ["net", "discriminator"] if name == "gan" else ["net"]
    saved = checkpoint(tmp_path)
    assert saved["global_step"] == 2 * len(networks)  # four batches: three, then one

    run(name, lol, tmp_path / "one", *switches, "trainer.accumulate_grad_batches=4")
    pl.seed_everything(0, verbose=False)
    before = build(load_config(overrides(name, lol, tmp_path, *more)).method).state_dict()
    after = checkpoint(tmp_path / "one")["state_dict"]
    for network in networks:
        learnt = [key for key in before if key.startswith(f"{network}.") and before[key].is_floating_point()]
        learnt = [key for key in learnt if "running" not in key]
        moved = torch.cat([(after[key] - before[key]).flatten() for key in learnt]).norm()
        assert moved.item() == pytest.approx(1e-3, rel=0.01)  # the rate is 1


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", LEARNT)
def test_values_that_are_not_finite_stop_training_and_reach_no_checkpoint(
    name: str, after: bool, lol: Path, tmp_path: Path
) -> None:
    poison = ["+callbacks.poison._target_=tests.runs.Poison", f"+callbacks.poison.after={after}"]
    with pytest.raises(ValueError, match="training stopped in epoch 2: its ") as stop:
        run(name, lol, tmp_path, "trainer.max_epochs=3", *poison)
    message = str(stop.value)
    if after:
        assert "last step left values in net." in message
    else:
        assert "loss is nan on the images LOL/" in message
        assert message.partition("; ")[0].count("LOL/") == 2  # the batch
    assert "kept as of earlier epochs: best.ckpt, last.ckpt; try a lower method.optimizer.lr" in message
    assert "\n" not in message
    for saved in ("best", "last"):
        kept = checkpoint(tmp_path, saved)
        assert kept["epoch"] == 0
        assert all(weight.isfinite().all() for weight in kept["state_dict"].values())


def test_a_loss_that_is_infinite_at_once_says_that_nothing_is_kept(lol: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"loss is inf on .*no checkpoint was written yet"):
        run("gan", lol, tmp_path, "method.pixel_weight=1e39")
    assert not list(tmp_path.rglob("*.ckpt"))
