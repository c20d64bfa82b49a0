"""``auto`` is bf16 where the hardware computes it, else fp32; the run says which and records it."""

import logging
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from lowlight.callbacks.resuming import EpochSeed
from lowlight.config import available, config_folder, load_config
from lowlight.evaluation.evaluate import evaluate
from lowlight.precision import inference_dtype, report, training_precision
from tests.tiny_runs import Kill, manifest, run

LAPTOP = {"capability": "AVX2", "bf16": False, "amx": False, "onednn": False}
SERVER = {"capability": "AVX512", "bf16": True, "amx": False, "onednn": True}


def play(monkeypatch: pytest.MonkeyPatch, cpu: dict[str, object]) -> None:
    """Let torch find a CPU of another kind, and no GPU."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: cpu["capability"])
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: cpu["bf16"])
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: cpu["amx"])
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: cpu["onednn"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("cpu", "used", "why"),
    [
        (LAPTOP, "32-true", "no AVX512-BF16 or AMX"),
        (SERVER, "bf16-mixed", "computes bfloat16"),
        (SERVER | {"bf16": False, "amx": True}, "bf16-mixed", "computes bfloat16"),
        (SERVER | {"bf16": False}, "32-true", "no AVX512-BF16 or AMX"),  # AVX512 alone emulates
        (SERVER | {"capability": "AVX2"}, "32-true", "torch may not use"),  # ATEN_CPU_CAPABILITY=avx2
        (SERVER | {"onednn": False}, "32-true", "torch may not use"),  # ONEDNN_MAX_CPU_ISA=AVX2
    ],
)
def test_auto_on_a_cpu_is_what_it_computes(
    cpu: dict[str, object], used: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, cpu)
    for accelerator in ("auto", "cpu"):
        precision = training_precision({"accelerator": accelerator, "precision": "auto"})
        assert (precision.asked, precision.used) == ("auto", used)
        assert why in precision.why


@pytest.mark.parametrize(
    ("gpus", "used"),
    [
        ([(8, 0)], "bf16-mixed"),
        ([(7, 5)], "32-true"),
        ([(9, 0), (7, 0)], "32-true"),
    ],
)
def test_auto_on_gpus_is_what_all_of_them_compute(
    gpus: list[tuple[int, int]], used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, LAPTOP)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: gpus[index])
    for trainer in ("auto", "gpu"):
        assert training_precision({"accelerator": trainer, "precision": "auto"}).used == used
    assert training_precision({"accelerator": "cpu", "precision": "auto"}).used == "32-true"


def test_without_torchs_private_probes_the_kernel_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for cpu in (LAPTOP, SERVER):
        play(monkeypatch, cpu)
        monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
        flags = "avx2 avx512_bf16" if cpu["bf16"] else "avx2"
        monkeypatch.setattr(Path, "read_text", lambda *_, flags=flags, **__: flags)
        used = training_precision({"accelerator": "cpu", "precision": "auto"}).used
        assert used == ("bf16-mixed" if cpu is SERVER else "32-true")
        monkeypatch.undo()


@pytest.mark.parametrize("name", available("experiment"))
def test_no_preset_prescribes_what_some_cpus_emulate(name: str) -> None:
    preset = OmegaConf.load(config_folder() / "experiment" / f"{name}.yaml")
    assert OmegaConf.select(preset, "trainer.precision", default="32-true") in ("32-true", "auto")


def test_a_run_says_and_records_its_precision_even_if_it_changes_machines(
    lol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = ("resume=auto", "trainer.precision=auto")
    caplog.set_level(logging.INFO)
    begin = EpochSeed.on_train_epoch_start

    def kill(self: EpochSeed, trainer: object, pl_module: object) -> None:
        if trainer.current_epoch == 1:  # type: ignore[attr-defined]
            raise Kill
        begin(self, trainer, pl_module)  # type: ignore[arg-type]

    with monkeypatch.context() as there:
        play(there, SERVER)
        there.setattr(EpochSeed, "on_train_epoch_start", kill)
        with pytest.raises(Kill):
            run("autoencoder", lol, tmp_path, *settings)
    assert caplog.text.count("trainer.precision=auto: bf16-mixed, since this CPU computes bfloat16") == 1
    assert "goes on with" not in caplog.text
    assert "precision: auto" in (tmp_path / "config.yaml").read_text()
    play(monkeypatch, LAPTOP)
    run("autoencoder", lol, tmp_path, *settings)
    assert "trainer.precision=auto: 32-true, since this CPU has no AVX512-BF16" in caplog.text
    assert "trained with precision bf16-mixed so far, this run goes on with 32-true" in caplog.text
    recorded = manifest(tmp_path)["precision"]
    assert (recorded["asked"], recorded["used"]) == ("auto", ["bf16-mixed", "32-true"])


@pytest.mark.parametrize("asked", ["bf16-mixed", "16-mixed"])
@pytest.mark.parametrize(("cpu", "told"), [(LAPTOP, True), (SERVER, False)])
def test_a_precision_that_is_emulated_is_warned_of(
    asked: str,
    cpu: dict[str, object],
    told: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    play(monkeypatch, cpu)
    report(training_precision({"accelerator": "cpu", "precision": asked}))
    assert (f"trainer.precision={asked}: this CPU has no AVX512-BF16" in caplog.text) is told


def test_an_evaluation_takes_auto_too(lol: Path, tmp_path: Path) -> None:
    data = ["data=lol", f"data.root='{lol}'", "trainer.enable_progress_bar=false", f"output_dir='{tmp_path}'"]
    evaluate(
        load_config(["method=gamma", "trainer.accelerator=cpu", "trainer.precision=auto", *data], "evaluate")
    )
    auto = training_precision({"accelerator": "cpu", "precision": "auto"})
    assert manifest(tmp_path)["precision"] == {"asked": "auto", "used": [auto.used], "why": auto.why}


@pytest.mark.parametrize(("cpu", "told"), [(LAPTOP, True), (SERVER, False)])
def test_inference_takes_float32_unless_told_otherwise(
    cpu: dict[str, object], told: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    play(monkeypatch, cpu)
    assert inference_dtype("auto", "cpu") is inference_dtype("fp32", "cpu") is None
    assert not caplog.text
    assert inference_dtype("bf16", "cpu") is torch.bfloat16
    assert ("fp32 is faster" in caplog.text) is told
    assert inference_dtype("fp16", "cuda") is torch.float16
    with pytest.raises(ValueError, match="'int8' is none of auto, fp32, bf16, fp16"):
        inference_dtype("int8", "cpu")
