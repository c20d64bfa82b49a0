"""Pairs made from bright photographs by a physical model of short exposures.

The embedded data are photographs inside installed packages, :mod:`lowlight.data.bright`, which names
their licences, and rendered rooms, :mod:`lowlight.data.rooms`: the few photographs show that the study runs,
the rooms add the scenes without which methods cannot be told apart.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlight.colour import linear_to_srgb, srgb_to_linear
from lowlight.data.bright import EMBEDDED, BrightPicture, PhotoFile, installed, photographs_of
from lowlight.data.pairs import Fixed, PairItem, Split
from lowlight.data.rooms import Room

Box = tuple[int, int, int, int]

FIRST_ROOM: Mapping[str, int] = {"train": 0, "val": 1000, "test": 2000}
"""Number of the first rendered room per split."""

MOST_ROOMS = 1000
"""Largest number of rooms of a split: beyond it lie those of the next."""


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
    photo: BrightPicture
    box: Box
    size: tuple[int, int]
    exposure: float
    full_well: float
    read_noise: float
    noise_seed: int

    def key(self) -> str:
        """Return a key of the pixels: the photograph's and all parameters."""
        fields = (self.box, self.size, self.exposure, self.full_well, self.read_noise, self.noise_seed)
        return f"darkened 1|{self.photo.key()}|{fields}"

    def check(self) -> None:
        """Read the photograph's header."""
        self.photo.size()

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Crop the photograph and darken it."""
        view = Image.fromarray(self.photo.read()).resize(self.size, Image.Resampling.BICUBIC, self.box)
        high = np.asarray(view)
        generator = np.random.default_rng(self.noise_seed)
        noise = {"full_well": self.full_well, "read_noise": self.read_noise}
        return darken(high, self.exposure, **noise, generator=generator), high


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
        rooms: Numbers of rendered rooms that are added to the photographs of training, validation and
            testing, up to :data:`MOST_ROOMS` each; see :mod:`lowlight.data.rooms`.
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
        rooms: Sequence[int] = (0, 0, 0),
    ) -> None:
        if len(rooms) != 3 or not 0 <= min(rooms) <= max(rooms) <= MOST_ROOMS:
            raise ValueError(
                f"rooms={list(rooms)} must be three counts, of training, validation and testing, "
                f"from 0 to {MOST_ROOMS}, e.g. [24, 3, 8]"
            )
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
        self.rooms: Mapping[str, int] = dict(zip(FIRST_ROOM, rooms, strict=True))

    def __str__(self) -> str:
        return "embedded photographs" if self.root is None else str(self.root)

    def items(self, split: Split, name: str) -> list[PairItem]:
        """Return the pairs of a split, named ``<name>/<stem>-<view>-<exposure>``.

        Raises:
            ValueError: If the folder is missing, has fewer than two photographs or two of one stem, or if a
                photograph cannot be read.
        """
        views = self.views if split == "train" else self.test_views
        items = [
            view
            for photo, scene in self._photographs(split).items()
            for view in self._views(photo, scene, name, views)
        ]
        rooms = [Room(FIRST_ROOM[split] + number) for number in range(self.rooms[split])]
        # View by view, so that several rooms are rendered at once.
        shown = zip(*(self._views(room, room.stem, name, views) for room in rooms), strict=True)
        return [*items, *(view for views_of_rooms in shown for view in views_of_rooms)]

    def _photographs(self, split: Split) -> dict[BrightPicture, str]:
        if self.root is None:
            photos = {installed(file): scene for file, scene in EMBEDDED[split].items()}
        else:
            photos = photographs_of(self.root, split, self.test_fraction)
        return {PhotoFile(path): scene for path, scene in photos.items()}

    def _views(self, photo: BrightPicture, scene: str, name: str, views: int) -> list[PairItem]:
        width, height = photo.size()
        seed = int.from_bytes(hashlib.sha256(f"{self.seed}/{photo.stem}".encode()).digest()[:8])
        generator = np.random.default_rng(seed)
        items: list[PairItem] = []
        for view in range(views):
            box = self._box(width, height, generator)
            for _ in range(self.exposures):
                exposure = exp(generator.uniform(log(self.exposure_range[0]), log(self.exposure_range[1])))
                items.append(
                    DarkenedView(
                        name=f"{name}/{photo.stem}-{view:02d}-{len(items) % self.exposures}",
                        scene=f"{name}/{scene}",
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


def embedded() -> DarkenedPhotographs:
    """Return the embedded data set of ``conf/data/synthetic.yaml``: photographs and rendered rooms."""
    return DarkenedPhotographs(views=6, test_views=2, rooms=(24, 3, 8))
