"""A request's photograph: read, enhanced, and written in its own format."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lowlight.decoding.formats import RAW_SUFFIXES, UnknownFormatError
from lowlight.decoding.photo import Photo
from lowlight.decoding.reading import TooLargeError, read_format, read_photo
from lowlight.inference.photos.enhance import enhance_photo
from lowlight.inference.photos.writing import FORMATS, write_photo
from lowlight.inference.settings import Settings
from lowlight.runtimes.enhancer import Enhancer

NAMES = tuple(suffix.removeprefix(".") for suffix in FORMATS)
"""Names of the formats that can be asked for."""


class RefusedError(Exception):
    """A request cannot be answered with a picture.

    Attributes:
        status: HTTP status of the answer.
        text: What is wrong, in one line.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True)
class Answer:
    """An answer's picture.

    Attributes:
        path: File to send: the enhanced picture, or the uploaded file if it is unchanged.
        media_type: Its media type.
        reason: Why the picture is unchanged, see :func:`.enhance_pixels`; None if it is enhanced.
        notes: Sentences on what could not be kept.
    """

    path: Path
    media_type: str
    reason: str | None
    notes: tuple[str, ...]


def source_in(folder: Path, name: str = "") -> Path:
    """Return the path to receive an upload at; its name tells raw photographs that look like TIFF apart."""
    suffix = Path(name).suffix.lower()
    return folder / f"received{suffix if suffix in RAW_SUFFIXES else ''}"


def answer(
    source: Path, model: str, load: Callable[[str], Enhancer], settings: Settings, wanted: str | None = None
) -> Answer:
    """Enhance an uploaded picture; what is written goes into its folder.

    Args:
        source: The file, in a folder of its own.
        model: Name of the model, as ``load`` takes it.
        load: Loads a model by name.
        settings: Strength, fail-safe and limits.
        wanted: One of :data:`NAMES`; by default the picture's own format, PNG where that is not written.

    Raises:
        RefusedError: 400 if the picture is broken, 413 if it has too many pixels, 415 if it is none, 500 if
            the model fails.
    """
    found, photo = _read(source, settings.max_pixels)
    own = next((suffix for suffix, form in FORMATS.items() if form.name == found), ".png")
    suffix = f".{wanted}" if wanted else own
    try:
        enhanced, reason = enhance_photo(load(model), photo, settings)
    except Exception as error:  # a model file may raise anything
        text = "out of memory" if isinstance(error, MemoryError) else " ".join(str(error).split())
        raise RefusedError(500, f"{model} failed: {text or type(error).__name__}") from error
    media_type = f"image/{FORMATS[suffix].name.lower()}"
    if reason is not None and FORMATS[suffix].name == found:
        return Answer(source, media_type, reason, ())  # what was lost in reading is in the file
    target = source.with_name(f"answer{suffix}")
    notes = write_photo(enhanced, target)
    return Answer(target, media_type, reason, photo.notes + notes)


def _read(source: Path, max_pixels: int) -> tuple[str, Photo]:
    """Return a file's format and its photograph."""
    try:
        return read_format(source), read_photo(source, max_pixels)
    except ValueError as error:
        status = {TooLargeError: 413, UnknownFormatError: 415}.get(type(error), 400)
        text = str(error).removeprefix(f"{source}: ").replace(str(source), "the picture")
        raise RefusedError(status, text.removesuffix("; see --max-pixels")) from error
