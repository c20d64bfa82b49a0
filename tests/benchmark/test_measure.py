"""What `lowlight benchmark` measures, on small networks."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from lowlight.benchmark import measure as measuring
from lowlight.benchmark.measure import benchmark
from lowlight.checkpoints.pretrained import save_pretrained
from lowlight.cli.benchmark import _megabytes, app
from lowlight.memory import resident
from lowlight.report import latency
from lowlight.runtimes.torch_enhancer import TorchEnhancer
from tests.tiny import tiny


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return pretrained folders of small networks, the first with a test score."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("coarse_to_fine", "autoencoder"):
        save_pretrained(tiny(name), folder / name)
    (folder / "coarse_to_fine" / "metrics.json").write_text('{"test/psnr": 20.5}')
    return [str(folder / name) for name in ("coarse_to_fine", "autoencoder")]


@pytest.mark.slow
def test_every_model_is_measured_in_every_engine_at_every_size(models: list[str]) -> None:
    result = benchmark(models, sizes=[(64, 32), (40, 24)], engines=["torch", "bf16"], rounds=3)
    rows = result["rows"]
    measured = [(row["model"], row["engine"], row["width"]) for row in rows]
    assert measured == [(m, e, w) for w in (64, 40) for m in models for e in ("torch", "bf16")]
    for row in rows:
        assert 0 < row["quartiles"][0] <= row["milliseconds"] <= row["quartiles"][1]
        assert row["megapixels_per_s"] == pytest.approx(
            row["width"] * row["height"] / 1000 / row["milliseconds"]
        )
    assert rows[0]["ratio"] == rows[4]["ratio"] == 1
    assert rows[0]["gmac"] == rows[1]["gmac"] > rows[4]["gmac"] > 0
    assert [row["psnr"] for row in rows[:4]] == [20.5, None, None, None]
    assert result["failed"] == result["training"] == []


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "told"), [(-1.0, True), (float("inf"), False)])
def test_a_noisy_machine_is_told_of(limit: float, told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "NOISY", limit)
    result = CliRunner().invoke(app, ["gamma", "--size", "16x16", "--rounds", "2"])
    assert ("THE MACHINE WAS NOISY" in result.output) is told


@pytest.mark.slow
@pytest.mark.skipif(not resident(), reason="other systems do not tell a process its size")
def test_buffers_that_a_runtime_keeps_count_at_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """It allocates for the first call at a size, if it holds less, and takes nothing for the next ones."""

    class Keeping:
        held = torch.empty(0)

        def enhance(self, low: torch.Tensor) -> torch.Tensor:
            if self.held.numel() < 1000 * low[0, 0].numel():
                self.held = torch.empty(0)
                self.held = torch.ones(1000 * low[0, 0].numel())
            return low

    monkeypatch.setattr(measuring, "TorchEnhancer", lambda _: Keeping())
    rows = benchmark(["gamma"], sizes=[(150, 200), (100, 100), (150, 100)], rounds=2)["rows"]
    assert [row["width"] * row["height"] for row in rows] == [30_000, 10_000, 15_000]
    for row in rows:
        assert row["memory_mb"] * 1e6 == pytest.approx(4000 * row["width"] * row["height"], rel=0.3)


def test_multiply_accumulates_are_counted_by_hand() -> None:
    from lowlight.methods import Supervised

    method = Supervised(nn.Conv2d(3, 5, 3, padding=1))
    assert measuring._gmac(method, torch.rand(1, 3, 10, 20)) == pytest.approx(20 * 10 * 3 * 5 * 9 / 1e9)


def test_memory_that_nobody_tells_is_left_out_and_broken_scores_are_no_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lowlight.memory.STATM", tmp_path / "absent")  # as on systems other than Linux
    save_pretrained(tiny("autoencoder"), tmp_path / "run")
    (tmp_path / "run" / "metrics.json").write_text("{broken")
    (row,) = benchmark([str(tmp_path / "run")], sizes=[(32, 32)], rounds=2)["rows"]
    assert (row["memory_mb"], row["psnr"]) == (None, None)
    printed = _megabytes(row), _megabytes({"memory_mb": 2.6})
    assert printed == ("-", "3")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [RuntimeError, MemoryError])
def test_what_fails_while_it_runs_is_told_of_and_the_rest_measured(
    kind: type[Exception], models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(TorchEnhancer):
        def enhance(self, low: torch.Tensor) -> torch.Tensor:
            if self.dtype is torch.bfloat16 and low.shape[-1] > 32:
                raise kind("out of memory\nlong trace")
            return low

    monkeypatch.setattr(measuring, "TorchEnhancer", Failing)
    result = benchmark(models[:1], sizes=[(32, 32), (48, 32)], engines=["torch", "bf16"], rounds=2)
    assert [(row["engine"], row["width"]) for row in result["rows"]] == [("torch", 32), ("torch", 48)]
    assert result["failed"] == [{"model": models[0], "engine": "bf16", "reason": "out of memory"}]


@pytest.mark.slow
def test_too_small_crops_do_not_cost_the_other_measurements(models: list[str]) -> None:
    result = benchmark(models[:1], sizes=[(32, 32)], rounds=2, train=(2, 8))
    assert len(result["rows"]) == 1
    assert result["training"] == []
    assert [(one["engine"], "11" in one["reason"]) for one in result["failed"]] == [("training", True)]


@pytest.mark.slow
def test_training_steps_are_timed_of_what_learns(models: list[str]) -> None:
    training = benchmark([*models, "gamma"], sizes=[(32, 32)], rounds=2, train=(2, 32))["training"]
    assert [row["model"] for row in training] == models
    for row in training:
        assert row["images_per_s"] == pytest.approx(2000 / row["milliseconds"])


@pytest.mark.slow
def test_a_compiled_method_is_measured_where_there_is_a_compiler(models: list[str]) -> None:
    result = benchmark(models[:1], sizes=[(32, 24)], engines=["torch", "compile"], rounds=2)
    assert len(result["rows"]) + len(result["failed"]) == 2
    if shutil.which("g++"):
        assert [row["engine"] for row in result["rows"]] == ["torch", "compile"]


@pytest.mark.slow
def test_an_engine_that_cannot_run_a_method_is_told_of_and_the_rest_done() -> None:
    pytest.importorskip("onnx")
    result = benchmark(["gamma", "lime"], sizes=[(32, 32)], engines=["torch", "onnx"], rounds=2)
    assert [(row["model"], row["engine"]) for row in result["rows"]] == [
        ("gamma", "torch"),
        ("gamma", "onnx"),
        ("lime", "torch"),
    ]
    assert [(row["model"], row["engine"]) for row in result["failed"]] == [("lime", "onnx")]
    assert "lime" in result["failed"][0]["reason"]


def test_weights_that_come_along_are_timed_by_their_name() -> None:
    result = benchmark(["coarse_to_fine_small"], sizes=[(32, 32)], rounds=2)
    assert [row["model"] for row in result["rows"]] == ["coarse_to_fine_small"]


@pytest.mark.slow
def test_the_verb_prints_a_table_and_writes_json_and_the_plot(models: list[str], tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    arguments = [*models, "gamma", "--size", "32x24", "--rounds", "2", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "--threads", "1"])
    torch.set_num_threads(threads)
    assert result.exit_code == 0, result.output
    assert "GMAC" in result.output
    assert result.output.count("32x24") == 3
    written = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert len(written["rows"]) == 3
    assert written["about"]["threads"] == 1
    assert (tmp_path / "out" / "latency.png").stat().st_size > 5000


def test_the_figure_tells_runs_of_one_name_apart_and_does_not_outlive_their_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def draw(points: list[tuple[str, str, float, float]], _: object) -> bytes:
        drawn.extend(point[0] for point in points)
        return b"a figure"

    monkeypatch.setattr(latency, "draw_latency", draw)
    row = {"engine": "torch", "milliseconds": 1.0, "width": 8, "height": 8}
    rows = [row | {"model": model, "psnr": 20.0} for model in ("a/run", "b/run", "b/gan", "b/gan")]
    latency.write({"rows": rows}, tmp_path)
    assert drawn == ["a/run", "b/run", "gan", "gan"]
    latency.write({"rows": [row | {"model": "gamma", "psnr": None}]}, tmp_path)
    assert not (tmp_path / "latency.png").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["absent"], "absent is no method, no run and no checkpoint"),
        (["gamma", "--size", "600"], "--size=600 is no pair of numbers such as 600x400"),
        (["gamma", "--device", "warp"], "device 'warp' is not available"),
        (["gamma", "--engine", "tpu"], "no engine tpu; there are torch, bf16"),
        (["gamma", "--train", "0x3"], "--train=0x3 is no pair"),
    ],
)
def test_the_verb_fails_in_one_line(arguments: list[str], reason: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert result.output.startswith("lowlight benchmark: ")
    assert reason in result.output
    assert result.output.count("\n") == 1
