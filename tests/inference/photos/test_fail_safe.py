"""Strength mixes linear light; the fail-safe leaves bright and ruined photographs unchanged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import lowlight
from lowlight.colour import blend
from lowlight.decoding.photo import Photo
from lowlight.inference.load import choose
from lowlight.inference.photos.enhance import enhance_file, enhance_photo, enhance_pixels
from lowlight.inference.photos.fail_safe import why_not_dark
from lowlight.inference.settings import Settings
from lowlight.judging import Judgement
from lowlight.runtimes.enhancer import Enhancer, Judge, open_exported
from lowlight.runtimes.export import export
from lowlight.runtimes.torch_enhancer import TorchEnhancer
from tests.conftest import photograph
from tests.tiny import tiny

DARK = photograph(4) // 6


class Stand(Enhancer):
    """An enhancer that applies a given function."""

    stride, halo, name = 1, 0, "stand"

    def __init__(self, function) -> None:  # type: ignore[no-untyped-def]
        self.function = function

    def enhance(self, low: Tensor) -> Tensor:
        return self.function(low)


BRIGHTER = Stand(lambda low: (low * 4).clamp(0, 1))


def test_the_ends_of_strength_are_the_image_and_its_enhancement() -> None:
    low, enhanced = torch.rand(2, 1, 3, 8, 9)
    assert torch.allclose(blend(low, enhanced, 0), low, atol=1e-6)
    assert torch.equal(blend(low, enhanced, 1), enhanced)


def test_strength_mixes_in_linear_light() -> None:
    black, white = torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)
    # IEC 61966-2-1: half of the light of white is 0.7354 of its value.
    assert blend(black, white, 0.5).flatten().tolist() == pytest.approx([0.7354] * 3, abs=1e-4)


@pytest.mark.parametrize("strength", [-0.1, 2.5, float("nan")])
def test_a_strength_beyond_its_range_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match="strength must be from 0 to 2"):
        Settings(strength=strength)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("pixels", "function", "reason"),
    [
        (DARK, lambda low: low * 4, None),
        (photograph(4), lambda low: low * 4, "not_dark"),
        (DARK, lambda low: low / 0 * 0, "not_finite"),
        (DARK, lambda low: torch.ones_like(low), "clipped"),
        (DARK, lambda low: low * torch.tensor([4.0, 0.2, 0.2])[:, None, None], "colour_cast"),
        (DARK, lambda low: low * 0.8, "darker"),
        (DARK, lambda low: low * 0.8 + 0.5, "hazy"),
        (DARK, lambda low: low * 3 + 0.2 * torch.randn(low.shape), "noisy"),
        (DARK, lambda low: torch.rand(low.shape), "noisy"),
    ],
)
def test_the_fail_safe_says_why(pixels, function, reason, dtype) -> None:  # type: ignore[no-untyped-def]
    pixels = pixels.astype(dtype) * (257 if dtype == np.uint16 else 1)
    result, told = enhance_pixels(Stand(lambda low: function(low).clamp(0, 1)), pixels)
    assert told == reason
    assert np.array_equal(result, pixels) == (reason is not None)
    if reason not in (None, "not_finite"):
        result, told = enhance_pixels(
            Stand(lambda low: function(low).clamp(0, 1)), pixels, Settings(fail_safe=False)
        )
        assert told is None
        assert not np.array_equal(result, pixels)


def picture(*bands: tuple[int, float]) -> np.ndarray:
    """Return horizontal bands of given heights and levels in [0, 1], 400 pixels wide."""
    texture = photograph(0, 300, 400).astype(np.float32) / 255
    levels = np.repeat([level for _, level in bands], [rows for rows, _ in bands])
    return (255 * (levels[:, None, None] * (0.8 + 0.4 * texture)).clip(0, 1)).astype(np.uint8)


@pytest.mark.parametrize(
    ("pixels", "is_dark"),
    [
        (picture((200, 0.8), (100, 0.05)), True),  # a foreground before a bright sky
        (picture((60, 0.8), (160, 0.4), (80, 0.05)), False),  # a dark object, little sky
        (picture((260, 0.8), (40, 0.05)), False),
        (picture((300, 0.2)), True),
        (picture((300, 0.3)), False),
        (picture((130, 0.6), (170, 0.1)), True),
        (picture((300, 0.8)) * (np.indices((300, 400)).sum(0)[..., None] % 2 == 0), False),  # fine texture
        (photograph(4, 300, 400), False),
        (np.zeros((1, 1, 3), np.uint8), True),
        (np.full((1, 5, 3), 200, np.uint8), False),
    ],
)
def test_a_photograph_is_judged_by_its_dark_parts(pixels: np.ndarray, is_dark: bool) -> None:
    pixels = pixels.astype(np.uint8)
    assert (why_not_dark(pixels) is None) == is_dark
    assert (why_not_dark(pixels.astype(np.uint16) * 257) is None) == is_dark
    assert (why_not_dark(pixels.transpose(1, 0, 2)) is None) == is_dark


def test_a_foreground_is_enhanced_under_a_sky_that_stays() -> None:
    pixels = picture((200, 0.8), (100, 0.05))
    enhanced, reason = enhance_pixels(Stand(lambda low: low.clamp_min(1e-6) ** 0.4), pixels)
    assert reason is None
    assert enhanced[200:].mean() > 3 * pixels[200:].mean()


def test_a_result_is_judged_alike_in_tiles_and_in_any_size() -> None:
    sound, hazy = Stand(lambda low: low * 4), Stand(lambda low: low * 0.8 + 0.5)
    for size in ((1, 1), (1, 200), (3, 5), (90, 70)):
        pixels = photograph(4, *size) // 6
        for tile in (None, 1, 32):
            assert enhance_pixels(sound, pixels, Settings(tile=tile))[1] is None
            if min(size) > 3:
                assert enhance_pixels(hazy, pixels, Settings(tile=tile))[1] == "hazy"


def test_the_photographs_own_noise_is_no_fault_of_the_result() -> None:
    noisy = (DARK + np.random.default_rng(0).normal(0, 6, DARK.shape)).clip(0, 255).astype(np.uint8)
    assert enhance_pixels(BRIGHTER, noisy)[1] is None


@pytest.mark.parametrize("chosen", [{"saturation": 0.0}, {"exposure": 8.0}, {"brightness": 0.95}])
def test_the_fail_safe_judges_the_enhancement_not_what_the_user_chooses(chosen: dict[str, float]) -> None:
    candlelit = (DARK * [1, 0.4, 0.1]).astype(np.uint8)
    for tile in (None, 1):
        settings = Settings(tile=tile, **chosen)  # type: ignore[arg-type]  # names of floats
        enhanced, reason = enhance_pixels(BRIGHTER, candlelit, settings)
        assert reason is None
        assert not np.array_equal(enhanced, candlelit)
    cast = Stand(lambda low: low * torch.tensor([0.2, 1, 4.0])[:, None, None])
    assert enhance_pixels(cast, candlelit, Settings(saturation=0.0))[1] == "colour_cast"


def test_without_the_fail_safe_what_is_not_finite_is_an_error() -> None:
    with pytest.raises(ValueError, match="the output of stand is not finite"):
        enhance_pixels(Stand(lambda low: low * float("nan")), DARK, Settings(fail_safe=False))


def test_grey_stays_grey_and_what_belongs_to_a_photograph_stays() -> None:
    grey = DARK[..., :1].repeat(3, -1)
    photo = Photo(grey, alpha=grey[..., 0], is_grey=True, exif=b"exif", icc=b"icc")
    enhanced, reason = enhance_photo(
        Stand(lambda low: low * torch.tensor([3.0, 4.0, 5.0])[:, None, None]), photo
    )
    assert reason is None
    assert (enhanced.pixels == enhanced.pixels[..., :1]).all()
    assert np.abs(enhanced.pixels[..., 0].astype(int) - 4 * grey[..., 0].astype(int)).max() <= 1
    assert (enhanced.alpha, enhanced.exif, enhanced.icc) == (photo.alpha, b"exif", b"icc")


def test_16_bits_are_enhanced_finer_than_8() -> None:
    ramp = np.arange(3000, dtype=np.uint16).reshape(30, 100)[..., None].repeat(3, -1)
    enhanced, _ = enhance_pixels(BRIGHTER, ramp)
    assert len(np.unique(enhanced)) == 3000


class Opinionated(Stand):
    """An enhancer whose network judges its input by its mean."""

    @property
    def judge(self) -> Judge:
        def judge(low: np.ndarray) -> Judgement:
            if low.mean() > 0.3:
                return Judgement(None, "problem found: glare")
            return Judgement("unreadable", "readable with a probability of 0.01 only")

        return judge


def test_a_network_that_judges_its_input_replaces_the_check_for_darkness(tmp_path: Path) -> None:
    enhancer, bright = Opinionated(lambda low: low * 0.9), photograph(4)
    enhanced, reason = enhance_pixels(enhancer, bright)
    assert reason is None
    assert not np.array_equal(enhanced, bright)
    photo, reason = enhance_photo(enhancer, Photo(bright, notes=("an older one",)))
    assert (reason, photo.notes) == (None, ("an older one", "problem found: glare"))
    photo, reason = enhance_photo(enhancer, Photo(DARK))
    assert (reason, photo.notes) == ("unreadable", ("readable with a probability of 0.01 only",))
    assert photo.pixels is DARK
    assert enhance_pixels(enhancer, DARK, Settings(fail_safe=False))[1] is None
    Image.fromarray(DARK).save(tmp_path / "dark.png")
    outcome = enhance_file(enhancer, tmp_path / "dark.png", tmp_path / "out.png")
    assert (outcome.status, outcome.reason, outcome.notes) == ("unchanged", reason, photo.notes)
    assert (tmp_path / "out.png").read_bytes() == (tmp_path / "dark.png").read_bytes()
    told = lowlight.enhance(bright, enhancer, report=True)
    assert (told.reason, told.notes) == (None, ("problem found: glare",))
    batch = lowlight.enhance(np.stack([bright, DARK, bright]), enhancer, report=True)
    assert (batch.reason, batch.notes) == (None, (*told.notes, *photo.notes))


@pytest.mark.slow
def test_the_network_of_plates_judges_in_torch_and_says_that_its_export_does_not(tmp_path: Path) -> None:
    method = tiny("plate_gan").eval()
    with torch.no_grad():
        method.net.readable_classifier.last.bias.fill_(-20)
    enhancer = TorchEnhancer(method)
    assert enhance_pixels(enhancer, DARK)[1] == "unreadable"
    assert enhancer.note is None
    export(method, tmp_path / "plates.pt2", "torch_export")
    exported = open_exported(tmp_path / "plates.pt2")
    assert enhance_pixels(exported, photograph(4))[1] is None
    assert exported.note is not None
    assert "does not decide what needs work" in exported.note


@pytest.mark.parametrize("hidden", [0, 255])
@pytest.mark.parametrize(("factor", "reason"), [(1.0, "not_dark"), (0.15, None)])
def test_what_is_transparent_is_neither_judged_nor_changed(
    hidden: int, factor: float, reason: str | None
) -> None:
    seen = np.zeros((48, 64), bool)
    seen[12:36, 16:48] = True
    pixels = np.full((48, 64, 3), hidden, np.uint8)
    pixels[seen] = (photograph(1, 48, 64)[seen] * factor).astype(np.uint8)
    photo = Photo(pixels, alpha=np.where(seen, 255, 0).astype(np.uint8))
    other = replace(photo, pixels=np.where(seen[..., None], pixels, 255 - hidden).astype(np.uint8))
    enhancer = choose(method="coarse_to_fine")
    (enhanced, found), (same, _) = (enhance_photo(enhancer, one) for one in (photo, other))
    assert found == reason
    assert np.array_equal(enhanced.pixels[~seen], pixels[~seen])
    assert np.array_equal(enhanced.pixels[seen], same.pixels[seen])
