"""Pairs as tensors."""

from collections.abc import Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset, default_collate

from lowlight.data.cache import ArrayCache
from lowlight.data.pairs import PairItem, check_references_alike, check_sizes, refuse
from lowlight.data.scenes import THUMBNAIL, scene_groups, thumbnail
from lowlight.images import Batch, Pair, from_uint8

Key = tuple[int, int, int]
"""Seed, pass over the pairs, and index of a training sample."""

Clue = tuple[NDArray[np.float32], str | None]
"""Thumbnail of an image, and its known scene or None."""


class PairDataset(Dataset[Pair]):
    """Pairs decoded through the cache.

    ``dataset[seed, number, index]`` is a training sample: a random crop, turned by a multiple of 90 degrees
    and mirrored, by a generator seeded with these three numbers, the second counting passes over the pairs;
    so it depends on no worker, rank or other pass. ``dataset[index]`` is the pair itself (its centre crop if
    ``patch_size`` is set). With ``drawn`` or ``bright``, what is drawn for a training sample is drawn for it,
    too, always alike, as ``check=overfit`` needs.

    Both images of a pair are one array of shape (2, H, W, 3), so they cannot be treated differently. All
    operations are indexing of 8-bit pixels: exact, and only the crop is read from disk. (kornia's paired
    augmentation draws from the global generators and needs whole float batches.)

    Args:
        items: The pairs.
        cache: Cache of the decoded pixels; none by default.
        resize: Side in pixels of the squares to which images are resized before they are cached, by Pillow's
            antialiased bicubic filter; ``None`` keeps their size.
        patch_size: Side of the crops in pixels; smaller images are padded by reflection. ``None`` does not
            crop.
        augment: Whether training samples are turned and mirrored.
        drawn: Whether only training samples are read, so that a dark image that is drawn anew for each of
            them need not be made; :meth:`pixels` then holds the reference twice.
        bright: Pairs whose references are bright images for unpaired training: each training sample gets one
            of them, drawn independently, in place of its own reference.
    """

    def __init__(
        self,
        items: Sequence[PairItem],
        cache: ArrayCache | None = None,
        *,
        resize: int | None = None,
        patch_size: int | None = None,
        augment: bool = False,
        drawn: bool = False,
        bright: Sequence[PairItem] = (),
    ) -> None:
        self.items = list(items)
        self.bright = list(bright)
        self.cache = cache or ArrayCache(None)
        self.resize = resize
        self.patch_size = patch_size
        self.augment = augment
        self.drawn = drawn
        self._sources = [item.source() for item in self.items] if drawn else self.items
        self._keys = [item.key() for item in self._sources]
        self._bright_sources = [(item.source(), item.source().key()) for item in bright]
        self.labels: list[int] = [getattr(item, "label", -1) for item in self.items]
        self._is_labelled = max(self.labels, default=-1) >= 0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: int | Key) -> Pair:
        generator: np.random.Generator | None = None
        place: np.random.Generator | None = None  # draws crop and turn
        if isinstance(key, tuple):
            index = key[2]
            generator = place = np.random.default_rng(key)
        else:
            index = key
            if self.drawn or self.bright:
                generator = np.random.default_rng([0, 0, index])
        item, pixels = self.items[index], self._prepared(self.pixels(index), place)
        has_reference = item.has_reference
        if generator is not None:
            pixels = item.sample(pixels, generator)
            if self.bright:
                other = self._bright_sources[int(generator.integers(len(self.bright)))]
                bright = self._prepared(self._decoded(*other), place)
                pixels, has_reference = np.stack([pixels[0], bright[1]]), False
        low, high = from_uint8(pixels)
        pair: Pair = {"low": low, "high": high, "name": item.name, "has_reference": has_reference}
        if self._is_labelled:
            pair["label"] = self.labels[index]
        return pair

    def pixels(self, index: int) -> NDArray[np.uint8]:
        """Return the decoded pair, dark image first: 8-bit, shape (2, H, W, 3), memory-mapped if cached."""
        return self._decoded(self._sources[index], self._keys[index])

    def _decoded(self, item: PairItem, key: str) -> NDArray[np.uint8]:
        return self.cache.load(f"{key}|{self.resize}", lambda: decode(item, self.resize))

    def _prepared(
        self, pixels: NDArray[np.uint8], generator: np.random.Generator | None
    ) -> NDArray[np.uint8]:
        """Crop (2, H, W, 3), if wanted, and turn it, if it is for training."""
        if self.patch_size is not None:
            pixels = crop(pixels, self.patch_size, generator)
        return turn(pixels, generator) if self.augment and generator is not None else pixels

    @property
    def has_references(self) -> bool:
        """Whether the images have references: all of them or none."""
        return all(item.has_reference for item in self.items)

    def size(self, index: int) -> tuple[int, int]:
        """Return width and height of a pair in pixels, after resizing and before cropping."""
        height, width = self.pixels(index).shape[1:3]
        return width, height

    def thumbnails(self, *, dark: bool = False) -> list[NDArray[np.float32]]:
        """Return the thumbnail of each reference, computed before any resizing; uniform for one alone.

        Args:
            dark: Whether to return those of the dark images instead.
        """
        kind = "dark thumbnail" if dark else "thumbnail"

        def make(index: int) -> NDArray[np.float32]:
            if getattr(self.items[index], "is_alone", False):
                return np.zeros(THUMBNAIL[::-1], np.float32)
            # a copy, since a memory map keeps a file open: as many as images are more than a system allows
            return np.array(
                self.cache.load(
                    f"{self._keys[index]}|{kind}", lambda: thumbnail(self._whole(index, 0 if dark else 1))
                )
            )

        with ThreadPoolExecutor() as pool:
            return list(pool.map(make, range(len(self))))

    def clues(self) -> list[Clue]:
        """Return what the scene of each pair is known by: its thumbnail, and its label if it has one."""
        return list(zip(self.thumbnails(), (item.scene for item in self.items), strict=True))

    def clues_of_both(self) -> list[Clue]:
        """Return the clues by the references, then those by the dark images, each pair's under one label.

        A dark image and its reference may look less alike than two scenes.
        """
        labels = [item.scene or f"pair {index}" for index, item in enumerate(self.items)]
        return [*zip([*self.thumbnails(), *self.thumbnails(dark=True)], labels * 2, strict=True)]

    def scene_groups(self) -> list[list[int]]:
        """Group the pairs by scene; see :func:`lowlight.data.scenes.scene_groups`."""
        return scene_groups(self.thumbnails(), [item.scene for item in self.items])

    def without(self, indices: Set[int]) -> "PairDataset":
        """Return the pairs, uncropped, but those of some indices."""
        items = [item for index, item in enumerate(self.items) if index not in indices]
        return PairDataset(items, self.cache, resize=self.resize, drawn=self.drawn)

    def _whole(self, index: int, side: int) -> NDArray[np.uint8]:
        """Return the dark image (0) or the reference (1) at native size."""
        return self.pixels(index)[side] if self.resize is None else self._sources[index].read()[side]

    def problems(self) -> list[str]:
        """Return what is wrong with the files, one sentence per bad file.

        With a cache, every pair is decoded unless it is cached. Without one, only headers are read; damage to
        pixels is then reported when a pair is loaded.
        """

        def problem(index: int) -> str | None:
            try:
                if self.cache.writable:
                    self.pixels(index)
                else:
                    self._sources[index].check()
            except ValueError as error:
                return str(error)
            return None

        with ThreadPoolExecutor() as pool:
            return [text for text in pool.map(problem, range(len(self))) if text]


