"""Low light made from bright photographs: light, lamps, sensor and camera, drawn anew for each sample."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlight.colour import linear_to_srgb, luma, srgb_to_linear
from lowlight.data.bright import photographs_of
from lowlight.data.night import at_night, sky_of
from lowlight.data.pairs import PairItem, Split, file_state
from lowlight.data.photographs import Photograph
from lowlight.decoding.formats import open_picture
from lowlight.decoding.reading import read_size
from lowlight.images import read_rgb

Floats = NDArray[np.float32]
Range = tuple[float, float]

_FIELD = 48
"""Longer side in pixels of the grid that the illumination is computed on; it is smooth."""


@dataclass(frozen=True)
class LowLight:
    """Ranges that the parameters of a dark photograph are drawn from, uniformly unless stated.

    Attributes:
        exposure: Exposure of the whole image in stops, relative to the bright photograph.
        highlights: Factor by which light that the photograph shows as white exceeds what its value says.
        uneven: Probability that the illumination varies over the image.
        relief: Range of that variation in stops: of lamps, windows and skies, above the whole image's.
        backlit: Probability that a sky of the photograph, if it shows one, keeps its light, whatever the rest
            loses, so that what stands before it is dark.
        sky: Exposure of such a sky in stops.
        vignette: Loss of light in the corners in stops.
        cast: Standard deviation of the logarithm of the ratio of red to blue light, for lamps whose colour
            the camera's white balance takes out only in part.
        shot: Shot noise: variance per unit of linear light, log-uniform; the read noise follows from it.
        denoised: Share by which the camera smooths the noise over 3x3 pixels.
        contrast: Share of the smoothstep curve in the camera's tone curve.
        jpeg: Probability that the photograph is stored as JPEG.
        quality: Quality of that JPEG.
        night: Probability that a training sample's photograph is turned into night first, reference and all;
            see :mod:`lowlight.data.night`. Evaluation has none.

    References:
        Brooks et al., 2019, "Unprocessing Images for Learned Raw Denoising", section 3: linear light, shot
        and read noise with their relation over ISO (``shot`` is lower here, as the light is),
        the smoothstep tone curve. Foi et al., 2008, for the noise's form. The illumination, the casts, the
        highlights and the camera's smoothing are ours.
    """

    exposure: Range = (-6.0, -1.0)
    highlights: Range = (0.0, 4.0)
    uneven: float = 0.6
    relief: Range = (0.5, 4.0)
    backlit: float = 0.0
    sky: Range = (-1.0, 0.0)
    vignette: Range = (0.0, 1.5)
    cast: float = 0.2
    shot: Range = (2e-5, 4e-3)
    denoised: Range = (0.0, 0.8)
    contrast: Range = (0.0, 0.6)
    jpeg: float = 0.5
    quality: Range = (75.0, 98.0)
    night: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for field in fields(self):
            value: Any = getattr(self, field.name)
            ends = [*value] if isinstance(value, list | tuple) else value
            if not isinstance(field.default, tuple):
                if not isinstance(ends, float | int):
                    raise ValueError(f"{field.name}={ends} must be a number")
                continue
            are_numbers = isinstance(ends, list) and all(isinstance(end, float | int) for end in ends)
            if not are_numbers or len(ends) != 2 or ends[0] > ends[1]:
                raise ValueError(f"{field.name}={ends} must be two ascending numbers")
            object.__setattr__(self, field.name, (float(ends[0]), float(ends[1])))
        if self.shot[0] <= 0:
            raise ValueError(f"shot={list(self.shot)} must be positive")


def darken_scene(
    high: NDArray[np.uint8], ranges: LowLight, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Simulate a photograph of the same scene in low light.

    Args:
        high: Bright photograph, 8-bit sRGB, shape (H, W, 3).
        ranges: What is drawn.
        generator: Source of all randomness.

    Returns:
        Dark photograph, 8-bit sRGB, same shape.
    """
    light: Any = srgb_to_linear(high / np.float32(255))
    # Values near white stand for any brighter light, such as lamps, which stay bright in the dark.
    excess = np.float32(generator.uniform(*ranges.highlights))
    light *= 1 + excess * ((light.max(-1, keepdims=True) - 0.85) / 0.15).clip(0, 1) ** 2
    light *= np.exp2(illumination(high, ranges, generator))[..., None]
    tint = generator.normal(0, (ranges.cast / 2, ranges.cast / 6))
    light *= np.exp(np.array([tint[0], tint[1], -tint[0]], np.float32))
    recorded = (light + sensor_noise(light, ranges, generator)).clip(0, 1)
    return develop(recorded, ranges, generator)


