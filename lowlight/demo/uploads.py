"""Uploads to the web page, and the results of several methods on a photograph."""

import re
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lowlight.decoding.photo import Photo
from lowlight.decoding.reading import read_photo
from lowlight.demo.previews import draw_histogram, scaled_down, write_preview
from lowlight.inference.photos.adjust import adjust_pixels, neutral
from lowlight.inference.photos.enhance import enhance_photo
from lowlight.inference.photos.fail_safe import REASONS, mean_luma
from lowlight.inference.photos.writing import photo_suffix, write_photo
from lowlight.inference.settings import Settings
from lowlight.runtimes.enhancer import Enhancer
from lowlight.serving.messages import reason_of

_NETWORK = "network.npy"
"""File of a result's pixels before strength, exposure, brightness and saturation."""
_SMALL = "small.npz"
"""The same, scaled down, beside the photograph."""
_MOVED = "moved-"
"""Beginning of the name of a preview that is shown while a slider moves."""


@dataclass(frozen=True)
class Result:
    """Result of one method on a photograph.

    Attributes:
        name: Name of the method.
        caption: Name, time and mean level.
        preview: Image file, scaled down for the page.
        histogram: Figure of the levels before and after.
        download: Enhanced photograph in full resolution; None if the original was kept.
        folder: Folder of what it can be adjusted from.
        milliseconds: Time of the enhancement.
    """

    name: str
    caption: str
    preview: Path
    histogram: Path
    download: Path | None
    folder: Path
    milliseconds: float


@dataclass(frozen=True)
class Results:
    """Results of all methods on an upload.

    Attributes:
        source: Uploaded file.
        before: Preview of the uploaded photograph.
        caption: Its mean level.
        results: One per method that did not fail.
        remarks: Sentences to show on the page: notes, failures, originals kept.
    """

    source: Path
    before: Path
    caption: str
    results: tuple[Result, ...]
    remarks: tuple[str, ...]


def enhance_upload(
    source: Path, names: Sequence[str], load: Callable[[str], Enhancer], settings: Settings, folder: Path
) -> Results:
    """Enhance an upload with several methods; write previews, histograms and downloads.

    A method that cannot be loaded, or fails, is reported in the remarks. The fail-safe judges the whole
    enhancement, whatever the strength, since the page changes that afterwards.

    Args:
        source: Uploaded file.
        names: Names of the methods, as ``load`` takes them; each is used once.
        load: Loads a method by name.
        settings: Strength, exposure and the like, fail-safe and size limit.
        folder: Folder to write the files to.

    Raises:
        ValueError: If the upload cannot be read; the message is meant for the page.
    """
    photo = _read(source, settings)
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
    caption = f"before · mean {mean_luma(photo.pixels):.2f}"
    return Results(source, before, caption, tuple(results), tuple(remarks))


def adjust_upload(made: Results, settings: Settings, folder: Path) -> Results:
    """Write the results of an upload anew with another strength, exposure and the like, without a network.

    Args:
        made: The results, whose files are kept.
        settings: Strength, exposure and the like, and size limit.
        folder: Folder to write the files to.

    Raises:
        ValueError: If the upload cannot be read; the message is meant for the page.
        FileNotFoundError: If it or its results have been deleted.
        OSError: If the files cannot be written.
    """
    made.source.stat()  # the reader's error does not tell what is gone
    photo, results = _read(made.source, settings), []
    for one in made.results:
        if one.download is not None:
            network = replace(photo, pixels=np.load(one.folder / _NETWORK, mmap_mode="r"))
            results.append(_write(made.source, photo, network, one, settings, folder)[0])
        else:
            results.append(one)
    return replace(made, results=tuple(results))


def preview_adjusted(one: Result, settings: Settings) -> Path:
    """Write a preview of a result with another strength, exposure and the like, in place of the last one.

    Raises:
        OSError: If the results have been deleted.
    """
    if one.download is None:
        return one.preview
    with np.load(one.folder / _SMALL) as kept:
        pixels = adjust_pixels(kept["before"], kept["network"], settings)
        icc = kept["icc"].tobytes() or None
    for last in one.folder.glob(f"{_MOVED}*.png"):
        last.unlink(missing_ok=True)
    path = one.folder / f"{_MOVED}{secrets.token_hex(8)}.png"
    write_preview(Photo(pixels, icc=icc), path)
    return path


def _read(source: Path, settings: Settings) -> Photo:
    try:
        return read_photo(source, settings.max_pixels)
    except ValueError as error:
        raise ValueError(refusal(source, error)) from error


def _enhance(
    source: Path, photo: Photo, name: str, enhancer: Enhancer, settings: Settings, folder: Path
) -> tuple[Result, list[str]]:
    began = time.perf_counter()
    network, reason = enhance_photo(enhancer, photo, neutral(settings))
    milliseconds = 1000 * (time.perf_counter() - began)
    if reason is not None:
        preview, histogram = folder / "preview.png", folder / "histogram.png"
        write_preview(photo, preview)
        draw_histogram(photo.pixels, photo.pixels, histogram)
        said = f"{name} kept the original: {REASONS[reason]}. Untick the fail-safe to enhance it anyway."
        return Result(name, f"{name} · original kept", preview, histogram, None, folder, milliseconds), [said]
    np.save(folder / _NETWORK, network.pixels)
    np.savez(
        folder / _SMALL,
        before=scaled_down(photo).pixels,
        network=scaled_down(network).pixels,
        icc=np.frombuffer(b"" if photo.is_grey else photo.icc or b"", np.uint8),
    )
    made = Result(name, "", folder, folder, None, folder, milliseconds)
    return _write(source, photo, network, made, settings, folder)


def _write(
    source: Path, photo: Photo, network: Photo, one: Result, settings: Settings, folder: Path
) -> tuple[Result, list[str]]:
    """Adjust what a method made of a photograph, and write its download, preview and histogram.

    They are in a new folder in the given one, since browsers keep what had the same address.
    """
    enhanced = replace(network, pixels=adjust_pixels(photo.pixels, network.pixels, settings))
    place = Path(tempfile.mkdtemp(dir=folder))
    word = re.sub(r"[^\w.-]+", "-", one.name)
    download = place / f"{source.stem[:40]}-{word[-40:]}{photo_suffix(source)}"
    preview, histogram = place / "preview.png", place / "histogram.png"
    notes = network.notes[len(photo.notes) :] + write_photo(enhanced, download)
    remarks = [f"Note on {one.name}: {note}." for note in notes]
    write_preview(enhanced, preview)
    draw_histogram(photo.pixels, enhanced.pixels, histogram)
    caption = f"{one.name} · {one.milliseconds:.0f} ms · mean {mean_luma(enhanced.pixels):.2f}"
    made = replace(one, caption=caption, preview=preview, histogram=histogram, download=download)
    return made, remarks


def refusal(source: Path, error: Exception) -> str:
    """Explain on the page why an upload is refused, by the file's name without its folder on the server."""
    text = reason_of(error, source).removeprefix(f"{source.name}: ")
    return f"{source.name} cannot be enhanced: {text}."
