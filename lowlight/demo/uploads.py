"""Uploads to the web page: the models to choose from, and their results on a photograph."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

from lowlight.decoding.photo import Photo
from lowlight.decoding.reading import read_photo
from lowlight.demo.previews import draw_histogram, write_preview
from lowlight.inference.load import choose
from lowlight.inference.models import DEFAULT, ready_made
from lowlight.inference.photos.enhance import enhance_photo
from lowlight.inference.photos.fail_safe import mean_luma
from lowlight.inference.photos.writing import photo_suffix, write_photo
from lowlight.inference.settings import Settings
from lowlight.runs.folder import BEST, LAST
from lowlight.runtimes.enhancer import Enhancer
from lowlight.runtimes.table import RUNTIMES
from lowlight.shipped import WEIGHTS, shipped

SUFFIXES_OF_MODELS = frozenset({".ckpt", *(one.suffix for one in RUNTIMES if one.trust is None)})
"""File name endings of models that can be opened without trust."""
KEPT = 3
"""Number of models that stay loaded, the most recently used."""
_FOLDERS = re.compile(r"(?<![\w:/])(?:[A-Za-z]:)?[\\/]+(?:[^\s\\/'\"()]+[\\/]+)+")

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
    """Find the models to choose from: those that come with lowlight, trained ones, and the other methods.

    Args:
        runs: Folder that holds run folders, checkpoints, pretrained folders and exports at any depth; hidden
            folders are skipped.

    Returns:
        File or folder of each trained model, keyed by its path relative to the folder; None for a model that
        comes with lowlight and for a method without training. A trained model of the same name as one of
        these is keyed by its path from the folder's own name: ``outputs/lime``.

    Raises:
        ValueError: If the folder holds no model.
    """
    ready, found = ready_made(), dict[str, Path | None]()
    for path in sorted(runs.rglob("*")) if runs else []:
        if path.suffix not in SUFFIXES_OF_MODELS and path.name != WEIGHTS:
            continue
        is_run = path.suffix == ".ckpt" and any((path.parent / name).exists() for name in (BEST, LAST))
        model = path.parent if is_run or path.name == WEIGHTS else path
        below = model.relative_to(cast(Path, runs))
        if not any(part.startswith(".") for part in below.parts):
            name = below.as_posix() if below.parts else model.name
            if name in ready:
                name = "/".join(model.resolve().parts[-1 - len(Path(name).parts) :])
            found[name] = model
    if runs and not found:
        raise ValueError(f"{runs}: no run folder and no checkpoint in it; give another --runs, or none")
    return {**dict.fromkeys([DEFAULT, *shipped()]), **found, **dict.fromkeys(ready)}


def loader(
    models: dict[str, Path | None], device: str = "auto", trust: Sequence[str] = ()
) -> Callable[[str], Enhancer]:
    """Return a function that loads a model by name and caches the last :data:`KEPT`.

    What it raises names the model instead of its place on this machine.
    """

    @lru_cache(maxsize=KEPT)
    def load(name: str) -> Enhancer:
        path = models[name]
        try:
            return choose(path, None if path else name, device, trust)
        except (ValueError, OSError, RuntimeError) as error:
            raise ValueError(_naming_the_model(str(error), name, path)) from error

    return load


def _naming_the_model(text: str, name: str, path: Path | None) -> str:
    if path:
        file = rf"{re.escape(str(path))}(?:[\\/][\w.=-]*\w)?"
        text = re.sub(file, lambda _: name, re.sub(rf"^{file}: ", "", text))
    return without_folders(text)


def without_folders(text: str) -> str:
    """Return a message in one line, its absolute paths reduced to the names of their files."""
    return _FOLDERS.sub("", " ".join(text.split()))


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
            remarks.append(f"{name} failed: {_reason(error, source)}.")
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


def _reason(error: Exception, source: Path) -> str:
    """Return an error's message in one line, without folders of the server."""
    if isinstance(error, MemoryError):
        return "it ran out of memory"
    return without_folders(str(error).replace(str(source), source.name)) or type(error).__name__


def refusal(source: Path, error: Exception) -> str:
    """Explain on the page why an upload is refused, by the file's name without its folder on the server."""
    text = _reason(error, source).removeprefix(f"{source.name}: ").removesuffix("; see --max-pixels")
    return f"{source.name} cannot be enhanced: {text}."
