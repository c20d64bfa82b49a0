"""Models are loaded by path; foreign and broken files are refused in one line."""

import io
import json
import logging
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import lowlight
from lowlight.checkpoints.pretrained import save_pretrained
from lowlight.inference.tiling.enhance import enhance_array
from lowlight.methods import Supervised
from lowlight.runtimes.load import load_engine
from lowlight.runtimes.torch_enhancer import TorchEnhancer
from tests.checkpoints.test_load import Payload
from tests.tiny import tiny


def test_a_run_a_checkpoint_and_a_pretrained_folder_enhance_alike(tmp_path: Path) -> None:
    method = tiny("autoencoder").eval()
    torch.save({"state_dict": method.state_dict(), "recipe": method.recipe}, tmp_path / "best.ckpt")
    save_pretrained(method, tmp_path / "pretrained")
    low = torch.rand(2, 3, 33, 7)
    for path in (tmp_path, tmp_path / "best.ckpt", tmp_path / "pretrained"):
        engine = load_engine(path)
        assert engine.enhance(low).equal(method.enhance(low))
        assert (engine.stride, engine.name) == (32, "autoencoder")


def test_a_run_that_learns_nothing_is_loaded_too(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "method:\n  _target_: lowlight.methods.Classical\n  name: gamma\n"
        "  function: {_target_: lowlight.methods.classical.gamma, _partial_: true, exponent: 0.5}\n"
    )
    engine = load_engine(tmp_path)
    assert engine.enhance(torch.full((1, 3, 1, 1), 0.25)).allclose(torch.tensor(0.5))
    assert (engine.stride, engine.name) == (1, "gamma")


def test_a_method_built_by_hand_is_named_by_its_network() -> None:
    assert TorchEnhancer(Supervised(nn.Conv2d(3, 3, 1))).name == "Conv2d"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    for name in ("net.onnx", "net.xml", "net.pt2", "net.ckpt", "runs"):
        with pytest.raises(ValueError, match=f"{name}: no such"):
            load_engine(tmp_path / name, trust=["torch.export"])
    with pytest.raises(ValueError, match="no run here"):
        load_engine(tmp_path)


@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".pt2", ".ckpt"])
@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04 cut"])
def test_what_is_no_model_is_refused_in_one_line(suffix: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix}").write_bytes(content)
    (tmp_path / "a.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=rf"a\{suffix}: (not a|refused)") as caught:
        load_engine(tmp_path / f"a{suffix}", trust=["torch.export"])
    assert "\n" not in str(caught.value)


def test_a_foreign_onnx_file_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    low, high = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, 4, 4]) for name in "ab"
    )
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["a"], ["b"])], "g", [low], [high])
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), tmp_path / "a.onnx")
    with pytest.raises(ValueError, match=r"a\.onnx: not written by `lowlight export`"):
        load_engine(tmp_path / "a.onnx")


