"""What a trainer's devices and strategy stand for."""

import pytest
from omegaconf import OmegaConf

from lowlight.devices import check_accelerator, resolved, strategy_of

SHARED = "ddp_find_unused_parameters_true"


@pytest.mark.parametrize(
    ("settings", "gpus", "strategy"),
    [
        ({"devices": 1}, 4, "auto"),
        ({"devices": 2}, 0, SHARED),
        ({"devices": "2"}, 4, SHARED),
        ({"devices": "0,2"}, 4, SHARED),
        ({"devices": [0, 2]}, 4, SHARED),
        ({"devices": [2]}, 4, "auto"),
        ({"devices": "auto"}, 4, SHARED),
        ({"devices": -1}, 4, SHARED),
        ({"devices": "auto"}, 1, "auto"),
        ({"devices": "auto", "accelerator": "cpu"}, 4, "auto"),
        ({"devices": 1, "num_nodes": 2}, 1, SHARED),
        ({"devices": 4, "strategy": "ddp_spawn"}, 4, "ddp_spawn"),
        ({"devices": 4, "strategy": "fsdp"}, 4, "fsdp"),
        ({"devices": 4, "strategy": {"_target_": "a.Strategy"}}, 4, {"_target_": "a.Strategy"}),
    ],
)
def test_several_devices_allow_for_parameters_without_gradients(
    settings: dict[str, object], gpus: int, strategy: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    trainer = OmegaConf.create({"accelerator": "auto", "strategy": "auto", "precision": "32-true"} | settings)
    assert strategy_of(trainer) == strategy
    assert resolved(trainer) == OmegaConf.merge(trainer, {"strategy": strategy})


@pytest.mark.parametrize("accelerator", ["gpu", "cuda", "mps"])
def test_a_missing_gpu_is_told_of(accelerator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = OmegaConf.create({"accelerator": accelerator})
    for one in ("cuda", "backends.mps"):
        monkeypatch.setattr(f"torch.{one}.is_available", lambda: True)
    check_accelerator(trainer)
    for one in ("cuda", "backends.mps"):
        monkeypatch.setattr(f"torch.{one}.is_available", lambda: False)
    with pytest.raises(ValueError, match=f"^trainer.accelerator={accelerator}: .* trainer=auto"):
        check_accelerator(trainer)
    for other in ("cpu", "auto", "tpu", None):
        check_accelerator(OmegaConf.create({"accelerator": other}))
