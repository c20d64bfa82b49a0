"""Uploads to the web page: the models to choose from, and their results on a photograph."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import ImageCms

from lowlight.colour import luma
from lowlight.decoding.photo import Photo, Pixels
from lowlight.decoding.reading import read_photo
from lowlight.inference.load import choose
from lowlight.inference.models import ready_made
from lowlight.inference.photos.enhance import enhance_photo
from lowlight.inference.photos.fail_safe import mean_luma, sample
from lowlight.inference.photos.writing import photo_suffix, to_pillow, write_photo
from lowlight.inference.settings import Settings
from lowlight.runs.folder import BEST, LAST
from lowlight.runtimes.enhancer import Enhancer
from lowlight.runtimes.table import RUNTIMES
from lowlight.shipped import WEIGHTS

SUFFIXES_OF_MODELS = frozenset({".ckpt", *(one.suffix for one in RUNTIMES if one.trust is None)})
"""File name endings of models that can be opened without trust."""
KEPT = 3
"""Number of models that stay loaded, the most recently used."""
PREVIEW = 1280
"""Longest side of a preview in pixels."""

REASONS = {
    "not_dark": "the photograph is bright already",
    "not_finite": "the method failed on this photograph: part of its output is not a number",
    "clipped": "more than half of the photograph would have become pure white or black",
    "colour_cast": "the result would have had a strong colour cast",
}
"""Explanation of each reason for keeping the original, by its code."""


@dataclass(frozen=True)
class Result:
    """Result of one method on a photograph.

    Attributes:
        name: Name of the method.
        caption: Name, time and mean level.
        preview: Image file, scaled down for the page.
        histogram: Figure of the levels before and after.
        download: Enhanced photograph in full resolution; None if the original was kept.
    """

    name: str
    caption: str
    preview: Path
    histogram: Path
    download: Path | None


@dataclass(frozen=True)
class Results:
    """Results of all methods on an upload.

    Attributes:
        before: Preview of the uploaded photograph.
        caption: Its mean level.
        results: One per method that did not fail.
        remarks: Sentences to show on the page: notes, failures, originals kept.
    """

    before: Path
    caption: str
    results: tuple[Result, ...]
    remarks: tuple[str, ...]


def find_models(runs: Path | None) -> dict[str, Path | None]:
    """Find the models to choose from: trained ones below a folder, then the built-in ones.

    Args:
        runs: Folder that holds run folders, checkpoints, pretrained folders and exports at any depth; hidden
            folders are skipped.

    Returns:
        File or folder of each model by its relative path; None for a built-in one, which a trained model of
        the same name replaces.

    Raises:
        ValueError: If the folder holds no model.
    """
    found: dict[str, Path | None] = {}
    for path in sorted(runs.rglob("*")) if runs else []:
        if path.suffix not in SUFFIXES_OF_MODELS and path.name != WEIGHTS:
            continue
        is_run = path.suffix == ".ckpt" and any((path.parent / name).exists() for name in (BEST, LAST))
        model = path.parent if is_run or path.name == WEIGHTS else path
        below = model.relative_to(cast(Path, runs))
        if not any(part.startswith(".") for part in below.parts):
            found[below.as_posix() if below.parts else model.name] = model
    if runs and not found:
        raise ValueError(f"{runs}: no run folder and no checkpoint in it; give another --runs, or none")
    return {**found, **{name: None for name in ready_made() if name not in found}}


def loader(
    models: dict[str, Path | None], device: str = "auto", trust: Sequence[str] = ()
) -> Callable[[str], Enhancer]:
    """Return a function that loads a model by name and caches the last :data:`KEPT`."""

    @lru_cache(maxsize=KEPT)
    def load(name: str) -> Enhancer:
        path = models[name]
        return choose(path, None if path else name, device, trust)

    return load


def enhance_upload(
    source: Path, names: Sequence[str], load: Callable[[str], Enhancer], settings: Settings, folder: Path
) -> Results:
    """Enhance an upload with several methods; write previews, histograms and downloads.

    A method that cannot be loaded, or fails, is reported in the remarks.

    Args:
        source: Uploaded file.
        names: Names of the methods, as ``load`` takes them; each is used once.
        load: Loads a method by name.
        settings: Strength, fail-safe and size limit.
        folder: Folder to write the files to.

    Raises:
        ValueError: If the upload cannot be read; the message is meant for the page.
    """
    try:
        photo = read_photo(source, settings.max_pixels)
    except ValueError as error:
        raise ValueError(refusal(source, error)) from error
    before, results, remarks = folder / "before.png", [], [f"Note: {note}." for note in photo.notes]
    write_preview(photo, before)
    for number, name in enumerate(dict.fromkeys(names)):
        place = folder / str(number)
        place.mkdir()
        try:
            result, said = _enhance(source, photo, name, load(name), settings, place)
        except Exception as error:  # a model file may raise anything
            remarks.append(f"{name} failed: {_reason(error)}.")
            continue
        results.append(result)
        remarks += said
    return Results(before, f"before · mean {mean_luma(photo.pixels):.2f}", tuple(results), tuple(remarks))


def _enhance(
    source: Path, photo: Photo, name: str, enhancer: Enhancer, settings: Settings, folder: Path
) -> tuple[Result, list[str]]:
    began = time.perf_counter()
    enhanced, reason = enhance_photo(enhancer, photo, settings)
    milliseconds = 1000 * (time.perf_counter() - began)
    word = re.sub(r"[^\w.-]+", "-", name)
    download = folder / f"{source.stem[:40]}-{word[-40:]}{photo_suffix(source)}"
    preview, histogram = folder / "preview.png", folder / "histogram.png"
    remarks = []
    if reason is None:
        remarks += [f"Note on {name}: {note}." for note in write_photo(enhanced, download)]
    else:
        remarks.append(
            f"{name} kept the original: {REASONS[reason]}. Untick the fail-safe to enhance it anyway."
        )
    write_preview(enhanced, preview)
    draw_histogram(photo.pixels, enhanced.pixels, histogram)
    level = f"mean {mean_luma(enhanced.pixels):.2f}"
    caption = f"{name} · {milliseconds:.0f} ms · {level}" if reason is None else f"{name} · original kept"
    return Result(name, caption, preview, histogram, None if reason else download), remarks


def _reason(error: Exception) -> str:
    """Return an error's message in one line."""
    if isinstance(error, MemoryError):
        return "it ran out of memory"
    return " ".join(str(error).split()) or type(error).__name__


