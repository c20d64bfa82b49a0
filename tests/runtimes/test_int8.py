"""Ranges of 8-bit integers suit the values seen, and integer products stay within 16 bits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lowlight.runtimes.export import trace
from lowlight.runtimes.int8 import best_range, quantise
from lowlight.runtimes.openvino import open_openvino, openvino_core, write_openvino

openvino = pytest.importorskip("openvino")
pytest.importorskip("onnx")


def levels(low: float, high: float) -> np.ndarray:
    return low + np.arange(256) * (high - low) / 255


@pytest.mark.parametrize("shift", [-3.0, 0.0, 0.4, 5.0])
def test_zero_is_always_a_level(shift: float) -> None:
    values = np.random.default_rng(0).normal(shift, 1, 10_000).astype(np.float32)
    assert np.abs(levels(*best_range(values))).min() < 1e-6


def test_a_rare_outlier_does_not_widen_the_range_and_frequent_ones_do() -> None:
    values = np.random.default_rng(0).uniform(0, 1, 2_000_000).astype(np.float32)
    values[0] = 10
    assert 0.95 < best_range(values)[1] < 5
    values[::100] = 10
    assert best_range(values)[1] > 9.9


def test_a_tensor_that_is_always_zero_has_a_range() -> None:
    low, high = best_range(np.zeros(8, np.float32))
    assert low == 0 < high


@pytest.mark.slow
@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, 3, padding=1),
        nn.Conv2d(4, 8, 3, padding=1, groups=2),
        nn.ConvTranspose2d(4, 6, 2, stride=2),
        nn.ConvTranspose2d(4, 8, 2, stride=2, groups=2),
    ],
    ids=["plain", "grouped", "transposed", "transposed and grouped"],
)
def test_every_kind_of_convolution_is_quantised_per_output_channel(
    layer: nn.Conv2d | nn.ConvTranspose2d, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    with torch.no_grad():  # a range common to all channels would round the small ones to nothing
        spread = 10 ** -torch.arange(layer.out_channels).float()
        axes = (-1, 1, 1, 1) if isinstance(layer, nn.Conv2d) else (1, -1, 1, 1)
        per_group = layer.out_channels // layer.groups
        if isinstance(layer, nn.ConvTranspose2d):
            spread = spread[:per_group]
        layer.weight.mul_(spread.view(axes))
        nn.init.zeros_(layer.bias)
    low = torch.rand(2, 4, 10, 12) - 0.3
    path = tmp_path / "net.xml"
    write_openvino(trace(nn.Sequential(layer).eval(), low), path, "{}", [low.numpy()])
    model = openvino_core(openvino).read_model(path)
    assert sum(node.get_type_name() == "FakeQuantize" for node in model.get_ordered_ops()) == 2
    expected, got = layer(low).detach(), torch.from_numpy(open_openvino(path, "cpu").run(low.numpy()))
    error = (got - expected).flatten(2).std(dim=2) / expected.flatten(2).std(dim=2)
    assert 1e-6 < error.max() < 0.03


def test_products_do_not_overflow_16_bits(tmp_path: Path) -> None:
    """Weights take 64 of 127 steps, since two products of 255 * 127 exceed what 16 bits hold."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 1)).eval()
    low = torch.rand(2, 2, 4, 6)
    path = tmp_path / "net.xml"
    write_openvino(trace(net, low), path, "{}")
    core = openvino_core(openvino)
    model = core.read_model(path)
    quantise(core, model, [low.numpy()])
    (inner,) = [
        node
        for node in model.get_ordered_ops()
        if node.get_type_name() == "FakeQuantize" and node.get_attributes()["levels"] == 255
    ]
    bound = inner.input_value(2).get_node().data
    largest = np.abs(inner.input_value(0).get_node().data).max(axis=(1, 2, 3), keepdims=True)
    steps = largest / (bound / 127)
    assert steps.max() <= 64
    assert 2 * 255 * steps.max() < 2**15
