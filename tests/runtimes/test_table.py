"""A runtime is its file and one line in the table; everything else follows."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.export import ExportedProgram
from typer.testing import CliRunner

from lowlight.benchmark.measure import ENGINES
from lowlight.cli.export import app
from lowlight.methods import Supervised
from lowlight.runtimes import table
from lowlight.runtimes.export import export
from lowlight.runtimes.load import load_engine
from lowlight.runtimes.runtime import Opened, Runtime
from lowlight.runtimes.table import RUNTIMES
from lowlight.runtimes.tensors import on_arrays


def write(program: ExportedProgram, path: Path, metadata: str) -> None:
    torch.save({"metadata": metadata, "weights": dict(program.state_dict)}, path)
    path.with_suffix(".more").write_text("more")


def open_file(path: Path, device: str) -> Opened:
    content = torch.load(path)
    weights = content["weights"]
    run = partial(on_arrays, lambda low: nn.functional.conv2d(low, *weights.values()))
    return Opened(run, content["metadata"])


TOY = Runtime("toy", ".toy", open_file, write, companion=".more")


def test_a_new_runtime_is_exported_to_compared_and_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "RUNTIMES", (*RUNTIMES, TOY))
    method, low = Supervised(nn.Conv2d(3, 3, 1)), torch.rand(1, 3, 5, 7)
    with pytest.raises(ValueError, match=r"must end in \.toy"):
        export(method, tmp_path / "net.onnx", "toy")
    export(method, tmp_path / "net.toy", "toy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.more", "net.toy"]
    enhancer = load_engine(tmp_path / "net.toy")
    assert enhancer.name == "Conv2d"
    torch.testing.assert_close(enhancer.enhance(low), method.enhance(low))


def test_trust_and_missing_packages_follow_from_the_description(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(path: Path, device: str) -> Opened:
        raise ModuleNotFoundError(name="toys")

    wary = Runtime("wary", ".wary", missing, write, extra="export", trust="toys")
    monkeypatch.setattr(table, "RUNTIMES", (wary,))
    (tmp_path / "net.wary").touch()
    with pytest.raises(ValueError, match=r"a toys file can run code when it is opened; .*--trust toys"):
        load_engine(tmp_path / "net.wary")
    with pytest.raises(ValueError, match=r"toys is not installed: pip install 'lowlight\[export\]'"):
        load_engine(tmp_path / "net.wary", trust=["toys"])


def test_names_and_suffixes_stand_once_and_are_offered_by_the_commands() -> None:
    assert (
        len({runtime.name for runtime in RUNTIMES}) == len({one.suffix for one in RUNTIMES}) == len(RUNTIMES)
    )
    assert ("torch", "bf16", "fp16", "compile", *(runtime.name for runtime in RUNTIMES), "int8") == ENGINES
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "300"}).output
    for runtime in RUNTIMES:
        assert runtime.name in text
        assert runtime.suffix in text
