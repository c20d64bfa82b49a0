"""The restorer of plates is local; its classifiers take any size and decide what it is given."""

from typing import Any

import pytest
import torch

from lowlight.judging import Judging
from lowlight.networks import PlateRestorer
from lowlight.networks.receptive_field import receptive_radius

CLASSES = ("undamaged", "motion_blur", "noise")


def restorer(**settings: Any) -> PlateRestorer:
    torch.manual_seed(0)
    sizes = {"channels": (4, 8), "blocks": 1, "classifier_channels": (4, 8), "problems": CLASSES}
    return PlateRestorer(**(sizes | settings)).eval()


def certain(problem: int, can_read: bool, **settings: Any) -> PlateRestorer:
    """Return a restorer whose classifiers give one answer whatever they see."""
    net = restorer(**settings)
    for last in (net.problem_classifier.last, net.readable_classifier.last):
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
    with torch.no_grad():
        net.problem_classifier.last.bias[problem] = 3
        net.readable_classifier.last.bias[0] = 3 if can_read else -3
    return net


def test_the_restorer_is_local_and_adds_a_correction_to_its_input() -> None:
    net = restorer(channels=(4, 8, 8))
    assert net.stride == 8
    radius = receptive_radius(net, net.stride)
    assert radius is not None
    assert 8 < radius < 128
    with torch.no_grad():
        for last in (net.generator.last.weight, net.generator.last.bias):
            last.zero_()
        low = torch.rand(2, 3, 8, 16)
        assert torch.equal(net(low), low)


def test_the_classifiers_take_any_size_and_share_no_weight_with_the_restorer() -> None:
    net = restorer()
    problems, readable = net.classify(torch.rand(2, 3, 5, 41))
    assert problems.shape == (2, 3)
    assert readable.shape == (2,)
    (problems.sum() + readable.sum()).backward()
    assert all(weight.grad is None for weight in net.generator.parameters())


@torch.no_grad()
def test_a_plate_is_judged_alike_from_near_and_from_afar() -> None:
    near = torch.nn.functional.interpolate(torch.rand(1, 3, 6, 16), (96, 256), mode="bicubic").clamp(0, 1)
    afar = torch.nn.functional.interpolate(near, (48, 128), mode="bilinear", antialias=True)
    wide, narrow = restorer().classify(near), restorer().classify(afar)
    as_it_is = restorer(width=None).classify(afar)
    assert torch.equal(restorer(width=None).classify(near)[0], wide[0])
    for one, other, unscaled in zip(wide, narrow, as_it_is, strict=True):
        assert 3 * (one - other).abs().max() < (one - unscaled).abs().max()
    assert restorer().classify(torch.rand(1, 3, 1, 900))[0].shape == (1, 3)


@torch.no_grad()
@pytest.mark.parametrize(
    ("size", "seen"), [((511, 1), (1024, 256)), ((5000, 256), (1024, 256)), ((2, 900), (1, 256))]
)
def test_what_the_classifiers_see_is_bounded(size: tuple[int, int], seen: tuple[int, int]) -> None:
    net, shapes = restorer(), []
    for classifier in (net.problem_classifier, net.readable_classifier):
        classifier.register_forward_pre_hook(lambda _, given: shapes.append(given[0].shape[-2:]))
    net.classify(torch.rand(1, 3, *size))
    assert shapes == [seen, seen]


@torch.no_grad()
def test_it_judges_what_needs_work_and_what_is_past_help() -> None:
    low = torch.rand(1, 3, 16, 32)
    assert isinstance(restorer(), Judging)
    assert certain(0, True).judge(low) == ("undamaged", None)
    assert certain(0, True, undamaged=0.99).judge(low)[0] is None
    reason, finding = certain(1, True).judge(low)
    assert reason is None
    assert finding == "problem found: motion blur (probability 0.91)"
    assert certain(1, False).judge(low) == ("unreadable", "readable with a probability of 0.05 only")
    assert certain(1, False, readable=0.01).judge(low)[0] is None
    assert certain(0, False).judge(low)[0] == "unreadable"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"readable": 1.5}, "must be probabilities"),
        ({"width": 0}, "must be a number of pixels"),
        ({"problems": ("undamaged",)}, "must be two or more"),
        ({"channels": (8,)}, "two levels or more"),
        ({"classifier_channels": (8, 0)}, "must be positive"),
    ],
)
def test_wrong_sizes_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        restorer(**wrong)