def refusal(source: Path, error: Exception) -> str:
    """Explain on the page why an upload is refused, by the file's name without its folder on the server."""
    text = str(error).removeprefix(f"{source}: ").replace(str(source), source.name)
    return f"{source.name} cannot be enhanced: {text.removesuffix('; see --max-pixels')}."


def write_preview(photo: Photo, path: Path) -> None:
    """Write a preview: an opaque sRGB PNG of at most :data:`PREVIEW` pixels per side."""
    step = max(min(photo.pixels.shape[:2]) // (2 * PREVIEW), 1)
    small = np.ascontiguousarray(photo.pixels[::step, ::step])
    picture = to_pillow(replace(photo, pixels=small, alpha=None, is_grey=False))
    picture.thumbnail((PREVIEW, PREVIEW))
    if photo.icc and not photo.is_grey:
        try:
            profile = ImageCms.ImageCmsProfile(BytesIO(photo.icc))
            ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("sRGB"), inPlace=True)
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile, which viewers ignore too
    picture.info.clear()
    picture.save(path, compress_level=4)


def draw_histogram(before: Pixels, after: Pixels, path: Path) -> None:
    """Plot the histograms of two photographs of shape (H, W, 3), one above the other, to a PNG file."""
    figure = Figure(figsize=(6, 3.6), dpi=120, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
    _draw_levels(upper, before, "histogram before")
    _draw_levels(lower, after, "histogram after")
    lower.set_xlabel("level, from black to white")
    figure.supylabel("share of pixels, square-root scale", fontsize="medium")
    figure.savefig(path)


def _draw_levels(axes: Axes, pixels: Pixels, title: str) -> None:
    colours = sample(pixels)
    light = luma(colours)
    channels = zip(("tab:red", "tab:green", "tab:blue"), colours.T, strict=True)
    for colour, levels in (("0.5", light), *channels):
        counts, edges = np.histogram(levels, bins=64, range=(0, 1))
        height = np.sqrt(counts / counts.sum())
        if colour == "0.5":
            axes.fill_between(edges[:-1], height, step="post", color="0.8", label="luma")
        else:
            axes.step(edges[:-1], height, where="post", color=colour, linewidth=1)
    axes.axvline(float(light.mean()), color="black", linestyle=":", linewidth=1, label="mean luma")
    axes.set_title(title, loc="left", fontsize="medium")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.legend(loc="upper right", frameon=False, fontsize="small")
