"""The additions that docs/extend.md describes work as written there, and the methods of examples/ too."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from PIL import ExifTags, Image
from pytorch_lightning import Trainer

import lowlight.images
import lowlight.methods
import lowlight.metrics
import lowlight.networks
import lowlight.runtimes
from lowlight import losses
from lowlight.checkpoints import build, load
from lowlight.config import load_config
from lowlight.data import PairDataModule
from lowlight.decoding.photo import from_pillow
from lowlight.inference.photos import writing
from lowlight.methods import Method
from lowlight.runtimes.export import export
from lowlight.runtimes.load import load_engine
from tests.docs.pages import ROOT, calls, commands, write_files

PAGE = ROOT / "docs" / "extend.md"


@pytest.fixture
def additions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write the page's files into a folder, and let the packages of lowlight continue there."""
    write_files(PAGE, tmp_path)
    for package in (lowlight.networks, lowlight.methods, lowlight.metrics, lowlight.runtimes):
        part = package.__name__.replace(".", "/")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / part)])
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:  # but not others, such as torch's, which register things once
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def compose_method(config_folder: Path, name: str, *overrides: str) -> Method:
    search = f"hydra.searchpath=[file://{config_folder}]"
    return build(load_config([search, f"method={name}", *overrides]).method)


def train_step(method: Method) -> None:
    """Descend once on a batch, as training does, and require that the loss falls."""
    high = torch.rand(2, 3, 16, 16)
    batch = {"low": high / 4, "high": high, "name": ["a", "b"]}
    made = method.configure_optimizers()
    optimizer = made["optimizer"] if isinstance(made, dict) else made
    before = method.loss(method.restore(batch["low"]), batch)
    for _ in range(3):
        optimizer.zero_grad()
        method.loss(method.restore(batch["low"]), batch).backward()
        optimizer.step()
    assert method.loss(method.restore(batch["low"]), batch) < before


def round_trip(method: Method, folder: Path, trust: list[str]) -> None:
    """Require that a checkpoint gives the same method back."""
    torch.save({"state_dict": method.state_dict(), "recipe": method.recipe}, folder / "best.ckpt")
    low = torch.rand(1, 3, 9, 5)
    assert torch.equal(load(folder / "best.ckpt", trust=trust).enhance(low), method.enhance(low))


def test_the_config_of_ones_own_composes(additions: Path) -> None:
    method = compose_method(additions / "mine", "sharp", "method.net.channels=[4,4,4,4,4]")
    high = torch.rand(1, 3, 32, 32)
    batch = {"low": high / 4, "high": high, "name": ["a"]}
    expected = losses.l1(high / 2, high) + 0.2 * losses.ssim_loss(high / 2, high)
    assert torch.isclose(method.loss(high / 2, batch), expected)


def test_the_network_trains_and_is_read_back(additions: Path) -> None:
    (tiny_line,) = re.findall(r'^    "gain": \[(.*)\],$', PAGE.read_text(), re.MULTILINE)
    method = compose_method(additions / "conf", "gain", tiny_line.strip('"'))
    train_step(method)
    round_trip(method, additions, trust=[])


def test_the_method_with_a_step_of_its_own_trains(
    additions: Path, lol: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(additions)
    method = compose_method(additions / "conf", "noisy", "method.net.channels=4")
    data = PairDataModule(lol, batch_size=2, patch_size=16)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False}
    Trainer(max_epochs=1, accelerator="cpu", **quiet).fit(method, data)
    assert method.trainer.callback_metrics["train/loss"] > 0
    round_trip(method, additions, trust=[])


def test_the_loss_sees_the_dark_image(additions: Path) -> None:
    loss = import_module("mine.brightness").brightness
    low, high = torch.full((1, 3, 4, 4), 0.1), torch.rand(1, 3, 4, 4)
    assert torch.isclose(losses.apply_loss(loss, low, high, low, None), torch.tensor(0.16))


def test_the_metric_measures(additions: Path) -> None:
    metric = import_module("lowlight.metrics.mean_error").MEAN_ERROR
    high = torch.rand(2, 3, 8, 8)
    assert torch.allclose(metric.measure(high / 2, high), high.mean((1, 2, 3)) / 2)


