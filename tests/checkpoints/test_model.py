"""Models for enhancing only: the image network of a method without the method."""

from functools import partial
from pathlib import Path

import pytest
import torch

from lowlight.checkpoints import load, save_pretrained
from lowlight.checkpoints.construct import construct
from lowlight.checkpoints.load import load_method, load_model
from lowlight.losses import charbonnier
from lowlight.methods import Method
from lowlight.model import Model
from lowlight.runtimes.load import load_engine
from tests.tiny import ONE_PER_CLASS, tiny

LOW = 0.3 * torch.rand(1, 3, 37, 45, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", [*ONE_PER_CLASS, "gamma", "fusion"])
def test_a_model_enhances_as_its_method_does(name: str, tmp_path: Path) -> None:
    method = tiny(name).eval()
    checkpoint = {"state_dict": method.state_dict()}
    method.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, tmp_path / "best.ckpt")
    save_pretrained(method, tmp_path / "folder")
    for path in (tmp_path / "best.ckpt", tmp_path / "folder", tmp_path):
        model, whole = load_model(path), load_method(path)
        assert type(model) is Model
        assert isinstance(whole, Method)
        assert whole.recipe == method.recipe
        assert model.enhance(LOW).equal(method.enhance(LOW))
        assert whole.enhance(LOW).equal(method.enhance(LOW))
        for part in ("name", "stride", "halo", "parameter_count", "device"):
            assert getattr(model, part) == getattr(whole, part)
        assert not model.training


def test_only_the_public_loader_makes_the_whole_method(tmp_path: Path) -> None:
    save_pretrained(tiny("gan"), tmp_path)
    assert type(load_engine(tmp_path).method) is Model
    assert isinstance(load_engine(tmp_path, trainable=True).method, Method)


def test_what_a_model_leaves_out_must_be_trusted_all_the_same(tmp_path: Path) -> None:
    method = tiny("gan")
    recipe = {**method.recipe, "scheduler": {"_target_": "os.system", "_partial_": True, "command": "true"}}
    torch.save({"state_dict": method.state_dict(), "recipe": recipe}, tmp_path / "best.ckpt")
    for read in (load_model, load):
        with pytest.raises(ValueError, match=r"its recipe calls os\.system, which is not trusted"):
            read(tmp_path / "best.ckpt")


def test_a_method_of_another_package_is_loaded_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brighter.py").write_text(
        "from lowlight.methods import Method\n"
        "class Brighter(Method):\n"
        "    def loss(self, restored, batch): ...\n"
        "    def enhance(self, low):\n"
        "        return super().enhance(low) / 2 + 0.5\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    net = {"_target_": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 3, "kernel_size": 1}
    recipe = {"_target_": "brighter.Brighter", "name": "brighter", "net": net}
    weights = {"net.weight": torch.zeros(3, 3, 1, 1), "net.bias": torch.zeros(3)}
    torch.save({"state_dict": weights, "recipe": recipe}, tmp_path / "best.ckpt")
    model = load_model(tmp_path / "best.ckpt", trust=["brighter"])
    assert (model.enhance(LOW) == 0.5).all()


def test_a_recipe_is_constructed_as_by_hydra() -> None:
    node = {
        "_target_": "builtins.dict",
        "rows": [{"_target_": "torch.nn.Identity"}, {"a": 1}, "text", None],
        "loss": {"_target_": "lowlight.losses.charbonnier", "_partial_": True, "epsilon": 0.1},
        "rare": {"_target_": "builtins.max", "_args_": [2, 3]},
        "member": {"_target_": "torch.nn.Conv2d.extra_repr", "_partial_": True},
    }
    made = construct(node)
    assert isinstance(made["rows"][0], torch.nn.Identity)
    assert made["rows"][1:] == [{"a": 1}, "text", None]
    assert isinstance(made["loss"], partial)
    assert (made["loss"].func, made["loss"].keywords) == (charbonnier, {"epsilon": 0.1})
    assert made["rare"] == 3
    assert made["member"].func is torch.nn.Conv2d.extra_repr