def checked(
    items: Sequence[PairItem], cache: ArrayCache, *, resize: int | None, drawn: bool = False
) -> PairDataset:
    """Make a dataset of pairs whose files are checked; see :meth:`PairDataset.problems`.

    Raises:
        ValueError: If files cannot be used, or some of the pairs have references and some have none.
    """
    dataset = PairDataset(items, cache, resize=resize, drawn=drawn)
    if problems := dataset.problems():
        remedy = "Replace these files or remove them (both of a pair)."
        refuse(f"{len(problems)} of {len(items)} pairs cannot be used", problems, remedy)
    check_references_alike(items)
    return dataset


def decode(item: PairItem, resize: int | None) -> NDArray[np.uint8]:
    """Decode a pair as one array of shape (2, H, W, 3), resized to squares of ``resize`` pixels unless None.

    Raises:
        ValueError: If a file cannot be read or the two images differ in size.
    """
    images = item.read()
    (low_height, low_width), (high_height, high_width) = (image.shape[:2] for image in images)
    check_sizes(item.name, (low_width, low_height), (high_width, high_height))
    if resize is not None:
        size = (resize, resize)
        low, high = (Image.fromarray(image).resize(size, Image.Resampling.BICUBIC) for image in images)
        return np.stack([np.asarray(low), np.asarray(high)])
    return np.stack(images)


def crop(pixels: NDArray[np.uint8], size: int, generator: np.random.Generator | None) -> NDArray[np.uint8]:
    """Crop (2, H, W, 3) to a square of ``size`` pixels, at random, or at the centre without a generator."""
    ends = []
    for length in pixels.shape[1:3]:
        spare = max(length - size, 0)
        start = spare // 2 if generator is None else int(generator.integers(spare + 1))
        ends.append(slice(start, start + size))
    patch = pixels[:, ends[0], ends[1]]
    down, across = size - patch.shape[1], size - patch.shape[2]
    return (
        np.pad(patch, ((0, 0), (0, down), (0, across), (0, 0)), mode="reflect") if down or across else patch
    )


def turn(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Turn and mirror (2, H, W, 3) at random: eight ways if square, else the four that keep the shape."""
    quarters, mirrored = int(generator.integers(4)), bool(generator.integers(2))
    if pixels.shape[1] != pixels.shape[2]:
        quarters -= quarters % 2
    pixels = np.rot90(pixels, quarters, axes=(1, 2))
    return pixels[:, :, ::-1] if mirrored else pixels


def collate(pairs: Sequence[Pair]) -> Batch:
    """Stack pairs into a batch.

    Raises:
        ValueError: If their sizes differ.
    """
    check_alike({pair["name"]: cast("tuple[int, int]", pair["low"].shape[:0:-1]) for pair in pairs})
    has_reference = pairs[0].get("has_reference", True)
    columns = [{key: value for key, value in pair.items() if key != "has_reference"} for pair in pairs]
    return cast("Batch", default_collate(columns) | {"has_reference": has_reference})


def check_alike(sizes: Mapping[str, tuple[int, int]]) -> None:
    """Refuse a batch of images of several sizes.

    Args:
        sizes: Width and height in pixels, keyed by image name.

    Raises:
        ValueError: If the sizes differ.
    """
    names = {size: name for name, size in sizes.items()}
    if len(names) > 1:
        examples = ", ".join(
            f"{name} is {width}x{height}" for (width, height), name in list(names.items())[:2]
        )
        raise ValueError(
            f"images of a batch differ in size ({examples}); set data.patch_size=128, data.resize=256 or "
            "data.batch_size=1"
        )
