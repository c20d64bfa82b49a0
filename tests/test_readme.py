"""The README's Python runs as written."""

import re
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from lowlight import losses
from lowlight.checkpoints.recipe import build
from lowlight.colour import blend
from lowlight.config import load_config
from lowlight.images import Batch
from tests.tiny import tiny

README = Path(__file__).parent.parent / "README.md"


def test_the_enhancing_example_enhances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _ = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    method = tiny("mirnet")
    (tmp_path / "outputs" / "mirnet").mkdir(parents=True)
    weights = {"state_dict": method.state_dict(), "recipe": method.recipe}
    torch.save(weights, tmp_path / "outputs" / "mirnet" / "best.ckpt")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"image": torch.rand(3, 9, 5) / 5}
    exec(compile(code, str(README), "exec"), names)
    expected = blend(names["image"][None], method.eval().enhance(names["image"][None]), 0.8)
    assert torch.allclose(names["bright"], expected[0], atol=1e-6)


def test_the_library_example_trains_and_enhances(
    lol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, code = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    code = code.replace("PairDataModule()", f"PairDataModule({str(lol)!r}, batch_size=2, patch_size=32)")
    code = code.replace(
        "max_epochs=1", "max_epochs=1, accelerator='cpu', logger=False, enable_progress_bar=False"
    )
    names: dict[str, object] = {}
    exec(compile(code, str(README), "exec"), names)
    method = names["method"]
    assert isinstance(method, pl.LightningModule)
    assert isinstance(method.net, nn.Module)
    assert method.enhance(torch.rand(1, 3, 9, 5)).shape == (1, 3, 9, 5)


def test_the_method_of_ones_own_composes_and_trains(tmp_path: Path) -> None:
    (code,) = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    path = tmp_path / "mine" / "method" / "sharp.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(code)
    searched = f"hydra.searchpath=[file://{path.parent.parent}]"
    method = build(load_config(["method=sharp", "method.net.channels=[4,4,4,4,4]", searched]).method)
    high = torch.rand(1, 3, 32, 32)
    batch: Batch = {"low": high / 4, "high": high, "name": ["a"]}
    expected = losses.l1(high / 2, high) + 0.2 * losses.ssim_loss(high / 2, high)
    assert torch.isclose(method.loss(high / 2, batch), expected)


def test_every_file_the_readme_links_to_is_there() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", README.read_text()):
        assert link.startswith("https://") or (README.parent / link).exists(), link
