"""What spoils the picture of a licence plate: darkness, blur, coarse pixels, noise, glare, JPEG and rain.

Optics, light and sensor act on linear light; the camera then encodes it as 8-bit sRGB.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlight.colour import srgb_to_linear
from lowlight.data.low_light import Floats, LowLight, compress, darken_scene, develop, sensor_noise

_GOOD_CAMERA = LowLight(
    shot=(2e-5, 4e-4), denoised=(0.0, 0.5), contrast=(0.0, 0.3), jpeg=0.5, quality=(85, 98)
)
"""Sensor and processing of a picture whose problem lies elsewhere."""

_DARK = LowLight(
    exposure=(-9.0, -3.0),
    highlights=(0.0, 0.0),
    uneven=0.4,
    relief=(0.3, 2.0),
    vignette=(0.0, 0.7),
    shot=(2e-4, 2e-2),
    quality=(80.0, 98.0),
)
"""A plate at night; brighter exposures are left to other problems, so that the darkness is seen."""


def degrade(pixels: NDArray[np.uint8], problem: str, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Photograph a plate under a problem of random severity, from just visible to beyond recovery.

    Args:
        pixels: The plate, 8-bit sRGB, shape (H, W, 3).
        problem: One of :data:`PROBLEMS`.
        generator: Source of all randomness.

    Returns:
        The picture, 8-bit sRGB, same shape.
    """
    return _DEGRADE[problem](pixels, generator)


def _linear(pixels: NDArray[np.uint8]) -> Floats:
    return np.asarray(srgb_to_linear(pixels / np.float32(255)), np.float32)


def _photograph(light: Any, generator: np.random.Generator, camera: LowLight = _GOOD_CAMERA) -> Any:
    light = np.asarray(light, np.float32)
    return develop((light + sensor_noise(light, camera, generator)).clip(0, 1), camera, generator)


