"""Uploads: the models to choose from, and what is made of a photograph."""

import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch import Tensor

from lowlight.decoding.reading import read_photo
from lowlight.demo.previews import PREVIEW
from lowlight.demo.uploads import adjust_upload, enhance_upload, preview_adjusted
from lowlight.inference.photos.fail_safe import REASONS
from lowlight.inference.settings import Settings
from lowlight.runtimes.enhancer import Enhancer
from lowlight.serving.models import loader
from tests.conftest import photograph

CLASSICAL: dict[str, Path | None] = {"gamma": None, "lime": None}


@dataclass(eq=False)
class Fixed(Enhancer):
    """Makes every photograph one colour."""

    colour: tuple[float, float, float]
    stride = 1
    halo = 0
    name = "fixed"

    def enhance(self, low: Tensor) -> Tensor:
        return torch.tensor(self.colour)[:, None, None].expand_as(low).clone()


def written(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def dark(path: Path) -> Path:
    return written(path, photograph(1) // 5)


def test_an_upload_keeps_its_format_size_and_depth(tmp_path: Path) -> None:
    deep = np.linspace(0, 12_000, 1500 * 40).reshape(40, 1500).astype(np.uint16)
    source = tmp_path / "night walk.png"
    Image.fromarray(deep).save(source)
    (tmp_path / "out").mkdir()
    made = enhance_upload(source, ["gamma", "lime"], loader(CLASSICAL), Settings(), tmp_path / "out")
    gamma, lime = made.results
    assert gamma.download is not None
    assert gamma.download.name == "night walk-gamma.png"
    enhanced = read_photo(gamma.download)
    assert enhanced.pixels.shape == (40, 1500, 3)
    assert enhanced.pixels.dtype == np.uint16
    assert enhanced.is_grey
    assert np.unique(enhanced.pixels).size > 256
    assert Image.open(gamma.preview).size == (PREVIEW, 34)
    assert Image.open(made.before).mode == "RGB"
    assert made.caption == "before · mean 0.09"
    assert gamma.caption.startswith("gamma · ")
    assert gamma.caption.endswith("mean 0.36")  # of a ramp up to 0.183, each to the power of 0.4
    assert np.asarray(Image.open(gamma.histogram)).std() > 0
    assert lime.download != gamma.download
    assert made.remarks == ()


@pytest.mark.parametrize(
    ("reason", "colour"),
    [
        ("not_dark", None),
        ("not_finite", (float("nan"), 0.5, 0.5)),
        ("clipped", (1.0, 1.0, 1.0)),
        ("colour_cast", (0.9, 0.1, 0.1)),
    ],
)
def test_a_photograph_left_alone_is_told_of(
    tmp_path: Path, reason: str, colour: tuple[float, float, float] | None
) -> None:
    source = written(tmp_path / "day.png", photograph(1)) if colour is None else dark(tmp_path / "dusk.png")
    made = enhance_upload(source, ["some"], lambda _: Fixed(colour or (0.5, 0.5, 0.5)), Settings(), tmp_path)
    assert made.results[0].download is None
    assert made.results[0].caption == "some · original kept"
    assert made.remarks == (
        f"some kept the original: {REASONS[reason]}. Untick the fail-safe to enhance it anyway.",
    )


def test_without_the_fail_safe_it_is_enhanced(tmp_path: Path) -> None:
    source = written(tmp_path / "day.png", photograph(1))
    made = enhance_upload(
        source, ["some"], lambda _: Fixed((1.0, 1.0, 1.0)), Settings(fail_safe=False), tmp_path
    )
    assert made.results[0].download is not None
    assert made.remarks == ()


def test_a_method_that_fails_is_told_of_and_the_rest_is_done(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ckpt"
    broken.write_bytes(b"no checkpoint")
    load = loader({"broken": broken, "gamma": None})
    made = enhance_upload(dark(tmp_path / "a.jpg"), ["broken", "gamma"], load, Settings(), tmp_path)
    assert [one.name for one in made.results] == ["gamma"]
    assert len(made.remarks) == 1
    assert made.remarks[0].startswith("broken failed: not a checkpoint")


@pytest.mark.parametrize("name", ["run/best.ckpt", "my runs/net.onnx", "handed/model.safetensors"])
def test_a_failure_names_the_model_and_not_its_place(tmp_path: Path, name: str) -> None:
    file = tmp_path / "secret place" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"none")
    model = file if file.suffix == ".onnx" else file.parent
    made = enhance_upload(dark(tmp_path / "a.jpg"), ["mine"], loader({"mine": model}), Settings(), tmp_path)
    assert made.remarks[0].startswith("mine failed: ")
    assert not [part for part in ("secret", "place", "/", "best.ckpt") if part in made.remarks[0]]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("notes.txt", b"not a photograph", "not an image, or of an unknown format."),
        ("fake.png", b"not a photograph", "not an image, or of an unknown format."),
        ("empty.png", b"", "empty, 0 bytes."),
        ("large.png", None, "more than 0.001 megapixels."),
    ],
)
def test_refusals_name_the_file_and_not_its_place(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    source = dark(tmp_path / name) if content is None else tmp_path / name
    if content is not None:
        source.write_bytes(content)
    settings = Settings(max_pixels=1000)
    with pytest.raises(ValueError, match="cannot be enhanced") as refused:
        enhance_upload(source, ["gamma"], loader(CLASSICAL), settings, tmp_path)
    assert str(refused.value) == f"{name} cannot be enhanced: {sentence}"


def test_a_truncated_photograph_is_refused(tmp_path: Path) -> None:
    source = dark(tmp_path / "cut.png")
    source.write_bytes(source.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"^cut\.png cannot be enhanced: broken") as refused:
        enhance_upload(source, ["gamma"], loader(CLASSICAL), Settings(), tmp_path)
    assert str(tmp_path) not in str(refused.value)


def header_only(width: int, height: int) -> bytes:
    """Return the beginning of a PNG file, whose pixels would take minutes."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = struct.pack(">I", 100_000) + b"IDAT" + bytes(100_000)
    check = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + check + pixels


def test_too_many_pixels_are_refused_before_any_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: object) -> None:
        pytest.fail("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    for width, height in ((15_000, 15_000), (5_001, 5_000)):
        source = tmp_path / "vast.png"
        source.write_bytes(header_only(width, height))
        with pytest.raises(ValueError, match=r"^vast\.png cannot be enhanced: more than 25 megapixels\.$"):
            enhance_upload(source, ["gamma"], loader(CLASSICAL), Settings(max_pixels=25_000_000), tmp_path)


def test_each_method_is_used_once(tmp_path: Path) -> None:
    made = enhance_upload(dark(tmp_path / "a.png"), ["gamma"] * 200, loader(CLASSICAL), Settings(), tmp_path)
    assert [one.name for one in made.results] == ["gamma"]


@pytest.mark.parametrize("error", [TypeError("an int, no dict"), AttributeError(), KeyError("recipe")])
def test_whatever_a_model_raises_is_its_own_failure(tmp_path: Path, error: Exception) -> None:
    def load(name: str) -> Enhancer:
        if name == "bad":
            raise error
        return loader(CLASSICAL)(name)

    made = enhance_upload(dark(tmp_path / "a.png"), ["bad", "gamma"], load, Settings(), tmp_path)
    assert [one.name for one in made.results] == ["gamma"]
    assert made.remarks == (f"bad failed: {str(error) or type(error).__name__}.",)


def test_a_result_is_adjusted_without_its_method(tmp_path: Path) -> None:
    passes = []

    def load(name: str) -> Enhancer:
        passes.append(name)
        return loader(CLASSICAL)(name)

    source = dark(tmp_path / "dusk.png")
    made = enhance_upload(source, ["gamma"], load, Settings(exposure=0.5), tmp_path)
    moved = replace(Settings(), exposure=-1.0, saturation=0.5, strength=0.8)
    preview = preview_adjusted(made.results[0], moved)
    assert made.results[0].preview.exists()
    seen = np.asarray(Image.open(preview)).astype(int)
    again = preview_adjusted(made.results[0], replace(moved, exposure=1.0))
    assert [preview.exists(), again.exists()] == [False, True]
    adjusted = adjust_upload(made, moved, _new(tmp_path / "moved"))
    download = adjusted.results[0].download
    assert download is not None
    assert download.name == "dusk-gamma.png"
    assert np.abs(np.asarray(Image.open(download)).astype(int) - seen).max() <= 1
    last = made.results[0].download
    assert last is not None
    assert last.exists()
    assert len(passes) == 1
    back = adjust_upload(adjusted, Settings(), tmp_path).results[0].download
    assert back is not None
    whole = enhance_upload(source, ["gamma"], load, Settings(), _new(tmp_path / "whole")).results[0].download
    assert whole is not None
    assert back.read_bytes() == whole.read_bytes()


def test_what_was_left_alone_stays_so(tmp_path: Path) -> None:
    source = written(tmp_path / "day.png", photograph(1))
    made = enhance_upload(source, ["gamma"], loader(CLASSICAL), Settings(), tmp_path)
    assert preview_adjusted(made.results[0], Settings(exposure=1)) == made.results[0].preview
    assert adjust_upload(made, Settings(exposure=1), tmp_path) == made


def test_an_adjusted_photograph_keeps_its_colour_profile(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(photograph(1) // 5).save(tmp_path / "dusk.jpg", icc_profile=profile)
    made = enhance_upload(tmp_path / "dusk.jpg", ["gamma"], loader(CLASSICAL), Settings(), tmp_path)
    download = adjust_upload(made, Settings(exposure=1), tmp_path).results[0].download
    assert download is not None
    assert Image.open(download).info["icc_profile"] == profile
    assert Image.open(preview_adjusted(made.results[0], Settings(exposure=1))).mode == "RGB"


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder
