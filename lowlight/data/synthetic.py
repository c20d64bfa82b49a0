"""Pairs made from bright photographs by a physical model of short exposures.

The embedded photographs are the colour ones inside the scikit-image wheel, read where they are installed:
``astronaut`` (NASA, public domain), ``chelsea`` (Stéfan van der Walt, CC0), ``coffee`` (Rachel Michetti,
CC0), ``rocket`` (SpaceX, public domain), ``motorcycle_left`` and ``motorcycle_right`` (Middlebury 2014 stereo
benchmark: Nera Nesic, Porter Westling, Xi Wang, York Kitajima, Greg Krathwohl and Daniel Scharstein; no
licence stated; only trained on). Six photographs show that the study runs; they do not rank methods.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import exp, log
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlight.colour import linear_to_srgb, srgb_to_linear
from lowlight.data.pairs import Fixed, PairItem, Split, file_state, list_images, refuse, stem_of
from lowlight.decoding.reading import read_size
from lowlight.images import read_rgb

Box = tuple[int, int, int, int]

EMBEDDED: Mapping[str, Mapping[str, str]] = {
    "train": {
        "astronaut.png": "astronaut",
        "motorcycle_left.png": "motorcycle",
        "motorcycle_right.png": "motorcycle",
        "rocket.jpg": "rocket",
    },
    "val": {"chelsea.png": "chelsea"},
    "test": {"coffee.png": "coffee"},
}
"""File and scene of each embedded photograph, per split."""


def expose(
    light: NDArray[np.float64],
    exposure: float,
    full_well: float,
    read_noise: float,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Simulate a sensor with shot and read noise.

    A pixel of light ``y`` collects Poisson(exposure * full_well * y) electrons, and reading adds a Gaussian
    error, so the variance of the result is ``exposure * y / full_well + (read_noise / full_well)^2``.

    Args:
        light: Linear light in [0, 1], any shape.
        exposure: Exposure time relative to the one at which light 1 fills a pixel's well.
        full_well: Full well capacity in electrons.
        read_noise: Standard deviation of the read noise in electrons.
        generator: Source of the noise.

    Returns:
        Signal as a share of the full well, same shape; it may be slightly negative.

    Reference:
        Foi, Trimeche, Katkovnik, Egiazarian, 2008, "Practical Poissonian-Gaussian noise modeling and fitting
        for single-image raw-data", section II.
    """
    electrons = generator.poisson(light * exposure * full_well) + generator.normal(0, read_noise, light.shape)
    return np.asarray(electrons / full_well)


def darken(
    high: NDArray[np.uint8],
    exposure: float,
    *,
    full_well: float = 20000,
    read_noise: float = 4,
    generator: np.random.Generator,
) -> NDArray[np.uint8]:
    """Simulate a short exposure of a photographed scene.

    sRGB is converted to linear light, exposed with shot and read noise, converted back and rounded to 8 bits.

    Args:
        high: Bright photograph, 8-bit sRGB, shape (H, W, 3).
        exposure: Exposure time relative to the bright photograph's.
        full_well: Full well capacity in electrons; lower values mean more shot noise.
        read_noise: Standard deviation of the read noise in electrons.
        generator: Source of the noise.

    Returns:
        Dark photograph, 8-bit sRGB, same shape.

    Reference:
        Brooks, Mildenhall, Xue, Chen, Sharlet, Barron, 2019, "Unprocessing Images for Learned Raw Denoising",
        section 3: noise is added in linear light, before the camera's processing.

    Differs from the paper: only the sRGB curve of the camera's processing is inverted and reapplied; white
    balance, colour matrix, mosaic and tone curve are unknown for a finished photograph.
    """
    light = srgb_to_linear(high / 255)
    recorded = expose(light, exposure, full_well, read_noise, generator)
    return np.round(linear_to_srgb(recorded.clip(0, 1)) * 255).astype(np.uint8)


