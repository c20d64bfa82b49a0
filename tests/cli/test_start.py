"""What the commands import: a user waits for nothing that is not needed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lowlight.checkpoints import save_pretrained
from lowlight.inference.photos.enhance import enhance_pixels
from lowlight.inference.settings import Settings
from lowlight.methods import Supervised
from lowlight.runtimes.openvino import openvino_core
from lowlight.runtimes.torch_enhancer import TorchEnhancer
from tests.conftest import photograph
from tests.tiny import LEARNT, tiny

HEAVY = {
    "hydra",
    "kornia",
    "lightning_fabric",
    "lowlight.methods.base",
    "matplotlib",
    "omegaconf",
    "pytorch_lightning",
    "scipy",
    "torch._dynamo",
    "torchmetrics",
}
"""What enhancing a photograph does not need."""

RUN = """
import json, sys
from lowlight.cli.enhance import app
status = 0
for arguments in json.loads(sys.argv[1]):
    status = max(status, app(arguments, standalone_mode=False) or 0)
print(json.dumps([status, sorted(sys.modules)]))
"""


def imported_by(*calls: list[str | Path]) -> tuple[int, set[str]]:
    """Enhance in one new process; return the highest exit status and the modules that were imported."""
    arguments = json.dumps([[str(one) for one in call] for call in calls])
    done = subprocess.run([sys.executable, "-c", RUN, arguments], check=True, capture_output=True, text=True)
    status, modules = json.loads(done.stdout.splitlines()[-1])
    return status, set(modules)


def exported(net: nn.Conv2d, path: Path) -> Path:
    """Write a convolution as `lowlight export` would, in less time."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make = onnx.helper
    low, out = (
        make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["b", 3, "h", "w"])
        for name in ("low", "out")
    )
    weights = [
        onnx.numpy_helper.from_array(one.detach().numpy(), name) for name, one in net.named_parameters()
    ]
    node = make.make_node("Conv", ["low", "weight", "bias"], ["out"], pads=[1, 1, 1, 1])
    graph = make.make_graph([node], "net", [low], [out], weights)
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8)
    about = json.dumps({"stride": 1, "halo": 1, "method": "toy"})
    if path.suffix == ".onnx":
        make.set_model_props(model, {"lowlight": about})
        onnx.save(model, path)
    else:
        openvino = pytest.importorskip("openvino")
        onnx.save(model, path.with_suffix(".onnx"))
        read = openvino_core(openvino).read_model(path.with_suffix(".onnx"))
        read.set_rt_info(about, ["lowlight"])
        openvino.save_model(read, path, compress_to_fp16=False)
    return path


@pytest.fixture
def dark(tmp_path: Path) -> Path:
    Image.new("RGB", (40, 30), (20, 24, 28)).save(tmp_path / "dark.png")
    return tmp_path / "dark.png"


@pytest.mark.slow
def test_enhancing_imports_torch_but_not_what_trains(dark: Path, tmp_path: Path) -> None:
    for name in LEARNT:
        save_pretrained(tiny(name), tmp_path / name)
    calls = [[dark, "--no-fail-safe", "--out", tmp_path / "out"]]
    calls += [[*calls[0][:-1], tmp_path / f"by_{name}", "--checkpoint", tmp_path / name] for name in LEARNT]
    status, modules = imported_by(*calls)
    assert (status, "torch" in modules) == (0, True)
    assert modules & HEAVY == set()
    assert all((call[3] / "dark.png").is_file() for call in calls)


