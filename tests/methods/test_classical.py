import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from lowlight.images import from_uint8, to_uint8
from lowlight.methods.classical import Classical, gamma, histogram, identity


def test_gamma_by_hand() -> None:
    assert torch.equal(gamma(torch.tensor([0.0, 0.25, 1.0]), exponent=0.5), torch.tensor([0.0, 0.5, 1.0]))


def test_identity_is_the_image() -> None:
    low = torch.rand(1, 3, 4, 4)
    assert Classical(identity).enhance(low).equal(low)


def test_histogram_of_a_grey_image_is_pillows_equalisation() -> None:
    grey = np.random.default_rng(0).integers(0, 60, (40, 50), dtype=np.uint8)
    expected = np.asarray(ImageOps.equalize(Image.fromarray(grey)))
    low = from_uint8(np.repeat(grey[..., None], 3, axis=2))[None]
    got = to_uint8(histogram(low))[0].movedim(0, -1).numpy().astype(int)
    assert np.abs(got - expected[..., None]).max() <= 1  # the way to YCbCr and back rounds


def test_histogram_keeps_chroma() -> None:
    low = torch.rand(2, 3, 30, 30) * 0.2 + 0.02
    equalised = histogram(low)
    inside = (equalised.amin(1) > 0) & (equalised.amax(1) < 1)  # the others are clipped
    difference = (equalised - low).movedim(1, -1)[inside]
    assert len(difference) > 100
    assert (difference.amax(-1) - difference.amin(-1)).max() < 2e-3


def test_classical_methods_refuse_to_train() -> None:
    with pytest.raises(ValueError, match="learns nothing"):
        Classical(identity).training_step({}, 0)
