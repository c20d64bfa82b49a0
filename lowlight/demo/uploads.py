"""Uploads to the web page, and the results of several methods on a photograph."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lowlight.decoding.photo import Photo
from lowlight.decoding.reading import read_photo
from lowlight.demo.previews import draw_histogram, write_preview
from lowlight.inference.photos.enhance import enhance_photo
from lowlight.inference.photos.fail_safe import REASONS, mean_luma
from lowlight.inference.photos.writing import photo_suffix, write_photo
from lowlight.inference.settings import Settings
from lowlight.runtimes.enhancer import Enhancer
from lowlight.serving.messages import reason_of

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
            remarks.append(f"{name} failed: {reason_of(error, source)}.")
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


def refusal(source: Path, error: Exception) -> str:
    """Explain on the page why an upload is refused, by the file's name without its folder on the server."""
    text = reason_of(error, source).removeprefix(f"{source.name}: ")
    return f"{source.name} cannot be enhanced: {text}."