@dataclass(frozen=True)
class DarkenedView(Fixed):
    """A pair made from a crop of a bright photograph; all randomness follows from its fields.

    ``box`` is the crop, (left, top, right, bottom) in pixels, ``size`` the width and height to which it is
    resized (antialiased bicubic), ``noise_seed`` the seed of the noise.
    """

    name: str
    scene: str
    photo: Path
    box: Box
    size: tuple[int, int]
    exposure: float
    full_well: float
    read_noise: float
    noise_seed: int

    def key(self) -> str:
        """Return a key of the pixels: the photograph's path, size and time, and all parameters."""
        fields = (self.box, self.size, self.exposure, self.full_well, self.read_noise, self.noise_seed)
        return f"darkened 1|{file_state(self.photo)}|{fields}"

    def check(self) -> None:
        """Read the photograph's header."""
        read_size(self.photo)

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Crop the photograph and darken it."""
        view = Image.fromarray(read_rgb(self.photo)).resize(self.size, Image.Resampling.BICUBIC, self.box)
        high = np.asarray(view)
        generator = np.random.default_rng(self.noise_seed)
        noise = {"full_well": self.full_well, "read_noise": self.read_noise}
        return darken(high, self.exposure, **noise, generator=generator), high


def photographs_of(root: Path, split: Split, test_fraction: float) -> dict[Path, str]:
    """Return the photographs of a split of a folder, with their stems; chosen by a hash of these.

    Raises:
        ValueError: If the folder is missing, has fewer than two photographs or two of one stem, or if a
            photograph cannot be read.
    """
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; root must hold bright photographs")
    photos: dict[str, Path] = {}
    problems = []
    for path in list_images(root):
        try:
            read_size(path)
        except ValueError as error:
            problems.append(str(error))
        if (stem := stem_of(path)) in photos:
            problems.append(f"{path.name} has the stem of {photos[stem].name}")
        photos.setdefault(stem, path)
    if problems:
        refuse(root, problems, "Replace, rename or remove these files.")
    if len(photos) < 2:
        raise ValueError(f"{root}: {len(photos)} photographs; two or more are needed to split them")
    shuffled = sorted(photos, key=lambda stem: hashlib.sha256(stem.encode()).digest())
    tests = min(max(round(test_fraction * len(photos)), 1), len(photos) - 1)
    chosen = {"train": shuffled[tests:], "val": [], "test": shuffled[:tests]}[split]
    return {photos[stem]: stem for stem in sorted(chosen)}


class DarkenedPhotographs:
    """Pairs made from the embedded photographs, or from any folder of bright photographs.

    Each photograph gives ``views`` crops, each at ``exposures`` short exposures drawn log-uniformly from
    ``exposure_range``. No photograph is in two splits. The embedded photographs have a validation split; in a
    folder, ``test_fraction`` of the photographs, chosen by a hash of their names, are for testing, and the
    data module holds out validation images from the others. The pairs depend on the photographs and ``seed``,
    which identifies the set and is not the training's seed.

    Args:
        root: Folder of bright photographs; ``None`` is the embedded ones.
        views: Crops per training photograph.
        test_views: Crops per validation or test photograph.
        size: Width and height of a crop in pixels; ``None`` is the whole photograph (one view).
        exposures: Dark images per crop.
        exposure_range: Shortest and longest exposure time, relative to the photograph's.
        full_well: Full well capacity in electrons; see :func:`darken`.
        read_noise: Standard deviation of the read noise in electrons.
        test_fraction: Share of a folder's photographs for testing; at least one photograph.
        seed: Seed of crops, exposures and noise.
    """

    def __init__(
        self,
        root: Path | str | None = None,
        *,
        views: int = 12,
        test_views: int = 6,
        size: Sequence[int] | None = (256, 192),
        exposures: int = 2,
        exposure_range: Sequence[float] = (0.0167, 0.05),
        full_well: float = 20000,
        read_noise: float = 4,
        test_fraction: float = 0.2,
        seed: int = 0,
    ) -> None:
        if size is None and (views, test_views) != (1, 1):
            raise ValueError(
                f"size=None takes the whole photograph, once, not {views} and {test_views} views; "
                "set views=1 and test_views=1, or size=[256, 192]"
            )
        if not 0 < exposure_range[0] <= exposure_range[1] <= 1:
            raise ValueError(
                f"exposure_range={list(exposure_range)} must ascend within (0, 1], e.g. [0.02, 0.05]"
            )
        self.root = None if root is None else Path(root).expanduser()
        self.views = views
        self.test_views = test_views
        self.size = None if size is None else (size[0], size[1])
        self.exposures = exposures
        self.exposure_range = (exposure_range[0], exposure_range[1])
        self.full_well = full_well
        self.read_noise = read_noise
        self.test_fraction = test_fraction
        self.seed = seed

    def __str__(self) -> str:
        return "embedded photographs" if self.root is None else str(self.root)

    def items(self, split: Split, name: str) -> list[PairItem]:
        """Return the pairs of a split, named ``<name>/<stem>-<view>-<exposure>``.

        Raises:
            ValueError: If the folder is missing, has fewer than two photographs or two of one stem, or if a
                photograph cannot be read.
        """
        views = self.views if split == "train" else self.test_views
        photos = self._photographs(split)
        return [item for photo, scene in photos.items() for item in self._views(photo, scene, name, views)]

    def _photographs(self, split: Split) -> dict[Path, str]:
        if self.root is None:
            folder = Path(str(files("skimage") / "data"))
            return {folder / file: scene for file, scene in EMBEDDED[split].items()}
        return photographs_of(self.root, split, self.test_fraction)

    def _views(self, photo: Path, scene: str, name: str, views: int) -> list[PairItem]:
        width, height = read_size(photo)
        seed = int.from_bytes(hashlib.sha256(f"{self.seed}/{stem_of(photo)}".encode()).digest()[:8])
        generator = np.random.default_rng(seed)
        items: list[PairItem] = []
        for view in range(views):
            box = self._box(width, height, generator)
            for _ in range(self.exposures):
                exposure = exp(generator.uniform(log(self.exposure_range[0]), log(self.exposure_range[1])))
                items.append(
                    DarkenedView(
                        name=f"{name}/{stem_of(photo)}-{view:02d}-{len(items) % self.exposures}",
                        scene=scene,
                        photo=photo,
                        box=box,
                        size=self.size or (width, height),
                        exposure=exposure,
                        full_well=self.full_well,
                        read_noise=self.read_noise,
                        noise_seed=int(generator.integers(2**63)),
                    )
                )
        return items

    def _box(self, width: int, height: int, generator: np.random.Generator) -> Box:
        if self.size is None:
            return (0, 0, width, height)
        largest = min(width / self.size[0], height / self.size[1])
        scale = generator.uniform(min(1.0, largest), largest)
        across, down = round(self.size[0] * scale), round(self.size[1] * scale)
        left = int(generator.integers(width - across + 1))
        top = int(generator.integers(height - down + 1))
        return (left, top, left + across, top + down)