def illumination(high: NDArray[np.uint8], ranges: LowLight, generator: np.random.Generator) -> Floats:
    """Draw how much of the bright photograph's light is left, in stops, shape (H, W); never above 0.

    Beside the exposure of the whole: up to three lamps or windows, a sky above a horizon, bright parts of the
    photograph that are light sources, a vignette, and the photograph's own sky (back light).
    """
    height, width = high.shape[:2]
    scale = _FIELD / max(height, width)
    rows, columns = (max(2, round(length * scale)) for length in (height, width))
    down, across = np.mgrid[0:rows, 0:columns].astype(np.float32)
    down, across = (down + 0.5) / max(rows, columns), (across + 0.5) / max(rows, columns)
    stops = np.full((rows, columns), generator.uniform(*ranges.exposure), np.float32)
    if generator.random() < ranges.uneven:
        kinds = generator.random(3) < (0.6, 0.35, 0.5)
        if kinds[0] or not kinds.any():
            for _ in range(generator.integers(1, 4)):
                centre, radius = generator.uniform(-0.1, 1.1, 2), generator.uniform(0.08, 0.4)
                distance = (down - centre[0]) ** 2 + (across - centre[1]) ** 2
                stops += np.float32(generator.uniform(*ranges.relief)) / (1 + distance / radius**2) ** 2
        if kinds[1]:
            horizon = generator.uniform(0.1, 0.6) + generator.uniform(-0.2, 0.2) * across
            sky = 0.5 - 0.5 * np.tanh((down - horizon) / generator.uniform(0.02, 0.3))
            stops += np.float32(generator.uniform(*ranges.relief)) * sky
        if kinds[2]:
            grey = Image.fromarray(luma(np.divide(high, 255, dtype=np.float32)))
            bright = np.asarray(grey.resize((columns, rows), Image.Resampling.BOX))
            share = ((bright - np.median(bright)) / max(float(np.ptp(bright)), 0.05)).clip(0, 1)
            stops += np.float32(generator.uniform(*ranges.relief)) * share
    centre = generator.uniform(0.4, 0.6, 2) * (down.max(), across.max())
    squared = (down - centre[0]) ** 2 + (across - centre[1]) ** 2
    stops -= np.float32(generator.uniform(*ranges.vignette)) * squared / squared.max()
    smooth = Image.fromarray(stops.clip(max=0)).resize((width, height), Image.Resampling.BICUBIC)
    left: Floats = np.asarray(smooth)
    if ranges.backlit and generator.random() < ranges.backlit:
        left = left + (np.float32(generator.uniform(*ranges.sky)) - left) * sky_of(high)
    return left.clip(max=0)


def sensor_noise(light: Floats, ranges: LowLight, generator: np.random.Generator) -> Floats:
    """Draw the noise of a sensor behind a Bayer mosaic, as bilinear demosaicking leaves it.

    Demosaicking is linear, so the noise is demosaicked alone, and the photograph keeps its sharpness; shot
    noise is approximated by a Gaussian of the same variance.

    Args:
        light: Linear light, shape (H, W, 3).
        ranges: Its ``shot`` and ``denoised`` are used.
        generator: Source of the noise.

    Returns:
        Noise of the same shape, spatially correlated over neighbouring pixels.
    """
    logarithm = generator.uniform(*np.log(ranges.shot))
    shot, read = np.exp(logarithm), np.exp(generator.normal(2.18 * logarithm + 1.2, 0.26))
    height, width = light.shape[:2]
    noise = generator.standard_normal((height, width), np.float32)
    planes = np.zeros((3, height + 2, width + 2), np.float32)
    inner = planes[:, 1:-1, 1:-1]
    for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        site = (slice(row, None, 2), slice(column, None, 2))
        variance = light[site][..., channel].clip(0) * np.float32(shot) + np.float32(read)
        inner[channel][site] = noise[site] * np.sqrt(variance)
    beside = planes[:, 1:-1, :-2] + planes[:, 1:-1, 2:] + planes[:, :-2, 1:-1] + planes[:, 2:, 1:-1]
    corners = planes[:, :-2, :-2] + planes[:, :-2, 2:] + planes[:, 2:, :-2] + planes[:, 2:, 2:]
    straight, diagonal = np.array([[0.5, 0.25, 0.5], [0.25, 0, 0.25]], np.float32)[..., None, None]
    full = inner + straight * beside + diagonal * corners
    share = np.float32(generator.uniform(*ranges.denoised))
    if share > 0:
        full += share * (_box(full) - full)
    return np.moveaxis(full, 0, -1)


