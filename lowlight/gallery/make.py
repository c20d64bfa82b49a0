"""Making a gallery: photographs enhanced by every method, scored, and written as a page."""

import hashlib
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lowlight.files import check_folder, reason, to_csv, write_text
from lowlight.gallery.page import GENERATOR, PAGE, PICTURES, Gallery, render
from lowlight.gallery.scores import (
    INPUT,
    REFERENCE,
    Item,
    Version,
    interval_of,
    labels_in,
    score_columns,
    scores_of,
    time_of,
)
from lowlight.gallery.sources import Image, Source, Subject, find_sources, read_subjects
from lowlight.images import round_to_8_bits, to_uint8
from lowlight.inference.batch.jobs import is_video
from lowlight.inference.load import choose
from lowlight.inference.models import INT8, labels_of, path_or_name
from lowlight.inference.photos.enhance import enhance_pixels
from lowlight.inference.settings import Settings
from lowlight.memory import peak_of
from lowlight.precision import AUTO
from lowlight.report.page_pictures import data_uri, encode_jpeg
from lowlight.runtimes.enhancer import Enhancer
from lowlight.runtimes.runtime import torch_device

TABLES = ("scores.csv", "methods.csv")

LONGEST = 1280
"""Default longer side in pixels to which photographs are reduced before they are enhanced."""

SHOWN = 960
"""Longest side of the page's pictures in pixels."""

QUALITY = 85
"""JPEG quality of the page's pictures."""

MOST_EMBEDDED = 15_000_000
"""Bytes of pictures up to which they are embedded in the page, which makes it a third larger."""

SETTINGS = Settings(fail_safe=False)
"""What a method does to a bright photograph is shown, too."""


@dataclass(frozen=True)
class Made:
    """A finished gallery.

    Attributes:
        page: The page.
        gallery: Its content.
        failed: One sentence per file that is left out.
        embedded: Whether the page needs no other file.
        size: Bytes of the page and its pictures.
    """

    page: Path
    gallery: Gallery
    failed: Sequence[str]
    embedded: bool
    size: int


def make_gallery(
    paths: Sequence[Path],
    methods: Sequence[str],
    out: Path,
    *,
    references: Path | None = None,
    longest: int | None = LONGEST,
    frames: int = 3,
    embed: bool | None = None,
    device: str = "auto",
    precision: str = AUTO,
    trust: Sequence[str] = (),
    watch: Callable[[Sequence[Source]], Iterable[Source]] = lambda sources: sources,
) -> Made:
    """Enhance photographs by several methods and write the page that compares them.

    Args:
        paths: Photographs, videos and folders of them.
        methods: Names of methods that need no training, or paths of runs, checkpoints and exports.
        out: Output folder; a gallery in it is replaced.
        references: Folder of reference images with the photographs' stems.
        longest: Longer side in pixels to which larger photographs are reduced before they are enhanced and
            scored; None for their native size.
        frames: Number of frames of a video.
        embed: Whether the page holds its pictures; by default up to :data:`MOST_EMBEDDED` bytes. Else they
            are files in a folder beside it.
        device: Device to enhance on.
        precision: As for :func:`lowlight.enhance`.
        trust: Packages beyond torch and lowlight that checkpoints may call.
        watch: Passes the files through while they are processed, such as for a progress bar.

    Raises:
        ValueError: If a method or a folder is unusable, nothing can be shown, or ``out`` holds a page that is
            no gallery.
    """
    _check_out(out)
    if not methods:
        raise ValueError("--methods is needed, such as --methods coarse_to_fine,lime,clahe")
    labels = labels_of(methods, (INPUT, REFERENCE))
    sources, failed = find_sources(paths, out, references)
    options: dict[str, Any] = {"device": device, "precision": precision, "trust": trust}
    if precision == INT8:
        options["calibrate"] = [source.path for source in sources if not is_video(source.path)]
    enhancers = {label: choose(*path_or_name(method), **options) for label, method in labels.items()}
    out.mkdir(parents=True, exist_ok=True)
    memory: dict[str, float] = {}
    items: list[Item] = []
    with tempfile.TemporaryDirectory(prefix=".gallery-", dir=out) as temporary:
        for source in watch(sources):
            try:
                for subject in read_subjects(source, longest, frames):
                    if not memory:
                        memory = _warm_up(enhancers, subject, device)
                    items.append(_item(subject, enhancers, Path(temporary)))
            except Exception as error:  # of any reader or method, whose errors are not known
                told = reason(error)
                failed.append(told if str(source.path) in told else f"{source.path}: {told}")
        if not items:
            raise ValueError("; ".join(failed))
        gallery = Gallery(list(labels), items, memory, _notes(items, failed, longest))
        files = sorted(Path(temporary).iterdir())
        size = sum(file.stat().st_size for file in files)
        embedded = size <= MOST_EMBEDDED if embed is None else embed
        _write(gallery, files, out, embedded)
    page = out / PAGE
    size = page.stat().st_size + (0 if embedded else size)
    return Made(page, gallery, failed, embedded, size)


def _warm_up(enhancers: Mapping[str, Enhancer], subject: Subject, device: str) -> dict[str, float]:
    """Call every method once on a small image, then measure the peak memory of its first call in MB.

    Of a second one it would be less: some runtimes keep their buffers.
    """
    place, memory = torch_device(device), {}
    small = replace(subject, low=np.zeros((1, 3, 16, 16), np.float32))
    for label, enhancer in enhancers.items():
        _enhance(label, enhancer, small)
        memory[label] = peak_of(partial(_enhance, label, enhancer, subject), place) / 1e6 or math.nan
    return memory


