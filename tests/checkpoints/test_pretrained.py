"""What is handed on is plain data: safetensors and JSON, from a folder or the hub."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lowlight.checkpoints.load import from_pretrained
from lowlight.checkpoints.pretrained import save_pretrained
from lowlight.checkpoints.recipe import build
from lowlight.methods import Supervised
from tests.tiny import LEARNT, by_class, tiny


@pytest.mark.parametrize("config", [None, '{"architectures": ["Other"]}', "no json"])
def test_weights_of_others_are_not_replaced(config: str | None, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("theirs")
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(ValueError, match=r"holds model\.safetensors.*, not written by lowlight"):
        save_pretrained(tiny("gamma").eval(), tmp_path)
    assert (tmp_path / "model.safetensors").read_text() == "theirs"
    assert config is None or (tmp_path / "config.json").read_text() == config


@pytest.mark.parametrize("name", by_class([*LEARNT, "gamma"]))
def test_what_was_saved_enhances_alike(name: str, tmp_path: Path) -> None:
    method = tiny(name).eval()
    for weight in method.net.parameters():
        nn.init.normal_(weight, 0, 0.1)
    save_pretrained(method, tmp_path / "a" / "b", commit="abc")
    loaded = from_pretrained(tmp_path / "a" / "b")
    low = torch.rand(2, 3, 17, 9)
    assert loaded.enhance(low).equal(method.enhance(low))
    assert loaded.recipe == method.recipe
    assert not loaded.training
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    config = json.loads((tmp_path / "a" / "b" / "config.json").read_text())
    assert (config["commit"], config["stride"]) == ("abc", method.stride)
    assert config["contract"].startswith("RGB float32 (B, 3, H, W) in [0, 1]")


def test_only_the_image_network_is_kept(tmp_path: Path) -> None:
    method = tiny("gan").eval()
    save_pretrained(method, tmp_path)
    assert set(load_file(tmp_path / "model.safetensors")) == set(method.net.state_dict())


def test_folders_of_this_machine_are_left_out(tmp_path: Path) -> None:
    recipe = tiny("autoencoder").recipe or {}
    vgg = {"_target_": "lowlight.perceptual.vgg_loss", "_partial_": True}
    terms = {
        "vgg": vgg | {"weights": "/home/alice/private/vgg19.pth"},
        "more": vgg | {"weights": "C:\\Users\\alice\\vgg16.pth"},
    }
    loss = {"_target_": "lowlight.losses.weighted_sum", "_partial_": True, "weights": {}, "terms": terms}
    method = build(recipe | {"loss": loss}).eval()
    save_pretrained(method, tmp_path)
    assert "alice" not in (tmp_path / "config.json").read_text()
    loaded = from_pretrained(tmp_path)
    assert [term["weights"] for term in loaded.recipe["loss"]["terms"].values()] == ["vgg19.pth", "vgg16.pth"]
    assert method.recipe["loss"] == loss  # the method's own is as it was
    low = torch.rand(1, 3, 17, 9)
    assert loaded.enhance(low).equal(method.enhance(low))


def test_others_may_read_what_was_saved(tmp_path: Path) -> None:
    save_pretrained(tiny("gamma").eval(), tmp_path)
    weights, config = ((tmp_path / name).stat().st_mode for name in ("model.safetensors", "config.json"))
    assert oct(weights) == oct(config)


def test_a_method_built_by_hand_has_no_recipe_to_save(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no recipe"):
        save_pretrained(Supervised(nn.Conv2d(3, 3, 1)), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def edit(folder: Path, recipe: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"recipe": recipe}))


def test_a_strangers_recipe_is_not_run(tmp_path: Path) -> None:
    save_pretrained(tiny("autoencoder").eval(), tmp_path)
    edit(tmp_path, {"_target_": "lowlight.methods.Supervised", "net": {"_target_": "os.system"}})
    with pytest.raises(ValueError, match=r"config\.json: its recipe calls os\.system"):
        from_pretrained(tmp_path)
    edit(tmp_path, ["os.system"])
    with pytest.raises(ValueError, match=r"config\.json: holds no recipe"):
        from_pretrained(tmp_path)


def test_a_package_can_be_trusted_by_name(tmp_path: Path) -> None:
    save_pretrained(tiny("autoencoder").eval(), tmp_path)
    recipe = tiny("autoencoder").eval().recipe or {}
    edit(tmp_path, recipe | {"loss": {"_target_": "math.dist", "_partial_": True}})
    with pytest.raises(ValueError, match=r"math\.dist, which is not trusted"):
        from_pretrained(tmp_path)
    assert from_pretrained(tmp_path, trust=["math"]).stride == 32


def test_files_that_are_missing_or_broken_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"config\.json: no such file"):
        from_pretrained(tmp_path)
    save_pretrained(tiny("autoencoder").eval(), tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ValueError, match=r"model\.safetensors: not a safetensors file"):
        from_pretrained(tmp_path)
    save_file({"other": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors: weights do not fit the recipe"):
        from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"model\.safetensors: no such file"):
        from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json: no JSON"):
        from_pretrained(tmp_path)


def test_a_name_that_is_no_folder_is_fetched_from_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    method = tiny("autoencoder").eval()
    save_pretrained(method, tmp_path)
    asked = []

    def snapshot_download(name: str, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns))
        if name.endswith("gone"):
            raise OSError("404\nmore")
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    low = torch.rand(1, 3, 5, 5)
    assert from_pretrained("someone/dark").enhance(low).equal(method.enhance(low))
    assert asked == [("someone/dark", ["config.json", "model.safetensors"])]
    with pytest.raises(ValueError, match=r"someone/gone: no such folder, and not fetched from the hub: 404$"):
        from_pretrained("someone/gone")
    with pytest.raises(ValueError, match="no repository's name"):
        from_pretrained("a/b/c")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r"pip install 'lowlight\[hub\]'"):
        from_pretrained("someone/dark")
