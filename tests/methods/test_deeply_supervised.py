"""Losses on the images of all stages."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowlight import losses
from lowlight.images import Batch
from lowlight.methods import DeeplySupervised


class Gains(nn.Module):
    """Two stages, a gain each; sides must be even."""

    stride = 2

    def __init__(self) -> None:
        super().__init__()
        self.gains = nn.Parameter(torch.tensor([2.0, 3.0]))

    def stages(self, low: Tensor) -> tuple[Tensor, Tensor]:
        assert [side % 2 for side in low.shape[-2:]] == [0, 0]
        return self.gains[0] * low, self.gains[1] * low

    def forward(self, low: Tensor) -> Tensor:
        return self.stages(low)[-1]


def test_every_stage_is_supervised_and_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    method = DeeplySupervised(Gains(), losses.l1, earlier_weight=0.5)
    low = torch.rand(2, 3, 5, 7)
    batch: Batch = {"low": low, "high": 4 * low, "name": ["a", "b"]}
    recorded: dict[str, Any] = {}
    monkeypatch.setattr(
        method, "record", lambda restored, batch, losses: recorded.update(losses, last=restored)
    )
    loss = method.training_step(batch, 0)
    mean = low.mean().item()
    assert loss.item() == pytest.approx(mean + 0.5 * 2 * mean, rel=1e-5)
    assert recorded["loss_stage1"].item() == pytest.approx(2 * mean, rel=1e-5)
    assert recorded["loss_stage2"].item() == pytest.approx(mean, rel=1e-5)
    torch.testing.assert_close(recorded["last"], 3 * low)
    loss.backward()
    assert method.net.gains.grad.tolist() == pytest.approx([-0.5 * mean, -mean], rel=1e-4)
    assert method.loss(method.restore(low), batch).item() == pytest.approx(mean, rel=1e-5)


def test_refuses_what_it_cannot_train() -> None:
    with pytest.raises(ValueError, match=r"Conv2d makes no image per stage: .*stages\(low\)"):
        DeeplySupervised(nn.Conv2d(3, 3, 1))
    with pytest.raises(ValueError, match="earlier_weight=-1 cannot be negative"):
        partial(DeeplySupervised, earlier_weight=-1)(Gains())
