"""A training can begin with the weights of another."""

import shutil
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from lowlight.checkpoints.load import load, start_from
from lowlight.checkpoints.pretrained import save_pretrained
from lowlight.checkpoints.recipe import build
from lowlight.config import load_config
from lowlight.files import read_json
from lowlight.methods import Method
from lowlight.runs.recipe import recipe
from lowlight.shipped import SHIPPED
from lowlight.training.train import about_data
from tests.tiny_runs import checkpoint, overrides, run


@pytest.fixture(scope="module")
def trained(lol: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny GAN's run of one epoch."""
    folder = tmp_path_factory.mktemp("runs") / "trained"
    run("gan", lol, folder, "trainer.max_epochs=1")
    return folder


def untrained(lol: Path, name: str = "gan", *more: str) -> Method:
    torch.manual_seed(1)
    return build(load_config(overrides(name, lol, lol, *more)).method)


def same(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    theirs = two.state_dict()
    return all(torch.equal(weight, theirs[name]) for name, weight in one.state_dict().items())


def test_training_goes_on_from_the_weights_of_another_run(trained: Path, lol: Path, tmp_path: Path) -> None:
    start = Path(shutil.copytree(trained, tmp_path / "start"))
    still = ["method.optimizer.lr=1e-30", "method.discriminator_optimizer.lr=1e-30", "trainer.max_epochs=1"]
    more = [f"start_from='{start}'", *still]
    run("gan", lol, tmp_path / "tuned", *more)
    before, after = (checkpoint(folder)["state_dict"] for folder in (trained, tmp_path / "tuned"))
    weights = [name for name, _ in untrained(lol).named_parameters()]
    assert any(name.startswith("discriminator.") for name in weights)
    assert all(torch.equal(before[name], after[name]) for name in weights)
    about = read_json(tmp_path / "tuned" / "manifest.json")["data"]
    assert about["start_from"] == str(start)
    assert "leak" not in about

    shutil.rmtree(start)  # a resumed run has its own weights
    run("gan", lol, tmp_path / "tuned", *more, "resume=auto")


def test_a_discriminator_of_another_width_begins_anew(trained: Path, lol: Path) -> None:
    method = untrained(lol, "gan", "method.discriminator.channels=5")
    before = {name: weight.clone() for name, weight in method.discriminator.state_dict().items()}
    start_from(method, trained)
    assert same(method.net, load(trained).net)
    assert all(
        torch.equal(weight, before[name]) for name, weight in method.discriminator.state_dict().items()
    )


def test_a_pretrained_folder_gives_the_image_network_alone(trained: Path, lol: Path, tmp_path: Path) -> None:
    old = load(trained)
    save_pretrained(old, tmp_path / "saved")
    method = untrained(lol)
    start_from(method, tmp_path / "saved")
    assert same(method.net, old.net)
    assert not same(method.discriminator, old.discriminator)
    start_from(method, trained)
    assert same(method, old)


def test_weights_of_another_network_are_refused_before_the_folder_is_touched(
    trained: Path, lol: Path, tmp_path: Path
) -> None:
    told = (
        r"best\.ckpt: weights do not fit the network: .*; method and method\.net must be as in its training"
    )
    for other in (["autoencoder"], ["gan", "method.net.channels=6"]):
        with pytest.raises(ValueError, match=told) as refusal:
            run(other[0], lol, tmp_path / "tuned", f"start_from='{trained}'", *other[1:])
        assert "\n" not in str(refusal.value)
    assert not (tmp_path / "tuned").exists()


def test_the_weights_that_a_run_would_replace_are_no_start(trained: Path, lol: Path) -> None:
    with pytest.raises(ValueError, match=r"lies in output_dir=.*: choose another output_dir"):
        run("gan", lol, trained, f"start_from='{trained / 'best.ckpt'}'", "resume=restart")
    assert (trained / "best.ckpt").exists()


def test_an_empty_start_is_refused(lol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="no run here"):
        run("gan", lol, tmp_path / "tuned", "start_from=")


@pytest.mark.parametrize(("seen", "told"), [(0, None), (1, {"in_training_scenes": 1})])
def test_a_leak_of_its_own_is_told_and_no_leak_is_not(seen: int, told: dict[str, int] | None) -> None:
    config = load_config(["start_from=coarse_to_fine"])
    data = Mock(describe=lambda: {"leak": {"in_training_scenes": seen}})
    assert about_data(config, data) == {"start_from": "coarse_to_fine"} | ({"leak": told} if told else {})


def test_there_must_be_weights(lol: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file or folder"):
        start_from(untrained(lol), tmp_path / "nowhere")
    (tmp_path / "gamma").mkdir()
    (tmp_path / "gamma" / "config.yaml").write_text("method: {_target_: lowlight.methods.Classical}")
    with pytest.raises(ValueError, match="gamma: nothing was trained there, so no training"):
        start_from(untrained(lol), tmp_path / "gamma")


def test_a_recipe_names_the_weights_by_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    assert recipe({"start_from": "run"}) == {"start_from": str(tmp_path / "run")}
    (tmp_path / "None").mkdir()
    assert recipe({}) == {}
    assert recipe({"start_from": "coarse_to_fine"}) == {"start_from": str(SHIPPED / "coarse_to_fine")}
