"""`lowlight.enhance` and its companions, as other programs use them."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational
from skimage import data

import lowlight
from lowlight import model
from lowlight.colour import luma, srgb_to_linear
from lowlight.inference.load import ready
from lowlight.memory import resident
from lowlight.methods import Method, Supervised, TwoStages
from lowlight.networks import Autoencoder, CoarseToFine, coarse_to_fine
from lowlight.networks.receptive_field import receptive_radius
from lowlight.runtimes import pass_memory
from lowlight.runtimes.enhancer import Enhancer
from lowlight.runtimes.pass_memory import PROBE
from lowlight.shipped import shipped
from tests.conftest import photograph

DARK = photograph(2, 30, 41) // 6
LARGE = photograph(2, 500, 700) // 6
TENSOR = torch.from_numpy(DARK).movedim(-1, 0).float() / 255


def test_the_public_names_are_these() -> None:
    names = ["available", "enhance", "from_pretrained", "load", "models", "save_pretrained"]
    assert lowlight.__all__ == names
    assert set(lowlight.__all__) <= set(dir(lowlight))
    for name in lowlight.__all__:
        assert callable(getattr(lowlight, name))
    with pytest.raises(AttributeError, match="no attribute 'enhanse'"):
        lowlight.enhanse  # noqa: B018
    assert {"mirnet", "autoencoder", "gan", "gamma"} <= set(lowlight.available())


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(DARK),
        Image.fromarray(DARK).convert("L"),
        Image.fromarray(DARK).convert("RGBA"),
        DARK,
        DARK[..., 0],
        DARK.astype(np.uint16) * 257,
        DARK.astype(np.float32) / 255,
        DARK.astype(np.float64) / 255,
        (DARK / 255).astype(np.float16),
        TENSOR,
        TENSOR.expand(2, -1, -1, -1),
        TENSOR.half(),
        DARK[..., :1],
        DARK.astype(">u2") * 257,
        DARK[None],
        np.stack([DARK, DARK[::-1]]).astype(np.float32) / 255,
        np.stack([DARK[..., :1], DARK[..., 1:2]]),
        TENSOR[:1],
        TENSOR[None, :1],
        (TENSOR * 255).round().to(torch.uint8),
        (TENSOR * 255).round().to(torch.uint8).expand(2, -1, -1, -1),
    ],
    ids=lambda image: f"{type(image).__name__}-{getattr(image, 'dtype', getattr(image, 'mode', ''))}",
)
def test_an_image_of_any_kind_becomes_one_of_its_kind(image: object) -> None:
    enhanced = lowlight.enhance(image, "gamma")
    assert type(enhanced) is type(image)
    if isinstance(image, Image.Image):
        assert enhanced.mode == image.mode
    assert getattr(enhanced, "dtype", None) == getattr(image, "dtype", None)
    before, after = (np.asarray(one, dtype=np.float64) for one in (image, enhanced))
    white = before.max() / (DARK.max() / 255) if not isinstance(image, Image.Image) else 255
    assert before.shape == after.shape
    colour = slice(None, 3) if getattr(image, "mode", "") == "RGBA" else slice(None)
    expected = (before / white) ** 0.4
    assert np.abs(after / white - expected)[..., colour].max() < 0.01


def test_the_weights_that_come_along_make_a_dark_photograph_bright_and_keep_its_colours() -> None:
    high = data.astronaut()[::2, ::2]
    dark = (high * 0.08).round().astype(np.uint8)
    bright = lowlight.enhance(dark)
    assert 0.6 * high.mean() < bright.mean() < 1.6 * high.mean()
    for channel in range(3):
        assert np.corrcoef(bright[..., channel].ravel(), high[..., channel].ravel())[0, 1] > 0.9
    assert np.array_equal(bright, lowlight.enhance(dark, "coarse_to_fine"))


def test_a_folder_of_the_name_does_not_stand_for_the_weights_that_come_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example the folder of a run that has just begun."""
    expected = lowlight.enhance(TENSOR)
    (tmp_path / "coarse_to_fine").mkdir()
    monkeypatch.chdir(tmp_path)
    ready.cache_clear()
    assert torch.equal(lowlight.enhance(TENSOR), expected)


