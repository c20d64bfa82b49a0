"""The conditional PatchGAN."""

import pytest
import torch

from lowlight.networks import PatchGAN


def test_published_size_by_hand() -> None:
    middle = [(64, 128), (128, 256), (256, 512)]
    ends = 16 * 6 * 64 + 64 + 16 * 512 + 1
    expected = ends + sum(16 * i * o + 2 * o for i, o in middle)
    assert sum(p.numel() for p in PatchGAN().parameters()) == expected


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_receptive_field_by_gradients(layers: int, field: int) -> None:
    """One logit's gradient reaches exactly that square, in the judged image and in the dark one."""
    net = PatchGAN(1, layers, norm="none")
    for parameter in net.parameters():
        torch.nn.init.constant_(parameter, 0.1)
    side = 3 * field // 2**layers * 2**layers
    low, image = (torch.rand(1, 3, side, side, requires_grad=True) for _ in range(2))
    logits = net(low + 1, image + 1)
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    for reached in (low.grad, image.grad):
        rows, columns = reached[0, 0].nonzero().T
        assert (int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1) == (field, field)


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("layers", [1, 3, 5])
def test_judges_from_the_minimum_size_on(norm: str, layers: int) -> None:
    net = PatchGAN(2, layers, norm)
    low = torch.rand(2, 3, net.minimum_size, 2 * net.minimum_size + 1)
    logits = net(low, torch.rand_like(low))
    assert logits.shape == (2, 1, 1, 4)
    with pytest.raises(ValueError, match=f"sides of at least {net.minimum_size} pixels, got "):
        net(low[..., 1:, :], low[..., 1:, :])
    logits.square().sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None] == []


def test_logits_are_conditional() -> None:
    net = PatchGAN(4, 2).eval()
    low, image = torch.rand(2, 1, 3, 32, 32)
    assert not torch.allclose(net(low, image), net(1 - low, image))
    assert not torch.allclose(net(low, image), net(low, 1 - image))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"channels": 0}, "channels and layers must"),
        ({"layers": 0}, "got 64 and 0"),
        ({"norm": "layer"}, "norm"),
    ],
)
def test_refuses_impossible_sizes(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PatchGAN(**sizes)