def _enhance(label: str, enhancer: Enhancer, subject: Subject) -> Image:
    low = np.ascontiguousarray(np.moveaxis(subject.low[0], 0, -1))
    try:
        pixels, _ = enhance_pixels(enhancer, low, SETTINGS)
    except Exception as error:  # a model file may raise anything
        raise ValueError(f"{label} failed: {reason(error)}") from error
    if subject.is_grey:
        pixels = pixels.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))[None]


def _item(subject: Subject, enhancers: Mapping[str, Enhancer], folder: Path) -> Item:
    """Enhance and score one photograph by every method in turn, and write the pictures."""
    low = round_to_8_bits(torch.from_numpy(subject.low))
    high = None if subject.high is None else round_to_8_bits(torch.from_numpy(subject.high))
    versions, seconds = {INPUT: low}, {}
    for label, enhancer in enhancers.items():
        began = time.perf_counter()
        enhanced = _enhance(label, enhancer, subject)
        seconds[label] = time.perf_counter() - began
        versions[label] = round_to_8_bits(torch.from_numpy(enhanced))
    scores = {label: scores_of(version, low, high) for label, version in versions.items()}
    if high is not None:
        versions[REFERENCE] = high
        scores[REFERENCE] = scores_of(high, low, None)
    pictures = []
    for label, version in versions.items():
        pixels = to_uint8(version)[0].movedim(0, -1).contiguous().numpy()
        content, width, height = encode_jpeg(pixels, SHOWN, QUALITY, subject.icc)
        # Named by its content, so that the name does not give the method away.
        file = f"{hashlib.sha256(content).hexdigest()[:16]}.jpg"
        (folder / file).write_bytes(content)
        pictures.append(Version(file, label, width, height))
    height, width = subject.low.shape[-2:]
    return Item(subject.name, subject.scene, width, height, pictures, scores, seconds)


def _notes(items: Sequence[Item], failed: Sequence[str], longest: int | None) -> list[str]:
    first = items[0]
    size = f"reduced to at most {longest} pixels per side, then" if longest else "at native size"
    notes = [
        f"Photographs were {size} enhanced and scored at 8 bits; the page shows them as JPEG of at most "
        f"{SHOWN} pixels. Brackets: 95 % bootstrap over photographs, or videos, of the mean.",
        "Time is the median per megapixel over the pictures, each enhanced by all methods in turn, without "
        "reading and writing; memory is the peak beyond what was held before, on the first picture "
        f"({first.width}×{first.height} pixels).",
        "Scores without a reference describe and do not rank: the untouched input has the best LOE, and NIQE "
        "favours some noise.",
    ]
    if failed:
        notes.append(f"{len(failed)} {'file is' if len(failed) == 1 else 'files are'} left out.")
    return notes


def _check_out(out: Path) -> None:
    """Refuse a folder in which another program's page or tables would be overwritten."""
    check_folder(out)
    page = out / PAGE
    if page.is_file() and GENERATOR in page.read_text(encoding="utf-8", errors="replace")[:2000]:
        return
    foreign = [name for name in (PAGE, PICTURES, *TABLES) if (out / name).exists()]
    if foreign:
        raise ValueError(
            f"{out}: holds {', '.join(foreign)}, not written by lowlight gallery; give another --out"
        )


def _write(gallery: Gallery, files: Sequence[Path], out: Path, embedded: bool) -> None:
    """Write the tables, the pictures and the page, and remove the pictures of an older gallery."""
    for name, table in zip(TABLES, (_score_rows(gallery), _method_rows(gallery)), strict=True):
        write_text(out / name, to_csv(table))
    folder = out / PICTURES
    if embedded:
        sources = {file.name: data_uri(file.read_bytes(), "jpeg") for file in files}
    else:
        folder.mkdir(exist_ok=True)
        for file in files:
            file.replace(folder / file.name)
        sources = {file.name: f"{PICTURES}/{file.name}" for file in files}
    write_text(out / PAGE, render(gallery, sources, embedded=embedded))
    kept = set() if embedded else {file.name for file in files}
    for old in folder.glob("[0-9a-f]" * 16 + ".jpg"):
        if old.name not in kept:
            old.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _keys(gallery: Gallery) -> list[str]:
    paired = gallery.is_paired
    return [column.key for main in (True, False) for column in score_columns(main=main, paired=paired)]


def _score_rows(gallery: Gallery) -> list[list[object]]:
    """Return every score: a row per picture and version."""
    keys = _keys(gallery)
    rows: list[list[object]] = [["picture", "method", "width", "height", *keys, "milliseconds"]]
    for item in gallery.items:
        for label, scores in item.scores.items():
            values = [_plain(scores.get(key, math.nan)) for key in keys]
            spent = _plain(1000 * item.seconds.get(label, math.nan))
            rows.append([item.name, label, item.width, item.height, *values, spent])
    return rows


def _method_rows(gallery: Gallery) -> list[list[object]]:
    """Return the means with their intervals, times and memory: a row per version."""
    keys, items = _keys(gallery), gallery.items
    ends = [f"{key}{end}" for key in keys for end in ("", "_low", "_high")]
    rows: list[list[object]] = [["method", *ends, "ms_per_megapixel", "memory_mb"]]
    scenes = [item.scene for item in items]
    for label in labels_in(items):
        values = [value for key in keys for value in interval_of(items, label, key, scenes)]
        values += [time_of(items, label), gallery.memory.get(label, math.nan)]
        rows.append([label, *map(_plain, values)])
    return rows


def _plain(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