def test_a_model_is_a_method_a_path_or_a_name(tmp_path: Path) -> None:
    torch.manual_seed(0)
    method = Supervised(Autoencoder([4, 4, 4, 4, 4])).eval()
    assert torch.equal(lowlight.enhance(TENSOR, method), method.enhance(TENSOR[None])[0])
    lime = lowlight.enhance(DARK, "lime")
    assert not np.array_equal(lime, lowlight.enhance(DARK))
    with pytest.raises(ValueError, match="no such"):
        lowlight.enhance(DARK, tmp_path / "absent.ckpt")
    assert np.array_equal(lowlight.enhance(DARK, strength=0.0), DARK)


def test_a_name_is_looked_up_once_and_not_for_every_image(monkeypatch: pytest.MonkeyPatch) -> None:
    lowlight.enhance(DARK, "gamma")
    monkeypatch.delattr("lowlight.config.read_recipe")
    assert lowlight.enhance(DARK, "gamma").mean() > DARK.mean()


@pytest.mark.parametrize("image", [DARK, DARK.astype(np.float64) / 255, DARK.astype(np.uint16) * 257])
def test_opacity_is_kept(image: np.ndarray) -> None:
    opacity = (image[..., :1] // 2 if image.dtype != float else image[..., :1] / 2)[::-1]
    enhanced = lowlight.enhance(np.concatenate([image, opacity], axis=-1), "gamma")
    assert np.array_equal(enhanced[..., :3], lowlight.enhance(image, "gamma"))
    assert np.array_equal(enhanced[..., 3:], opacity)
    tensor = torch.cat([TENSOR, TENSOR[:1].flip(1)])
    assert torch.equal(lowlight.enhance(tensor, "gamma")[3], tensor[3])
    assert torch.equal(lowlight.enhance(tensor, "gamma")[:3], lowlight.enhance(TENSOR, "gamma"))


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (DARK.astype(int), r"got \(30, 41, 3\) of int64"),
        (DARK > 9, "of bool"),
        (DARK[..., :2], r"where C is 1, 3 or 4, .* got \(30, 41, 2\)"),
        (DARK[:0], r"got \(0, 41, 3\)"),
        (np.moveaxis(DARK, -1, 0), r"its channels lie elsewhere: numpy.moveaxis\(image, -3, -1\)"),
        (np.moveaxis(DARK[None], -1, 1), "its channels lie elsewhere"),
        (TENSOR.movedim(0, -1), r"its channels lie elsewhere: image.movedim\(-1, -3\)"),
        (TENSOR[0], r"of shape \(C, H, W\) or \(B, C, H, W\)"),
        (TENSOR.int(), "of int32"),
        (None, "of object"),
        ("absent.jpg", "absent.jpg: no such file"),
    ],
)
def test_another_kind_of_image_is_refused(image: object, told: str) -> None:
    for given in (image, [DARK, image]):
        with pytest.raises(ValueError, match=told):
            lowlight.enhance(given, "gamma")


def test_a_path_gives_a_pillow_image_and_a_list_gives_a_list(tmp_path: Path) -> None:
    Image.fromarray(DARK).save(tmp_path / "dark.png")
    tifffile.imwrite(tmp_path / "deep.tif", DARK.astype(np.uint16) * 257, photometric="rgb")
    one = lowlight.enhance(tmp_path / "dark.png", "gamma")
    assert isinstance(one, Image.Image)
    assert np.array_equal(np.asarray(one), lowlight.enhance(DARK, "gamma"))
    images = [str(tmp_path / "dark.png"), DARK, TENSOR, Image.fromarray(DARK), tmp_path / "deep.tif"]
    several = lowlight.enhance(images, "gamma")
    assert [type(image) for image in several] == [Image.Image, np.ndarray, torch.Tensor, *[Image.Image] * 2]
    assert np.array_equal(several[1], lowlight.enhance(DARK, "gamma"))
    assert lowlight.enhance([]) == []