@pytest.mark.slow
def test_enhancing_by_a_function_imports_no_more(dark: Path, tmp_path: Path) -> None:
    status, modules = imported_by([dark, "--method", "gamma", "--out", tmp_path / "out"])
    assert status == 0
    assert modules & HEAVY <= {"omegaconf"}  # reads the names of the methods
    assert (tmp_path / "out/dark.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_an_exported_network_enhances_without_torch_and_as_with_it(suffix: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Conv2d(3, 3, 3, padding=1)
    with torch.no_grad():
        net.weight.abs_().mul_(0.7)
    path = exported(net, tmp_path / f"net{suffix}")
    pixels = photograph(1, 203, 150) // 3
    Image.fromarray(pixels).save(tmp_path / "dark.png")
    calls: list[list[str | Path]] = [
        [tmp_path / "dark.png", "--out", tmp_path / name, "--checkpoint", path, "--no-fail-safe", *options]
        for name, options in {"whole": (), "tiles": ("--tile", "1"), "half": ("--strength", "0.5")}.items()
    ]
    status, modules = imported_by(*calls)
    assert status == 0
    assert modules & {"torch", "pandas", *HEAVY} == set()
    enhancer = TorchEnhancer(Supervised(net))
    for name, strength in (("whole", 1), ("tiles", 1), ("half", 0.5)):
        written = np.asarray(Image.open(tmp_path / name / "dark.png"))
        expected, _ = enhance_pixels(enhancer, pixels, Settings(strength, fail_safe=False))
        assert np.abs(written.astype(int) - expected).max() <= 1
    assert written.mean() > 1.2 * pixels.mean()


def test_an_exported_network_enhances_videos_without_torch(tmp_path: Path) -> None:
    pytest.importorskip("av")
    from tests.inference.video.clips import still, write_clip

    path = exported(nn.Conv2d(3, 3, 3, padding=1), tmp_path / "net.onnx")
    clip = write_clip(tmp_path / "clip.mp4", still([0.2, 0.25, 0.2]))
    status, modules = imported_by([clip, "--out", tmp_path / "out", "--checkpoint", path])
    assert (status, modules & {"torch", "pandas", *HEAVY}) == (0, set())
    assert (tmp_path / "out/clip.mp4").is_file()


LIBRARY = """
import json, sys
import numpy as np
from PIL import Image
import lowlight
model = lowlight.load(sys.argv[1])
image = np.full((9, 11, 3), 40, np.uint8)
assert np.array_equal(lowlight.enhance(image, model), lowlight.enhance(image, sys.argv[1]))
enhanced = lowlight.enhance(Image.fromarray(image), model, strength=0.5)
print(json.dumps([enhanced.size, sorted(sys.modules)]))
"""


def test_the_library_enhances_arrays_and_pictures_without_torch(tmp_path: Path) -> None:
    path = exported(nn.Conv2d(3, 3, 3, padding=1), tmp_path / "net.onnx")
    command = [sys.executable, "-c", LIBRARY, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    size, modules = json.loads(done.stdout)
    assert size == [11, 9]
    assert set(modules) & {"torch", "pandas", *HEAVY} == set()


def test_a_missing_file_is_told_before_torch_is_imported(tmp_path: Path) -> None:
    status, modules = imported_by([tmp_path / "dark.png", "--out", tmp_path / "out"])
    assert (status, modules & {"torch", *HEAVY}) == (1, set())


def test_what_exists_is_skipped_before_torch_is_imported(dark: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/dark.png").touch()
    status, modules = imported_by([dark, "--skip-existing", "--out", tmp_path / "out"])
    assert status == 0
    assert "torch" not in modules


REFUSALS = """
import io, json, sys
from contextlib import redirect_stderr
from importlib import import_module
sys.path.insert(0, sys.argv[1])
said = []
for verb, *arguments in json.loads(sys.argv[2]):
    sys.argv = [f"lowlight-{verb}", *arguments]
    with redirect_stderr(io.StringIO()) as stderr:
        try:
            import_module(f"lowlight.cli.{verb}").main()
        except SystemExit as stop:
            if isinstance(stop.code, str):
                print(stop.code, file=sys.stderr)
            elif stop.code != 1:
                print("exit status", stop.code, file=sys.stderr)
    said.append(stderr.getvalue())
print(json.dumps(said))
"""
"""Say what commands print on stderr that end with status 1."""


@pytest.mark.slow
def test_what_is_wrong_with_a_command_is_told_before_torch_is_imported(dark: Path, tmp_path: Path) -> None:
    enhance = ["enhance", str(dark), "--out", str(tmp_path / "out")]
    missing = "missing.ckpt: no such file or folder\n"
    refused = [
        ([*enhance, "--checkpoint", "missing.ckpt"], f"lowlight enhance: {missing}"),
        (
            [*enhance, "--method", "magic"],
            "lowlight enhance: magic is no method: give a checkpoint, or one of",
        ),
        ([*enhance, "--method", "mirnet"], "lowlight enhance: mirnet must be trained first"),
        (
            [*enhance, "--method", "gamma", "--checkpoint", "a.ckpt"],
            "lowlight enhance: give --checkpoint or --method, not both",
        ),
        ([*enhance, "--precision", "fp64"], "lowlight enhance: precision 'fp64' is none of auto, fp32"),
        ([*enhance, "--strength", "3"], "lowlight enhance: strength must be from 0 to 2"),
        ([*enhance, "--max-memory", "much"], "lowlight enhance: --max-memory=much is no size"),
        (["export", "missing.ckpt", "--out", str(tmp_path / "net.onnx")], f"lowlight export: {missing}"),
        (["evaluate", "checkpoint=missing.ckpt", f"output_dir={tmp_path}/scores"], f"error: {missing}"),
    ]
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    command = [sys.executable, "-c", REFUSALS, str(tmp_path), json.dumps([words for words, _ in refused])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for (_, told), said in zip(refused, json.loads(done.stdout.splitlines()[-1]), strict=True):
        assert said.startswith(told)
