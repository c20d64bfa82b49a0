"""Exports equal torch at any size, or nothing is written."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from typer.testing import CliRunner

from lowlight.checkpoints import build
from lowlight.checkpoints.pretrained import save_pretrained
from lowlight.cli.export import app
from lowlight.methods import Method, Supervised
from lowlight.model import Model
from lowlight.networks.function import Function
from lowlight.networks.hvi import HVI
from lowlight.runs.folder import commit_of
from lowlight.runtimes.export import compare, export, export_pretrained, trace
from lowlight.runtimes.load import load_engine
from lowlight.runtimes.table import RUNTIMES, runtime_named
from lowlight.runtimes.torch_export import _unguarded
from lowlight.shipped import SHIPPED
from tests.tiny import LEARNT, tiny

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
openvino = pytest.importorskip("openvino")


class Halving(nn.Module):
    """One strided convolution; sides must be even."""

    def __init__(self) -> None:
        super().__init__()
        self.stride = 2
        self.conv = nn.Conv2d(3, 12, 2, stride=2)

    def forward(self, low: Tensor) -> Tensor:
        return 3 * nn.functional.pixel_shuffle(self.conv(low), 2)


def halving() -> Method:
    torch.manual_seed(0)
    return Supervised(Halving()).eval()


def assert_same(method: Method, path: Path) -> None:
    engine = load_engine(path, trust=["torch.export"])
    assert engine.stride == method.stride
    assert engine.name == method.name
    for shape in ((1, 3, 1, 1), (3, 3, 2, 41), (2, 3, 37, 5), (1, 3, 32, 64)):
        low = torch.rand(shape)
        enhanced = engine.enhance(low)
        torch.testing.assert_close(enhanced, method.enhance(low), rtol=0, atol=1e-5)
        assert enhanced.min() >= 0
        assert enhanced.max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", [runtime.name for runtime in RUNTIMES])
def test_an_export_gives_what_torch_gives_at_any_size(kind: str, tmp_path: Path) -> None:
    method = halving()
    out = tmp_path / f"net{runtime_named(kind).suffix}"
    differences = export(method, out, kind)
    assert list(differences) == ["1x3x1x1", "2x3x21x35", "1x3x48x32", "4x3x16x16"]
    assert max(differences.values()) < 1e-5
    assert sorted(path.name for path in tmp_path.iterdir()) == (
        ["net.bin", "net.xml"] if kind == "openvino" else [out.name]
    )
    assert_same(method, out)


SHORTER = {
    "mirnet": ["method.net.streams=2"],
    "restormer": ["method.net.blocks=[1,0,0,1]", "method.net.refinement=0"],
}
"""Networks that repeat their blocks more often than an export, whose time grows with them, needs to show."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LEARNT, "histogram"])
def test_every_learned_method_can_be_exported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced and converted once for its formats, since that takes long: OpenVINO writes by way of ONNX."""
    method = tiny(name, *SHORTER.get(name, [])).eval()
    kinds = ["onnx"] if name == "iat" else ["onnx", "openvino"]  # of which the next test tells
    if name in ("coarse_to_fine", "gan"):
        kinds.append("torch_export")
    side = method.stride if method.stride > 1 else 16
    program = trace(method.net, torch.rand(2, 3, 2 * side, 3 * side))
    monkeypatch.setattr("lowlight.runtimes.export.trace", lambda *_: program)
    written = tmp_path / f"net{runtime_named('onnx').suffix}"
    monkeypatch.setattr(
        "lowlight.runtimes.openvino.write_onnx", lambda _, path, __: shutil.copy(written, path)
    )
    for kind in kinds:
        out = tmp_path / f"net{runtime_named(kind).suffix}"
        export(method, out, kind)
        assert_same(method, out)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("bilateral", "torch_export"),
        ("lime", "openvino"),
        ("msrcr", "onnx"),
        ("iat", "openvino"),
    ],
)
def test_what_cannot_be_exported_for_any_size_is_said_in_one_line(
    name: str, kind: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"^{name}(,| cannot be) exported to {kind}") as caught:
        export(tiny(name).eval(), tmp_path / f"net{runtime_named(kind).suffix}", kind)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_all_openvino_files_share_one_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(openvino, "Core", lambda core=openvino.Core: made.append(core()) or made[-1])
    for number in range(2):
        export(halving(), tmp_path / f"{number}.xml", "openvino")
        load_engine(tmp_path / f"{number}.xml")
    assert len(made) <= 1


def test_an_export_beyond_the_tolerance_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "net.pt2"
    out.write_text("earlier")
    with pytest.raises(ValueError, match="more than the tolerance"):
        export(halving(), out, "torch_export", tolerance=-1.0)
    assert out.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [out]


class ThereAndBack(nn.Module):
    """To hue, saturation and intensity and back, which divides by values that are 0 in the dark."""

    def __init__(self) -> None:
        super().__init__()
        self.hvi = HVI()

    def forward(self, low: Tensor) -> Tensor:
        return self.hvi.to_rgb(self.hvi(low))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_what_keeps_divisors_from_zero_is_in_the_file(kind: str, tmp_path: Path) -> None:
    method, out = Supervised(ThereAndBack()).eval(), tmp_path / f"net{runtime_named(kind).suffix}"
    assert max(export(method, out, kind).values()) < 1e-5
    engine, low = load_engine(out), (torch.rand(1, 3, 32, 32) * 3).round() / 255
    for image in (low, torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)):
        torch.testing.assert_close(engine.enhance(image), method.enhance(image), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("function", "told"),
    [(lambda low: low * (low / low), "differs from torch by nan"), (lambda low: low + (low == 1), None)],
)
def test_black_grey_and_white_are_compared_too(
    function: Callable[[Tensor], Tensor], told: str | None
) -> None:
    """No random image has a value of exactly 0 or 1."""
    identity, other = Model(nn.Identity()), Model(Function(function))
    if told is None:
        differences = compare(identity, other)
        assert [shape for shape, difference in differences.items() if difference > 0.5] == ["4x3x16x16"]
    else:
        with pytest.raises(ValueError, match=f"^4x3x16x16 {told}"):
            compare(identity, other)


def test_differences_of_large_outputs_are_relative_to_them() -> None:
    """Rounding grows with the values, of which an untrained network has large ones before clamping."""
    large, small = (
        compare(
            Model(Function(lambda low, by=by: by * low)), Model(Function(lambda low, by=by: by * low + 1e-3))
        )
        for by in (100, 0.1)
    )
    assert max(large.values()) < 1e-4
    assert min(small.values()) == pytest.approx(1e-3, rel=0.01)


def test_a_difference_that_is_no_number_is_beyond_the_tolerance(tmp_path: Path) -> None:
    method = halving()
    nn.init.constant_(method.net.conv.weight, float("nan"))
    with pytest.raises(ValueError, match="differs from torch by nan"):
        export(method, tmp_path / "net.pt2", "torch_export")


def test_the_file_alone_says_what_it_takes_and_gives(tmp_path: Path) -> None:
    export(halving(), tmp_path / "net.onnx", "onnx", commit="abc")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["lowlight"])
    assert about["contract"].startswith("RGB float32 (B, 3, H, W) in [0, 1]")
    assert (about["stride"], about["method"], about["parameters"], about["commit"]) == (
        2,
        "Halving",
        156,
        "abc",
    )
    (low,), (enhanced,) = session.get_inputs(), session.get_outputs()
    assert (low.name, low.shape) == ("low", ["batch", 3, "height", "width"])
    assert (enhanced.name, enhanced.shape) == ("enhanced", ["batch", 3, "height", "width"])
    image = np.random.default_rng(0).random((2, 3, 10, 6), dtype=np.float32)
    (raw,) = session.run(None, {"low": image})
    expected = halving().net(torch.from_numpy(image)).detach().numpy()
    np.testing.assert_allclose(raw, expected, atol=1e-5)
    assert raw.max() > 1  # the contract says that clamping is left to the caller


@pytest.mark.parametrize(("kind", "name"), [("onnx", "a.pt2"), ("openvino", "a.onnx"), ("torch_export", "a")])
def test_a_suffix_that_load_engine_would_read_otherwise_is_refused(
    kind: str, name: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"must end in \\{runtime_named(kind).suffix}"):
        export(halving(), tmp_path / name, kind)
    with pytest.raises(ValueError, match="none of onnx, openvino, torch_export"):
        export(halving(), tmp_path / name, "tflite")


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match=r"onnx is not installed: pip install 'lowlight\[export"):
        export(halving(), tmp_path / "net.onnx", "onnx")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    config = OmegaConf.create({"method": tiny("gamma").eval().recipe})
    OmegaConf.save(config, tmp_path / "config.yaml")
    (tmp_path / "manifest.json").write_text('{"versions": {}, "commit": "0123abc"}')
    return tmp_path


def test_the_verb_exports_a_run_and_prints_the_differences(run: Path) -> None:
    out = run / "files" / "net.pt2"
    result = CliRunner().invoke(app, [str(run), "--out", str(out), "--format", "torch_export"])
    assert result.exit_code == 0, result.output
    assert "2x3x21x35: differs from torch by at most" in result.output
    engine = load_engine(out, trust=["torch.export"])
    assert engine.about["commit"] == "0123abc"
    assert engine.name == "gamma"


def test_the_verb_writes_a_pretrained_folder_in_half_the_space(tmp_path: Path) -> None:
    save_pretrained(tiny("coarse_to_fine").eval(), tmp_path / "whole")
    arguments = [str(tmp_path / "whole"), "--format", "pretrained", "--half", "--out"]
    refused = CliRunner().invoke(app, [*arguments, str(tmp_path / "half"), "--tolerance", "1e-9"])
    assert refused.exit_code == 1
    assert "saved, differs from torch by" in refused.output
    assert not (tmp_path / "half").exists()
    result = CliRunner().invoke(app, [*arguments, str(tmp_path / "half"), "--tolerance", "4e-3"])
    assert result.exit_code == 0, result.output
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.7 * sizes[0]
    method = load_engine(tmp_path / "half").method
    assert {weight.dtype for weight in method.parameters()} == {torch.float32}
    no_folder = CliRunner().invoke(
        app, [str(tmp_path / "whole"), "--half", "--out", str(tmp_path / "a.onnx")]
    )
    assert "--half is for --format pretrained" in no_folder.output


def test_a_pretrained_folder_is_compared_with_the_same_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ourpackage.py").write_text("from torch.nn import Conv2d")
    monkeypatch.syspath_prepend(tmp_path)
    recipe = tiny("autoencoder").recipe
    assert recipe is not None
    net = {"_target_": "ourpackage.Conv2d", "in_channels": 3, "out_channels": 3, "kernel_size": 1}
    method = build(recipe | {"net": net}).eval()
    with pytest.raises(ValueError, match=r"calls ourpackage\.Conv2d, which is not trusted"):
        export_pretrained(method, tmp_path / "out")
    export_pretrained(method, tmp_path / "out", trust=["ourpackage"])
    assert (tmp_path / "out" / "model.safetensors").exists()


def test_the_commit_is_that_of_the_model_not_of_the_folder_one_works_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for content in ("[1]", '{"commit": "theirs"}'):
        Path("manifest.json").write_text(content)
        assert commit_of(Path("weights.pth")) is None
        result = CliRunner().invoke(app, ["coarse_to_fine_small", "--format", "pretrained", "--out", "out"])
        assert result.exit_code == 0, result.output
        shipped = json.loads((SHIPPED / "coarse_to_fine_small" / "config.json").read_text())
        assert json.loads(Path("out/config.json").read_text())["commit"] == shipped["commit"]


def test_sixteen_bits_have_a_tolerance_of_their_own(tmp_path: Path) -> None:
    arguments = ["coarse_to_fine_small", "--format", "pretrained", "--half", "--out", str(tmp_path / "half")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output


def test_torch_without_guards_is_not_asked_to_leave_them_out() -> None:
    class Today:
        def module(self, check_guards: bool = True) -> None: ...

    class Before:
        def module(self) -> None: ...

    assert (_unguarded(Today()), _unguarded(Before())) == ({"check_guards": False}, {})


def test_the_verb_fails_in_one_line(run: Path) -> None:
    out = run / "net.pt2"
    arguments = ["--out", str(out), "--format", "torch_export"]
    for source, extra, reason in (
        (run, ["--tolerance", "-1"], "more than the tolerance"),
        (run / "no.ckpt", [], "no such file"),
    ):
        result = CliRunner().invoke(app, [str(source), *arguments, *extra])
        assert result.exit_code == 1
        assert reason in result.output
        assert result.output.startswith("lowlight export: ")
        assert result.output.count("\n") == 1
        assert not out.exists()


def test_help_needs_no_torch() -> None:
    code = "import sys; from lowlight.cli.export import app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