@pytest.mark.parametrize("image", [DARK, TENSOR, Image.fromarray(DARK)], ids=["array", "tensor", "pillow"])
def test_exposure_brightness_and_saturation_are_the_users(image: Any) -> None:
    def look(**chosen: float) -> np.ndarray:
        made = np.asarray(lowlight.enhance(image, "gamma", **chosen), dtype=np.float32)
        return np.moveaxis(made, 0, -1) if isinstance(image, torch.Tensor) else made / 255

    plain = look()
    assert luma(look(brightness=0.6)).mean() == pytest.approx(0.6, abs=0.01)
    assert luma(look(brightness=0.3)).mean() == pytest.approx(0.3, abs=0.01)
    brighter = look(brightness=0.3, exposure=0.5)
    assert luma(brighter).mean() > 0.33
    linear = srgb_to_linear(look(exposure=-1.0)[plain < 0.3]) / srgb_to_linear(plain[plain < 0.3])
    assert np.median(linear) == pytest.approx(0.5, abs=0.03)
    assert np.ptp(look(saturation=0.0), axis=-1).max() < 0.005
    assert np.ptp(look(saturation=1.5), axis=-1).mean() > 1.2 * np.ptp(plain, axis=-1).mean()
    assert look(strength=2.0).mean() > plain.mean()
    for name, value in (("strength", 3), ("exposure", 9), ("brightness", 0), ("saturation", -1)):
        with pytest.raises(ValueError, match=f"{name} must be from"):
            look(**{name: value})


class Tinted(Enhancer):
    """Makes red, green and blue differ."""

    stride, halo, name = 1, 0, "tinted"

    def enhance(self, low: torch.Tensor) -> torch.Tensor:
        return (low * torch.tensor([5.0, 3.0, 2.0])[:, None, None]).clamp(0, 1)


def test_a_grey_tensor_becomes_what_a_grey_array_does() -> None:
    grey = DARK[..., :1]
    array = lowlight.enhance(grey, Tinted(), fail_safe=False)
    tensor = torch.from_numpy(grey).movedim(-1, 0)
    for given, white in ((tensor, 1), (tensor[None], 1), (tensor / 255, 255)):
        made = lowlight.enhance(given, Tinted()).reshape(tensor.shape) * white
        assert np.abs(made.movedim(0, -1).numpy() - array.astype(float)).max() <= 1


def test_a_path_of_too_many_pixels_is_refused_without_an_option_of_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "huge.ppm"
    path.write_bytes(b"P6 20000 20000 255\n")
    with pytest.raises(ValueError, match="more than 250 megapixels; scale it down"):
        lowlight.enhance(path, "gamma")