def _box(planes: Floats) -> Floats:
    """Average planes of shape (C, H, W) over 3x3 pixels."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    total: Floats = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    return total / np.float32(9)


def develop(light: Any, ranges: LowLight, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Apply a camera's tone curve to linear light of shape (H, W, 3), round to 8 bits, and maybe compress."""
    values: Any = linear_to_srgb(light)
    share = np.float32(generator.uniform(*ranges.contrast))
    values += share * (values * values * (3 - 2 * values) - values)
    dark: NDArray[np.uint8] = np.round(values * 255).astype(np.uint8)
    is_jpeg, quality = generator.random() < ranges.jpeg, round(generator.uniform(*ranges.quality))
    return compress(dark, quality) if is_jpeg else dark


def compress(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Store 8-bit pixels of shape (H, W, 3) as a JPEG of a quality in [1, 100], and read it again."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=quality)
    file.seek(0)
    return np.asarray(open_picture(file))


@dataclass(frozen=True)
class LowLightPhoto:
    """A bright photograph and its low light: fixed for evaluation, drawn anew for each training sample."""

    has_reference: ClassVar[bool] = True

    name: str
    scene: str
    photo: Path
    ranges: LowLight

    def key(self) -> str:
        """Return a key of the pixels for evaluation."""
        return f"low light 1|{file_state(self.photo)}|{self.name}|{self.ranges}"

    def check(self) -> None:
        """Read the photograph's header."""
        read_size(self.photo)

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Decode the photograph and darken it, always alike."""
        high = read_rgb(self.photo)
        seed = int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:8])
        return darken_scene(high, self.ranges, np.random.default_rng(seed)), high

    def source(self) -> Photograph:
        """Return the photograph alone, as training has no use for its fixed low light."""
        return Photograph(self.name, self.photo)

    def sample(self, pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
        """Darken the reference of a crop of shape (2, H, W, 3) anew, maybe at night."""
        high = pixels[1]
        if self.ranges.night and generator.random() < self.ranges.night:
            high = at_night(high, generator)
        return np.stack([darken_scene(high, self.ranges, generator), high])


class LowLightPhotographs:
    """A folder of bright photographs, each with a low light that is drawn anew for each training sample.

    ``test_fraction`` of the photographs, chosen by a hash of their names, are for testing. Those and the
    validation images have one fixed low light each.

    Args:
        root: Folder of bright photographs.
        ranges: Ranges of :class:`LowLight`, keyed by its attributes, that differ from the defaults.
        test_fraction: Share of the photographs for testing; at least one photograph.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        ranges: dict[str, Sequence[float] | float] | None = None,
        test_fraction: float = 0.1,
    ) -> None:
        self.root = Path(root).expanduser()
        known = {field.name for field in fields(LowLight)}
        if unknown := set(ranges or {}) - known:
            raise ValueError(f"ranges: {sorted(unknown)[0]!r} is none of {', '.join(sorted(known))}")
        self.ranges = LowLight(**(ranges or {}))  # type: ignore[arg-type]  # checked there
        self.test_fraction = test_fraction

    def __str__(self) -> str:
        return str(self.root)

    def items(self, split: Split, name: str) -> list[PairItem]:
        """Return the pairs of a split, named ``<name>/<stem>``.

        Raises:
            ValueError: If the folder is missing, has fewer than two photographs or two of one stem, or if a
                photograph cannot be read.
        """
        photos = photographs_of(self.root, split, self.test_fraction)
        return [
            LowLightPhoto(f"{name}/{stem}", f"{name}/{stem}", photo, self.ranges)
            for photo, stem in photos.items()
        ]
