"""A fusion of any two methods is evaluated, loaded, exported and tiled like any other method."""

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from lowlight.checkpoints import build, from_pretrained, load_run, save_pretrained
from lowlight.checkpoints.load import load_model
from lowlight.config import load_config
from lowlight.evaluation import evaluate
from lowlight.files import read_yaml
from lowlight.inference.tiling.enhance import enhance_array
from lowlight.methods import Fusion, Method
from lowlight.runs.folder import finished
from lowlight.runtimes.export import export, export_pretrained
from lowlight.runtimes.torch_enhancer import TorchEnhancer
from lowlight.training import train
from tests.conftest import photograph
from tests.tiny import tiny


def saved(method: Method, folder: Path) -> Path:
    """Save a method as a run's checkpoint."""
    folder.mkdir()
    checkpoint = {"state_dict": method.state_dict()}
    method.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, folder / "best.ckpt")
    return folder


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Path, Path]:
    """Return a run folder and a pretrained folder."""
    first = saved(tiny("mirnet"), tmp_path / "mirnet")
    method = tiny("zero_dce")
    with torch.no_grad():
        for weight in method.net.parameters():
            weight.mul_(20)
    save_pretrained(method, tmp_path / "curves")
    return first, tmp_path / "curves"


def config_of(first: Path | str, second: Path | str, *more: str) -> list[str]:
    parts = [f"method.first='{first}'", f"method.second='{second}'"]
    return ["method=fusion", *parts, "method.net.levels=2", *more]


def fused(first: Path | str, second: Path | str, *more: str) -> Method:
    return build(load_config(config_of(first, second, *more)).method).eval()


def test_any_two_checkpoints_are_fused(parts: tuple[Path, Path]) -> None:
    method, low = fused(*parts), torch.rand(1, 3, 20, 28) / 4
    assert isinstance(method, Fusion)
    first = load_model(parts[0]).enhance(low)
    second = load_model(parts[1]).enhance(first)
    assert method.parameter_count == sum(load_model(path).parameter_count for path in parts)
    torch.testing.assert_close(method.enhance(low), method.net.fuse(first, second).clamp(0, 1))
    for rule, expected in {"first": first, "second": second, "mean": (first + second) / 2}.items():
        torch.testing.assert_close(fused(*parts, f"method.net.rule={rule}").enhance(low), expected)
    beside = fused(*parts, "method.net.rule=second", "method.net.chained=false").enhance(low)
    torch.testing.assert_close(beside, load_model(parts[1]).enhance(low))


def test_shipped_weights_and_methods_without_training_are_parts_too() -> None:
    low = torch.rand(1, 3, 16, 16) / 4
    method = fused("coarse_to_fine", "gamma", "method.net.rule=second", "method.net.chained=false")
    torch.testing.assert_close(method.enhance(low), low**0.4)
    assert method.parameter_count > 1_000_000


def test_an_evaluation_is_a_run_like_any_other(
    parts: tuple[Path, Path], lol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = ["data=lol", f"data.root='{lol}'", "output_dir=scores", "trainer=cpu", "resume=auto"]
    overrides = [*config_of("mirnet", "curves"), *data]
    metrics = evaluate(load_config(overrides, "evaluate"))
    assert metrics["test/psnr"] > 5
    known = finished(load_config(overrides, "evaluate"))
    assert known is not None
    assert known["test/psnr"] == metrics["test/psnr"]
    assert read_yaml(tmp_path / "scores" / "config.yaml")["method"]["first"] == str(parts[0])

    monkeypatch.chdir("/")
    low, expected = torch.rand(1, 3, 9, 7), fused(*parts)
    run = load_run(tmp_path / "scores")
    torch.testing.assert_close(run.enhance(low), expected.enhance(low))
    torch.testing.assert_close(load_model(tmp_path / "scores").enhance(low), expected.enhance(low))
    twice = fused(tmp_path / "scores", "gamma", "method.net.rule=first")
    torch.testing.assert_close(twice.enhance(low), expected.enhance(low))


def test_an_export_holds_both_networks(parts: tuple[Path, Path], tmp_path: Path) -> None:
    method, low = fused(*parts), torch.rand(1, 3, 9, 7)
    expected = method.enhance(low)
    export_pretrained(method, tmp_path / "out")
    for path in parts:
        path.rename(path.with_name(f"{path.name}-elsewhere"))
    alone = from_pretrained(tmp_path / "out")
    torch.testing.assert_close(alone.enhance(low), expected)
    assert str(tmp_path) not in (tmp_path / "out" / "config.json").read_text()


@pytest.mark.slow
def test_two_checkpoints_are_exported_as_one_network(tmp_path: Path) -> None:
    first, second = (saved(tiny(name), tmp_path / name) for name in ("autoencoder", "zero_dce"))
    differences = export(fused(first, second), tmp_path / "fusion.onnx", "onnx")
    assert max(differences.values()) < 1e-4


@pytest.mark.parametrize("chained", [False, True])
def test_tiles_are_the_whole_where_both_networks_are_local(chained: bool) -> None:
    low = photograph(1, 330, 340) // 4
    method = fused("gamma", "bilateral", f"method.net.chained={chained}")
    assert_tiles(method, low, atol=1)


@pytest.mark.slow
def test_tiles_share_what_each_network_shares(tmp_path: Path) -> None:
    """Both see the whole image first: one an exposure, the other the means of an overview."""
    low = photograph(1, 328, 336) // 4  # needs no padding, which differs between tiles and the whole
    first, second = saved(tiny("coarse_to_fine"), tmp_path / "a"), saved(tiny("mirnet"), tmp_path / "b")
    method = fused(first, second)
    assert method.halo is None
    assert_tiles(method, low, atol=2)


def assert_tiles(method: Method, low: np.ndarray, atol: int) -> None:
    """Compare tiles with the whole, as 8-bit values."""
    enhancer = TorchEnhancer(method, "fp32")
    whole, tiles = (enhance_array(enhancer, low, tile=tile).astype(int) for tile in (340, 256))
    assert np.abs(whole - tiles).max() <= atol
    assert np.abs(whole - low).max() > 20


def test_a_network_that_cannot_be_tiled_says_so() -> None:
    assert TorchEnhancer(fused("clahe", "gamma")).tiling is None


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("nowhere", "nowhere: no such file or folder"),
        ("mirnet", "mirnet: no such file or folder"),
        ("null", "give a run folder, a checkpoint or a method without training"),
    ],
)
def test_wrong_parts_are_refused(first: str, message: str) -> None:
    overrides = ["method=fusion", f"method.first={first}", "method.second=gamma"]
    with pytest.raises(ValueError, match=message):
        build(load_config(overrides).method)


def test_a_part_that_is_not_trusted_is_refused(tmp_path: Path) -> None:
    method = tiny("autoencoder")
    assert method.recipe is not None
    method.recipe = method.recipe | {"net": {"_target_": "os.system", "command": "true"}}
    with pytest.raises(ValueError, match=r"calls os\.system, which is not trusted"):
        fused(saved(method, tmp_path / "hostile"), "gamma")


def test_a_fusion_of_itself_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    config = load_config(config_of("gamma", "gamma")).method
    config.second = str(run)

    OmegaConf.save({"method": config}, run / "config.yaml")
    with pytest.raises(ValueError, match="leads back to"):
        load_run(run)


def test_it_cannot_be_trained() -> None:
    with pytest.raises(ValueError, match="method=fusion learns nothing: score it with `lowlight evaluate"):
        train(load_config(config_of("gamma", "gamma")))