def _undamaged(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    return np.asarray(_photograph(_linear(pixels), generator))


def _dark(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    return darken_scene(pixels, _DARK, generator)


def _motion(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Move the plate by 5 to 38 pixels during the exposure, mostly sideways, on a slightly bent path."""
    length, angle = generator.uniform(5, 38), generator.normal(0, 0.5)
    along = np.linspace(-0.5, 0.5, 200) * length
    bend = generator.normal(0, 0.08) * length * (along / length) ** 2
    down = along * np.sin(angle) + bend * np.cos(angle)
    across = along * np.cos(angle) - bend * np.sin(angle)
    radius = int(np.ceil(max(np.abs(down).max(), np.abs(across).max()))) + 1
    kernel = _splat(down, across, radius)
    return np.asarray(_photograph(_convolved(_linear(pixels), kernel), generator))


def _defocus(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Put the plate out of focus: a disc of 1.5 to 9 pixels' radius."""
    kernel = _disc(generator.uniform(1.5, 9))
    return np.asarray(_photograph(_convolved(_linear(pixels), kernel), generator))


def _low_resolution(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Photograph the plate from afar, 2 to 10 times smaller, and enlarge the picture."""
    height, width = pixels.shape[:2]
    factor = generator.uniform(2, 10)
    size = (max(8, round(width / factor)), max(4, round(height / factor)))
    light = [
        np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BOX))
        for plane in np.moveaxis(_linear(pixels), -1, 0)
    ]
    small = _photograph(np.stack(light, -1), generator)
    kinds = (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.NEAREST)
    kind = kinds[generator.choice(3, p=[0.6, 0.3, 0.1])]
    return np.asarray(Image.fromarray(small).resize((width, height), kind))


def _noisy(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Photograph at a high sensitivity, whose gain amplifies the noise of little light."""
    camera = LowLight(shot=(6e-3, 4e-1), denoised=(0.0, 0.6), contrast=(0.0, 0.3), quality=(70.0, 95.0))
    return np.asarray(_photograph(_linear(pixels) * generator.uniform(0.3, 1.0), generator, camera))


def _overexposed(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Expose 1.5 to 7.5 stops too long, with glare: a share of the light is scattered over the picture."""
    light = _linear(pixels) * np.exp2(np.float32(generator.uniform(1.5, 7.5)))
    share = generator.uniform(0, 0.06)
    scattered = _convolved(light, _disc(generator.uniform(8, 20)))
    return np.asarray(_photograph((1 - share) * light + share * scattered, generator))


def _jpeg(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Compress at a quality of 2 to 22, log-uniform, at full to half size, and enlarge the picture."""
    camera = LowLight(shot=_GOOD_CAMERA.shot, jpeg=0.0, contrast=(0.0, 0.3))
    picture = _photograph(_linear(pixels), generator, camera)
    height, width = pixels.shape[:2]
    factor, quality = generator.uniform(0.5, 1), round(np.exp(generator.uniform(np.log(2), np.log(22))))
    size = (round(width * factor), round(height * factor))
    small = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
    stored = Image.fromarray(compress(small, quality))
    return np.asarray(stored.resize((width, height), Image.Resampling.BICUBIC))


def _rain(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Add falling drops, streaks of the sky's light, drops on the lens that blur what is behind, and mist."""
    light: Any = _linear(pixels)
    height, width = pixels.shape[:2]
    amount = generator.uniform(0.15, 1.3)
    mist = amount * generator.uniform(0.0, 0.35)
    light = (1 - mist) * light + np.float32(0.55 * mist)
    angle, length = np.pi / 2 + generator.normal(0, 0.2), generator.uniform(10, 34)
    along = np.linspace(-0.5, 0.5, 120) * length
    kernel = _splat(along * np.sin(angle), along * np.cos(angle), int(length / 2) + 2)
    fallen = generator.random((height, width, 1)) < 0.022 * amount
    drops = fallen.astype(np.float32) * np.float32(generator.uniform(0.4, 1.0))
    streaks = _convolved(drops, kernel * length / 1.6).clip(0, 0.9)
    light = (1 - streaks) * light + np.float32(0.75) * streaks
    behind = _convolved(light, _disc(generator.uniform(3, 6)))
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    for _ in range(generator.poisson(14 * amount)):
        centre, radius = generator.uniform(0, 1, 2) * (height, width), generator.uniform(3, 10)
        distance = np.hypot((down - centre[0]) / generator.uniform(0.8, 1.4), across - centre[1])
        inside = (radius - distance + 0.5).clip(0, 1)[..., None].astype(np.float32)
        rim = np.float32(0.05) * np.exp(-((distance - 0.85 * radius) ** 2))[..., None]
        light = (1 - inside) * light + inside * (np.float32(0.9) * behind + rim)
    return np.asarray(_photograph(light, generator))


_DEGRADE: Mapping[str, Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]] = (
    MappingProxyType(
        {
            "undamaged": _undamaged,
            "dark": _dark,
            "motion_blur": _motion,
            "defocus": _defocus,
            "low_resolution": _low_resolution,
            "noise": _noisy,
            "over_exposed": _overexposed,
            "jpeg": _jpeg,
            "rain": _rain,
        }
    )
)

PROBLEMS: tuple[str, ...] = tuple(_DEGRADE)
"""Names of the problems; the first is none."""


def _splat(down: NDArray[np.float64], across: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Spread points over a grid bilinearly; the kernel, of side ``2 * radius + 1``, sums to 1."""
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    rows, columns = np.floor(down).astype(int), np.floor(across).astype(int)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weights = np.abs(1 - row - (down - rows)) * np.abs(1 - column - (across - columns))
        np.add.at(kernel, (rows + row + radius, columns + column + radius), weights)
    return np.asarray(kernel / kernel.sum())


def _disc(radius: float) -> NDArray[np.float64]:
    """Return a disc with a soft edge of a pixel, which sums to 1."""
    reach = int(np.ceil(radius + 0.5))
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = (radius + 0.5 - np.hypot(down, across)).clip(0, 1)
    return np.asarray(kernel / kernel.sum())


def _convolved(light: Floats, kernel: NDArray[np.float64]) -> Floats:
    """Convolve an image (H, W, C) with a kernel of odd side; its edge is replicated."""
    radius = kernel.shape[0] // 2
    padded = np.pad(light, ((radius, radius), (radius, radius), (0, 0)), mode="edge")
    shape = padded.shape[:2]
    spectrum = np.fft.rfft2(padded, axes=(0, 1)) * np.fft.rfft2(kernel, shape)[..., None]
    whole = np.fft.irfft2(spectrum, shape, axes=(0, 1))
    return np.asarray(whole[2 * radius :, 2 * radius :], np.float32)
