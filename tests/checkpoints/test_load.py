import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from lowlight.checkpoints.load import load, load_run
from lowlight.checkpoints.recipe import build, check_recipe
from lowlight.config import load_config
from lowlight.methods import Supervised
from tests.tiny import TINY, tiny


def save(path: Path, recipe: Any, weights: dict[str, torch.Tensor] | None = None) -> Path:
    torch.save({"state_dict": weights or {}, "recipe": recipe}, path)
    return path


@pytest.mark.parametrize(
    "target", ["os.system", "torch.hub.load", "builtins.eval", "lowlight.checkpoints.load.load", "x"]
)
def test_a_strangers_recipe_is_not_run(target: str, tmp_path: Path) -> None:
    recipe = {"_target_": "lowlight.methods.Supervised", "net": {"_target_": target, "_args_": ["echo"]}}
    with pytest.raises(ValueError, match=f"calls {target}, which is not trusted"):
        load(save(tmp_path / "a.ckpt", recipe))


@pytest.mark.parametrize(
    "target",
    [
        "torch.nn.Linear",
        "torch.optim.lr_scheduler.StepLR",
        "lowlight.networks.mirnet.MIRNet",
        "lowlight.losses.l1",
        "lowlight.perceptual.vgg_loss",
    ],
)
def test_public_names_are_allowed(target: str) -> None:
    check_recipe({"_target_": target}, Path("x"))


@pytest.mark.parametrize(
    "target",
    [
        "torch.nn.functional.relu",
        "torch.nn.utils.clip_grad_norm_",
        "torch.utils.model_dump.__main__.main",
        "lowlight.losses.cast",
        "lowlight.losses.torch.load",
        "lowlight.networks.mirnet._conv",
        "lowlight.networks._mirnet_original.original_names",
        "lowlight.networks.mirnet.nn.Linear",
        "lowlight.methods.base.partial",
        "lowlight.cli.train.main",
        "torch.optim.Optimizer.step",
        "",
        ".",
    ],
)
def test_other_names_are_refused_and_not_imported(target: str) -> None:
    before = set(sys.modules)
    with pytest.raises(ValueError, match="not trusted"):
        check_recipe({"_target_": target}, Path("x"))
    assert set(sys.modules) == before


def test_targets_are_found_at_any_depth() -> None:
    recipe = {"a": [{"b": {"c": [{"_target_": "subprocess.run"}]}}]}
    with pytest.raises(ValueError, match=r"subprocess\.run"):
        check_recipe(recipe, Path("x"))


@pytest.mark.slow
def test_our_own_recipes_are_allowed() -> None:
    for name, overrides in TINY.items():
        check_recipe(build(load_config([f"method={name}", *overrides]).method).recipe, Path("x"))


def test_a_package_can_be_trusted_by_name() -> None:
    check_recipe({"_target_": "mypackage.networks.Net"}, Path("x"), trust=["mypackage."])
    with pytest.raises(ValueError, match="mypackages"):
        check_recipe({"_target_": "mypackages.Net"}, Path("x"), trust=["mypackage."])


class Payload:
    """Would write a file if unpickled as code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_a_pickle_bomb_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "recipe": Payload(tmp_path / "harm")}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=r"a\.ckpt: refused"):
        load(tmp_path / "a.ckpt")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut"])
def test_a_broken_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.ckpt"):
        load(tmp_path / "a.ckpt")


def test_a_run_that_validated_nothing_is_loaded_from_its_last_epoch(tmp_path: Path) -> None:
    method = tiny("autoencoder")
    save(tmp_path / "last.ckpt", method.recipe, method.state_dict())
    (tmp_path / "config.yaml").write_text("method: {}\n")
    low = torch.rand(1, 3, 8, 8)
    assert load(tmp_path).enhance(low).equal(method.enhance(low))
    assert load_run(tmp_path).enhance(low).equal(method.enhance(low))


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such checkpoint"):
        load(tmp_path / "a.ckpt")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "config.yaml").write_text("method: null\npredictions: theirs\n")
    with pytest.raises(ValueError, match="no method here; what was scored there are images"):
        load_run(tmp_path / "saved")
    with pytest.raises(ValueError, match="no run here"):
        load_run(tmp_path)


def test_a_run_without_a_checkpoint_is_not_taken_for_a_trained_one(tmp_path: Path) -> None:
    config = load_config(["method=autoencoder", *TINY["autoencoder"]])
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create({"method": config.method})))
    with pytest.raises(ValueError, match="no checkpoint in it"):
        load_run(tmp_path)


def test_weights_of_another_recipe_are_refused(tmp_path: Path) -> None:
    method = tiny("autoencoder")
    other = build(load_config(["method=autoencoder", "method.net.channels=[4,4,4,4,4]"]).method)
    with pytest.raises(ValueError, match="weights do not fit the recipe"):
        load(save(tmp_path / "a.ckpt", method.recipe, other.state_dict()))


def test_a_method_built_by_hand_is_loaded_with_its_net(tmp_path: Path) -> None:
    net = nn.Conv2d(3, 3, 1)
    path = save(tmp_path / "a.ckpt", None, Supervised(net).state_dict())
    with pytest.raises(ValueError, match="net="):
        load(path)
    low = torch.rand(1, 3, 4, 4)
    assert load(path, net=nn.Conv2d(3, 3, 1)).enhance(low).equal(Supervised(net).enhance(low))


@pytest.mark.parametrize(
    "hidden",
    [
        ({"_target_": "torch.hub.load", "repo_or_dir": "x", "source": "local"},),  # a tuple, not a list
        "${oc.create:{_target_: torch.hub.load, repo_or_dir: x, source: local}}",  # resolved after a check
        "${oc.env:HOME}",
        {"_target_": ["torch.hub.load"]},
        {"${oc.env:HOME}": 1},
        {"_target_": "torch.nn.Module.torch.hub.load"},
    ],
)
def test_what_hydra_would_turn_into_a_call_later_is_refused(hidden: Any, tmp_path: Path) -> None:
    recipe = {"_target_": "lowlight.methods.Supervised", "net": hidden}
    with pytest.raises(ValueError, match=r"a\.ckpt: its recipe"):
        load(save(tmp_path / "a.ckpt", recipe))


def test_trust_is_of_whole_packages() -> None:
    recipe = {"_target_": "posix.system"}
    for trust in ("mypackage.", ["mypackage"], ["pos"], "p"):
        with pytest.raises(ValueError, match="not trusted"):
            check_recipe(recipe, Path("x"), trust)
    check_recipe({"_target_": "mypackage.Net"}, Path("x"), "mypackage")


def test_a_net_that_does_not_fit_the_weights_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", None, Supervised(nn.Conv2d(3, 3, 1)).state_dict())
    with pytest.raises(ValueError, match="weights do not fit the network"):
        load(path, net=nn.Sequential(nn.Conv2d(3, 3, 1)))


def test_numbers_that_slow_a_cpu_down_are_read_as_zero(tmp_path: Path) -> None:
    method = tiny("autoencoder")
    name, weight = next(iter(method.state_dict().items()))
    bits = torch.arange(weight.numel(), dtype=torch.int32).reshape(weight.shape)  # 0, 1.4e-45, 2.8e-45, ...
    weights = method.state_dict() | {name: bits.view(torch.float32)}
    loaded = load(save(tmp_path / "a.ckpt", method.recipe, weights)).state_dict()
    assert not loaded[name].view(torch.int32).any()
    for other in weights.keys() - {name}:
        assert torch.equal(loaded[other], weights[other])