def test_the_layout_of_ones_own_is_read(additions: Path, lol: Path) -> None:
    for split, own_split in {"our485": "Training", "eval15": "testing"}.items():
        for role, own_role in {"low": "dark", "high": "bright"}.items():
            shutil.copytree(lol / split / role, additions / "darkroom" / own_split / own_role)
    search = f"hydra.searchpath=[file://{additions / 'mine'}]"
    config = load_config([search, "data=darkroom", f"data.root={additions / 'darkroom'}"]).data
    data = instantiate(config)
    data.setup("test")
    assert len(data.test_dataloader().dataset) == 2


def test_the_output_format_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (suffix, form) = re.findall(r'^    "(\.jp2)": (Format\(.*\)),$', PAGE.read_text(), re.MULTILINE)[0]
    monkeypatch.setitem(writing.FORMATS, suffix, eval(form, vars(writing)))
    pixels = (torch.rand(8, 8, 3) * 255).byte().numpy()
    assert writing.write_photo(from_pillow(Image.fromarray(pixels)), tmp_path / f"a{suffix}") == ()
    with Image.open(tmp_path / f"a{suffix}") as file:
        assert file.size == (8, 8)


@pytest.mark.slow
def test_the_runtime_exports_and_enhances(additions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = import_module("lowlight.runtimes.table")
    runtime = import_module("lowlight.runtimes.onnx_reference").REFERENCE
    monkeypatch.setattr(table, "RUNTIMES", (*table.RUNTIMES, runtime))
    method = compose_method(additions / "conf", "gain")
    export(method, additions / "net.onnxref", "reference")
    low = torch.rand(1, 3, 9, 5)
    expected = method.enhance(low)
    assert torch.allclose(load_engine(additions / "net.onnxref").enhance(low), expected, atol=1e-5)


def test_the_example_method_trains_and_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "own_method"))
    method = compose_method(ROOT / "examples" / "own_method", "curve", "method.net.channels=4")
    train_step(method)
    with pytest.raises(ValueError, match="not trusted"):
        round_trip(method, tmp_path, trust=[])
    round_trip(method, tmp_path, trust=["curve"])


def test_the_example_script_enhances_a_folder(
    lol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    script = import_module("enhance_folder")
    script.main(lol / "eval15" / "low", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7.png", "8.png"]
    changes = re.findall(r"mean ([\d.]+) -> ([\d.]+)", capsys.readouterr().out)
    assert len(changes) == 2
    assert all(float(after) > float(before) for before, after in changes)


def test_the_example_script_keeps_what_a_jpeg_holds_and_names_what_it_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    exif, profile = Image.Exif(), b"a profile"
    exif[ExifTags.Base.Make] = "a camera"
    for name, level in {"dark": 9, "bright": 200}.items():
        Image.new("RGB", (32, 24), (level,) * 3).save(
            tmp_path / f"{name}.jpg", exif=exif, icc_profile=profile
        )
    import_module("enhance_folder").main(tmp_path, tmp_path / "out")
    for name in ("dark", "bright"):
        with Image.open(tmp_path / "out" / f"{name}.jpg") as file:
            assert file.getexif()[ExifTags.Base.Make] == "a camera"
            assert file.info["icc_profile"] == profile
    assert [line for line in capsys.readouterr().out.splitlines() if "unchanged" in line] == [
        "bright.jpg: unchanged"
    ]


@pytest.mark.slow
def test_the_example_methods_commands_train_and_enhance(lol: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "examples" / "own_method", tmp_path / "own_method")
    shutil.copy(lol / "eval15" / "low" / "7.png", folder / "dark.jpg")
    (python_path,) = [words[1] for words in commands(folder / "README.md") if words[0] == "export"]
    small = ["check=debug", f"data.root={lol}", "data=lol", "data.patch_size=16", "data.batch_size=2"]
    # as the console script: unlike with -m, the current folder is no place for modules
    script = "import sys; sys.path[:1] = sys.argv.pop(1).split(); from lowlight.cli import main; main()"
    environment = os.environ | dict([python_path.split("=")]) | {"OMP_NUM_THREADS": "1"}
    for verb, arguments in calls(folder / "README.md"):
        command = [sys.executable, "-c", script, str(ROOT), verb, *arguments]
        command += small if verb == "train" else []
        subprocess.run(command, cwd=folder, env=environment, check=True)
    assert (folder / "bright" / "dark.jpg").exists()