def test_a_report_says_why_nothing_changed(tmp_path: Path) -> None:
    bright = photograph(2)
    made = lowlight.enhance([bright, DARK], "gamma", report=True)
    assert [one.reason for one in made] == ["not_dark", None]
    assert made[0].image is not made[1].image
    assert lowlight.enhance(np.stack([bright, bright]), report=True).reason == "not_dark"
    assert lowlight.enhance(np.stack([bright, bright // 6]), "gamma", report=True).reason is None
    with Image.fromarray(bright) as picture:
        image, reason, notes = lowlight.enhance(picture, report=True)
        assert (image is picture, reason, notes) == (True, "not_dark", ())
    Image.fromarray(DARK).save(
        tmp_path / "moving.gif", save_all=True, append_images=[Image.fromarray(DARK[::-1])]
    )
    assert "only the first of 2 frames" in lowlight.enhance(tmp_path / "moving.gif", report=True).notes
    tifffile.imwrite(tmp_path / "deep.tif", DARK.astype(np.uint16) * 257, photometric="rgb")
    assert "8 bits per colour, not 16" in lowlight.enhance(tmp_path / "deep.tif", report=True).notes[-1]


def test_ready_models_are_loaded_by_name_and_belong_to_the_caller() -> None:
    assert [lowlight.load(name).name for name in ("lime", "coarse_to_fine", None)] == [
        "lime",
        "coarse_to_fine",
        "coarse_to_fine",
    ]
    model = lowlight.load()
    with torch.no_grad():
        for weight in model.method.net.parameters():
            weight.zero_()
    assert not np.array_equal(lowlight.enhance(DARK, model, fail_safe=False), lowlight.enhance(DARK))
    assert np.array_equal(lowlight.enhance(DARK, lowlight.load()), lowlight.enhance(DARK))
    with pytest.raises(ValueError, match=r"lmie is no method: give a checkpoint, .* did you mean lime"):
        lowlight.load("lmie")
    with pytest.raises(ValueError, match="mirnet must be trained first"):
        lowlight.load("mirnet")


def test_the_ready_models_are_listed_the_shipped_first() -> None:
    first, *others = lowlight.models()
    assert (first.name, first.licence) == ("coarse_to_fine", "research-only")
    weights = lowlight.load().method.net.parameters()
    assert first.parameters == sum(weight.numel() for weight in weights)
    assert {"lime", "clahe", "gamma"} <= {one.name for one in others}
    for one in (other for other in others if other.name not in shipped()):
        assert (one.parameters, one.size, one.licence) == (0, 0, "MIT")
        assert lowlight.enhance(DARK, one.name).shape == DARK.shape


@pytest.mark.parametrize("model", [5, torch.nn.Identity()])
def test_another_kind_of_model_is_refused(model: Any) -> None:
    with pytest.raises(ValueError, match=r"model must be a path, a name, a method or what lowlight\.load"):
        lowlight.enhance(DARK, model)


@pytest.mark.parametrize("least", [-0.1, 0.0, float("nan")])
@pytest.mark.parametrize("kind", [np.float32, torch.tensor])
def test_floats_outside_0_to_1_are_refused(kind: Callable[..., object], least: float) -> None:
    values = np.full((8, 9, 3), 0.2, np.float32)
    values[0, 0, 0] = least
    values[1] = 255 if least == 0 else 0.5
    image = values if kind is np.float32 else torch.from_numpy(values).movedim(-1, 0)
    with pytest.raises(ValueError, match=r"image must be in \[0, 1\] where it is floating"):
        lowlight.enhance(image, "gamma")


def test_a_pillow_image_keeps_its_exif_and_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[271] = 6, "Maker"
    Image.fromarray(DARK).save(tmp_path / "in.png", exif=exif)
    with Image.open(tmp_path / "in.png") as image:
        enhanced = lowlight.enhance(image, "gamma")
    assert (enhanced.getexif()[271], enhanced.getexif().get(0x0112, 1)) == ("Maker", 1)
    upright = Image.fromarray(np.ascontiguousarray(np.rot90(DARK, -1)))
    assert np.array_equal(np.asarray(enhanced), np.asarray(lowlight.enhance(upright, "gamma")))
    changed = Image.fromarray(DARK)
    changed.getexif()[271] = "Other"
    assert lowlight.enhance(changed, "gamma").getexif()[271] == "Other"


def test_what_was_changed_or_removed_in_a_pillow_image_does_not_come_back(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[271] = "Maker"
    exif.get_ifd(0x8769)[0x9003], exif.get_ifd(0x8769)[0x9004] = "2020:02:03 04:05:06", "2021"
    exif.get_ifd(0x8825)[1], exif.get_ifd(0x8825)[2] = "N", (1.0, 2.0, 3.5)
    Image.fromarray(DARK).save(tmp_path / "in.jpg", exif=exif)
    with Image.open(tmp_path / "in.jpg") as image:
        image.getexif().get_ifd(0x8825).clear()
        image.getexif().get_ifd(0x8769)[0x9003] = "2022"
        del image.getexif().get_ifd(0x8769)[0x9004]
        enhanced = lowlight.enhance(image, "gamma").getexif()
    assert enhanced[271] == "Maker"
    assert enhanced.get_ifd(0x8769) == {0x9003: "2022"}
    assert not enhanced.get_ifd(0x8825)


def test_what_was_only_looked_at_in_a_pillow_image_stays_to_the_byte(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[271] = "Maker"
    exif.get_ifd(0x8769)[0xA432] = (IFDRational(24), IFDRational(70), IFDRational(0, 0), IFDRational(0, 0))
    exif.get_ifd(0x8769)[0x927C] = b"maker's own" * 9
    Image.fromarray(DARK).save(tmp_path / "in.jpg", exif=exif)
    with Image.open(tmp_path / "in.jpg") as image:
        for directory in (0x8769, 0x8825, ExifTags.IFD.IFD1):  # Pillow cannot write the last
            image.getexif().get_ifd(directory)
        enhanced = lowlight.enhance(image, "gamma")
    assert enhanced.info["exif"] == lowlight.enhance(tmp_path / "in.jpg", "gamma").info["exif"]


@pytest.mark.parametrize("kept", [12, 14, 40, None])
def test_broken_exif_data_do_not_cost_a_pillow_image(kept: int | None, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[271] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:02:03 04:05:06"
    data = b"Exif\0\0garbagegarbage" if kept is None else exif.tobytes()[:kept]
    Image.fromarray(DARK).save(tmp_path / "in.jpg", exif=data)
    of_path = lowlight.enhance(tmp_path / "in.jpg", "gamma", report=True)
    with Image.open(tmp_path / "in.jpg") as image:
        enhanced = lowlight.enhance(image, "gamma", report=True)
    assert enhanced.notes == of_path.notes
    assert (enhanced.notes == ("broken EXIF data is left out",)) == (kept in (12, 14, None))
    assert enhanced.image.info.get("exif") == of_path.image.info.get("exif")


def test_a_pillow_image_of_12_bits_is_scaled_to_16(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.tif", np.full((8, 16), 409, np.uint16), bitspersample=12)
    with Image.open(tmp_path / "in.tif") as image:
        enhanced = lowlight.enhance(image, "gamma")
    assert abs(np.asarray(enhanced).mean() / 65535 - (409 / 4095) ** 0.4) < 0.002


def test_a_bright_image_is_returned_as_it_is() -> None:
    bright = photograph(2)
    assert np.array_equal(lowlight.enhance(bright), bright)
    assert not np.array_equal(lowlight.enhance(bright, fail_safe=False), bright)


@pytest.mark.skipif(not resident(), reason="other systems do not report a process's size")
@pytest.mark.parametrize(
    "make",
    [
        lambda: Supervised(Autoencoder([4, 4])),
        lambda: TwoStages(CoarseToFine(8, (8, 8), (8, 8)), coarse_epochs=1),
    ],
    ids=["bounded", "two_pass"],
)
def test_a_method_is_measured_once_and_its_training_goes_on(
    make: Callable[[], Method], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory and receptive field are measured once, although every call wraps the method anew."""
    measured: list[str] = []

    def note(module: ModuleType, name: str, measure: Callable[..., object]) -> None:
        monkeypatch.setattr(module, name, lambda *args, **kw: measured.append(name) or measure(*args, **kw))

    note(pass_memory, "taken_by", lambda _: 10**3 * PROBE**2)
    note(model, "receptive_radius", receptive_radius)
    note(coarse_to_fine, "receptive_radius", receptive_radius)
    method = make()
    bright = [lowlight.enhance(LARGE, method, max_memory=resident() + 200 * 10**6) for _ in range(3)]
    assert sorted(measured) == ["receptive_radius", "taken_by"]
    assert np.array_equal(bright[0], bright[2])
    assert method.training
    assert method.net.training