def test_weights_that_are_not_beside_an_openvino_file_are_missed(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    (tmp_path / "a.xml").write_text("<net/>")
    with pytest.raises(ValueError, match=r"a\.bin, are not beside it"):
        load_engine(tmp_path / "a.xml")


@pytest.mark.parametrize(("package", "name"), [("onnxruntime", "a.onnx"), ("openvino", "a.xml")])
def test_a_missing_package_is_named_with_its_extra(
    package: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text("x")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf"{package} is not installed: pip install 'lowlight\["):
        load_engine(tmp_path / name)


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    save_pretrained(tiny("autoencoder").eval(), tmp_path)
    with pytest.raises(ValueError, match="device 'quantum' is not available"):
        load_engine(tmp_path, device="quantum")


@pytest.mark.slow
def test_auto_is_a_device_that_the_runtime_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnx", "onnxruntime", "openvino"):
        pytest.importorskip(package)
    from lowlight.runtimes.export import export

    method = Supervised(nn.Conv2d(3, 3, 1))
    for kind, name in {"onnx": "a.onnx", "openvino": "a.xml"}.items():
        export(method, tmp_path / name, kind)
        monkeypatch.setattr(
            torch.cuda, "is_available", lambda: True
        )  # a GPU for torch is none for the other runtimes
        low = torch.rand(1, 3, 4, 4)
        enhanced = load_engine(tmp_path / name, device="auto").enhance(low)
        monkeypatch.undo()
        torch.testing.assert_close(enhanced, method.enhance(low), rtol=0, atol=1e-5)


def poisoned(folder: Path) -> Path:
    """Write a valid torch.export file that touches ``harm`` when it is opened."""
    program = torch.export.export(nn.Conv2d(3, 3, 1), (torch.rand(1, 3, 4, 4),))
    torch.export.save(program, folder / "good.pt2")
    harm = io.BytesIO()
    torch.save(Payload(folder / "harm"), harm)
    with zipfile.ZipFile(folder / "good.pt2") as good, zipfile.ZipFile(folder / "a.pt2", "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            if name.endswith("model_weights_config.json"):
                config = json.loads(content)
                for weight in config["config"].values():
                    weight |= {"use_pickle": True, "path_name": "weight_0"}
                content = json.dumps(config).encode()
            elif name.endswith("weights/weight_0"):
                content = harm.getvalue()
            bad.writestr(name, content)
    return folder / "a.pt2"


def test_a_torch_export_file_which_can_run_code_is_opened_on_trust_only(tmp_path: Path) -> None:
    path = poisoned(tmp_path)
    for trust in ((), ["mypackage"]):
        with pytest.raises(ValueError, match=r"can run code when it is opened; .*--trust torch\.export"):
            load_engine(path, trust=trust)
    assert not (tmp_path / "harm").exists()
    with pytest.raises((ValueError, pickle.UnpicklingError)):
        load_engine(path, trust=["torch.export"])
    assert (tmp_path / "harm").exists()  # torch does run the code, hence the need for trust


def test_a_damaged_torch_export_file_is_refused_without_a_log_of_tracebacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    monkeypatch.setattr(logging.getLogger("torch.export"), "handlers", [handler])
    program = torch.export.export(nn.Conv2d(3, 3, 1), (torch.rand(1, 3, 4, 4),))
    torch.export.save(program, tmp_path / "good.pt2")
    changes = [(b"aten.conv2d.default", b"aten.conv9d.default"), (b": 4}", b": -4}")]  # operator, shape
    records.clear()
    for old, new in changes:
        with zipfile.ZipFile(tmp_path / "good.pt2") as good, zipfile.ZipFile(tmp_path / "a.pt2", "w") as bad:
            for name in good.namelist():
                is_graph = name.endswith("models/model.json")
                bad.writestr(name, good.read(name).replace(old, new) if is_graph else good.read(name))
        with pytest.raises(ValueError, match=r"a\.pt2: not a torch\.export file") as caught:
            load_engine(tmp_path / "a.pt2", trust=["torch.export"])
        assert "\n" not in str(caught.value)
    assert records == []
    logging.getLogger("torch.export").warning("heard again")
    assert len(records) == 1


@pytest.mark.parametrize(("precision", "levels"), [("bf16", 8), ("fp16", 2)])
def test_a_lower_precision_is_close_whole_and_in_tiles(precision: str, levels: int) -> None:
    method = tiny("coarse_to_fine").eval()
    low = torch.rand(1, 3, 40, 48) / 4
    exact = TorchEnhancer(method).enhance(low)
    assert exact.equal(TorchEnhancer(method, "fp32").enhance(low))
    enhancer = TorchEnhancer(method, precision)
    enhanced = enhancer.enhance(low)
    assert enhanced.dtype == torch.float32
    assert 0 < (enhanced - exact).abs().max() * 255 < levels
    pixels = (low[0].permute(1, 2, 0) * 65535).numpy().astype(np.uint16)
    whole, tiles, in_fp32 = (
        enhance_array(one, pixels, tile=side).astype(float) / 257
        for one, side in ((enhancer, None), (enhancer, 16), (TorchEnhancer(method), 16))
    )
    assert np.abs(whole - tiles).max() < levels
    assert np.abs(in_fp32 - tiles).max() > 0  # the windows are computed in the precision asked for


def test_the_precision_is_checked_where_a_model_is_chosen(tmp_path: Path) -> None:
    low = torch.rand(1, 3, 16, 16) / 8
    exact, lower = (lowlight.enhance(low, "coarse_to_fine", precision=name) for name in ("auto", "bf16"))
    assert 0 < (exact - lower).abs().max() < 0.05
    with pytest.raises(ValueError, match="precision 'int4' is none of auto, fp32, bf16, fp16"):
        lowlight.enhance(low, precision="int4")
    (tmp_path / "net.onnx").touch()
    with pytest.raises(ValueError, match=r"net\.onnx: an exported network has a precision of its own"):
        load_engine(tmp_path / "net.onnx", precision="bf16")


@pytest.mark.parametrize("device", ["mps", "xpu", "meta", "toaster"])
def test_a_device_that_is_not_here_is_refused_in_one_line(device: str) -> None:
    if device == torch.accelerator.current_accelerator(check_available=True):
        pytest.skip("this device is here")
    with pytest.raises(ValueError, match=f"device '{device}' is not available") as caught:
        lowlight.enhance(torch.rand(1, 3, 8, 8), device=device)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=f"device '{device}' is not available") as caught:
        lowlight.load("gamma", device=device)  # which has no weights to be there
    assert "\n" not in str(caught.value)
