import pytest
import torch
from torch.nn import functional as F

from lowlight.networks.prelu import PReLU


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_torchs(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    ours = PReLU()
    features = torch.randn(2, 4, 6, 5).contiguous(memory_format=layout).requires_grad_()
    gradient = torch.randn(2, 4, 6, 5)
    wanted = F.prelu(features, ours.weight)
    given = ours(features)
    assert given.equal(wanted)
    inputs = (features, ours.weight)
    for one, other in zip(
        torch.autograd.grad(given, inputs, gradient),
        torch.autograd.grad(wanted, inputs, gradient),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_the_derivative_is_that_of_the_values() -> None:
    ours = PReLU().double()
    features = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda one, _: ours(one), (features, ours.weight))


def test_a_second_derivative_is_refused_and_not_wrong() -> None:
    features = torch.randn(2, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(PReLU()(features).square().sum(), features, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_a_layer_in_half_precision_learns_its_slope_in_full() -> None:
    ours, features = PReLU(), -torch.rand(1, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        ours(features.bfloat16().requires_grad_()).sum().backward()
    assert ours.weight.grad is not None
    assert ours.weight.grad.dtype == torch.float32
    torch.testing.assert_close(ours.weight.grad, features.sum().reshape(1), rtol=2e-3, atol=0)
