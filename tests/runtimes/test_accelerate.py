"""Networks run in other runtimes as in torch, in tiles too; 8-bit integers say how far off they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

import lowlight
from lowlight.cli.enhance import app
from lowlight.inference.calibration import LONGEST, calibration_photographs
from lowlight.inference.load import choose
from lowlight.inference.tiling.enhance import enhance_array
from lowlight.metrics import psnr
from lowlight.runtimes.accelerate import accelerate
from lowlight.runtimes.runtime import Opened, Runtime
from lowlight.runtimes.torch_enhancer import TorchEnhancer
from lowlight.runtimes.torch_export import open_torch_export, write_torch_export
from tests.tiny import LEARNT, tiny

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")


def dark(height: int, width: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    smooth = draw.uniform(0.02, 0.2, (height // 16 + 1, width // 16 + 1, 3)).repeat(16, 0).repeat(16, 1)
    noisy = smooth[:height, :width] + draw.normal(0, 0.01, (height, width, 3))
    return (noisy.clip(0, 1) * 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dark")
    for number in range(3):
        Image.fromarray(dark(48, 64, number)).save(folder / f"{number}.png")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["openvino", "onnx"])
def test_a_network_of_parts_runs_as_in_torch_and_in_tiles(runtime: str) -> None:
    method = tiny("coarse_to_fine").eval()
    fast, slow = accelerate(method, runtime), TorchEnhancer(method)
    assert isinstance(fast, TorchEnhancer)
    assert fast.note is None
    assert isinstance(method.net.fine, nn.Module)
    assert list(method.parameters())
    low = torch.rand(2, 3, 37, 53) / 4
    torch.testing.assert_close(fast.enhance(low), slow.enhance(low), rtol=0, atol=1e-5)
    pixels = dark(150, 200)
    whole, tiled = (enhance_array(fast, pixels, tile=tile).astype(int) for tile in (256, 96))
    assert abs(whole - tiled).max() <= 1
    assert abs(whole - enhance_array(slow, pixels, tile=256)).max() <= 1


class Clamping(Runtime):
    """Stands for a runtime whose activations turn NaN into a number, and computes in torch otherwise."""

    def __init__(self) -> None:
        super().__init__("clamping", ".pt2", self._open, write_torch_export)

    @staticmethod
    def _open(path: Path, device: str) -> Opened:
        run, metadata = open_torch_export(path, device)
        return Opened(lambda low: np.nan_to_num(run(low)), metadata)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coarse_to_fine", "zero_dce", "sci"])
def test_tiles_keep_the_rims_that_were_measured_in_torch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO's activations swallow the NaN by which receptive fields are measured."""
    monkeypatch.setattr("lowlight.runtimes.accelerate.runtime_named", lambda _: Clamping())
    fast, slow = accelerate(tiny(name), "clamping"), TorchEnhancer(tiny(name))
    assert fast.halo == slow.halo
    assert fast.tiling is not None
    assert slow.tiling is not None
    assert fast.tiling.halo == slow.tiling.halo > 0


@pytest.mark.parametrize("name", LEARNT)
def test_parts_are_from_one_tensor_to_one_tensor(name: str) -> None:
    """Other runtimes run nothing else."""
    net, seen = tiny(name).net.eval(), []
    for part in getattr(net, "parts", ()):
        net.get_submodule(part).register_forward_hook(lambda _, *given: seen.append(given))
    net(torch.rand(1, 3, 64, 64))
    assert len(seen) >= len(getattr(net, "parts", ()))
    for inputs, output in seen:
        assert len(inputs) == 1
        assert isinstance(output, torch.Tensor)


@pytest.mark.slow
def test_another_network_is_exported_whole() -> None:
    method = tiny("retinexnet").eval()
    low = torch.rand(1, 3, 9, 11)
    torch.testing.assert_close(
        accelerate(method, "openvino").enhance(low), method.enhance(low), rtol=0, atol=1e-5
    )


@pytest.mark.slow
def test_integers_are_near_and_the_note_says_how_near(photographs: Path) -> None:
    method = lowlight.from_pretrained("coarse_to_fine")
    calibrate = calibration_photographs([photographs])
    fast = accelerate(method, "openvino", calibrate=calibrate)
    with torch.inference_mode():
        integers, floats = (torch.cat([one.enhance(low) for low in calibrate], -1) for one in (fast, method))
    decibels = psnr(integers, floats).item()
    assert 30 < decibels < 60
    assert fast.note is not None
    assert f"{decibels:.1f} dB from those of 32-bit floats, on the 3 photographs" in fast.note


def test_calibration_takes_some_of_many_photographs_and_scales_them_down(photographs: Path) -> None:
    assert [tuple(image.shape) for image in calibration_photographs([photographs], count=2)] == [
        (1, 3, 48, 64)
    ] * 2
    large = photographs.parent / "large.png"
    Image.new("RGB", (2 * LONGEST, LONGEST)).save(large)
    broken = photographs.parent / "broken.jpg"
    broken.write_bytes(b"no picture")
    (image,) = calibration_photographs([str(large), broken])
    assert image.shape == (1, 3, LONGEST // 2, LONGEST)
    with pytest.raises(ValueError, match=r"need dark photographs that can be read .* --calibrate"):
        calibration_photographs([broken])
    (photographs.parent / "empty").mkdir()
    for name, told in (("typo", "no such file or folder"), ("empty", "no photographs in this folder")):
        with pytest.raises(ValueError, match=f"{name}: {told}"):
            calibration_photographs([photographs, photographs.parent / name])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"runtime": "abacus"}, "runtime 'abacus' is none of torch, onnx, openvino"),
        ({"runtime": "openvino", "precision": "bf16"}, "bf16 is a precision of torch; openvino computes in"),
        ({"runtime": "torch", "precision": "int8"}, "torch computes in no 8-bit integers here: --runtime"),
        ({"method": "lime", "runtime": "onnx"}, "lime cannot run in onnx|lime cannot be exported to onnx"),
        ({"calibrate": ["dark"]}, "--calibrate is for 8-bit integers: give --precision int8, too"),
        ({"checkpoint": "net.onnx", "calibrate": ["dark"]}, "--calibrate is for 8-bit integers"),
        ({"checkpoint": "net.onnx", "runtime": "onnx"}, "net.onnx: an exported network has a runtime"),
    ],
)
def test_what_does_not_go_together_is_told_in_one_line(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        choose(**settings, device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_runtime_without_integers_says_which_has_them(photographs: Path) -> None:
    with pytest.raises(ValueError, match="onnx computes in no 8-bit integers here; openvino does"):
        choose(precision="int8", runtime="onnx", calibrate=[photographs], device="cpu")


@pytest.mark.slow
def test_the_command_calibrates_on_the_photographs_it_is_given(photographs: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [str(photographs), "--out", str(tmp_path), "--precision", "int8"])
    assert done.exit_code == 0, done.output
    assert "on the 3 photographs that they were calibrated on" in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize(
    "begins",
    [
        "<net><net>",
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>',
        "text",
        "\0",
    ],
)
def test_a_file_that_does_not_begin_as_openvinos_is_not_handed_to_it(begins: str, tmp_path: Path) -> None:
    """It would try readers of other formats, some of which print, and resolve entities."""
    path = tmp_path / "net.xml"
    path.write_text(begins)
    path.with_suffix(".bin").touch()
    with pytest.raises(ValueError, match=r"net\.xml: not an OpenVINO model \(it does not begin as one\)"):
        lowlight.load(path)
