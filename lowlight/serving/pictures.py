"""A request's photograph: read, enhanced, and written in its own format."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lowlight.decoding.formats import RAW_SUFFIXES, UnknownFormatError
from lowlight.decoding.reading import TooLargeError, read_photo, suffix_in
from lowlight.inference.photos.enhance import enhance_photo
from lowlight.inference.photos.writing import FORMATS, write_photo
from lowlight.inference.settings import Settings
from lowlight.runtimes.enhancer import Enhancer
from lowlight.serving.messages import reason_of

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
        RefusedError: 400 if the picture is broken or the wanted format cannot hold it, 413 if it has too many
            pixels, 415 if it is none, 500 if the model fails.
    """
    try:
        photo = read_photo(source, settings.max_pixels)
    except ValueError as error:
        status = {TooLargeError: 413, UnknownFormatError: 415}.get(type(error), 400)
        raise RefusedError(status, _without_name(error, source)) from error
    try:
        enhanced, reason = enhance_photo(load(model), photo, settings)
    except TooLargeError as error:  # for the memory
        raise RefusedError(413, str(error).replace("raise --max-memory or ", "")) from error
    except Exception as error:  # a model file may raise anything
        raise RefusedError(500, f"{model} failed: {reason_of(error, source)}") from error
    own = _suffix(source)
    suffix = f".{wanted}" if wanted else own if own in FORMATS else ".png"
    form = FORMATS[suffix]
    media_type = f"image/{form.name.lower()}"
    if reason is not None and form == FORMATS.get(own):
        found = enhanced.notes[len(photo.notes) :]  # what was lost in reading is in the file
        return Answer(source, media_type, reason, found)
    target = source.with_name(f"answer{suffix}")
    try:
        notes = write_photo(enhanced, target)
    except ValueError as error:
        raise RefusedError(400, _without_name(error, target)) from error
    return Answer(target, media_type, reason, enhanced.notes + notes)


def _without_name(error: Exception, file: Path) -> str:
    """Return an error's message without the file's name, which is ours."""
    return reason_of(error, file).removeprefix(f"{file.name}: ")


def _suffix(source: Path) -> str:
    """Return the suffix that suits a file's content."""
    with source.open("rb") as file:
        return source.suffix or suffix_in(file) or ""
