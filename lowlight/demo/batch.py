"""Several photographs of the web page, enhanced one after the other, and the archive of their results."""

import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lowlight.demo.store import HELD
from lowlight.demo.uploads import Results, adjust_upload, enhance_upload, refusal
from lowlight.inference.settings import DEFAULTS, Settings
from lowlight.runtimes.enhancer import Enhancer

MOST_PHOTOGRAPHS = HELD
"""Greatest number of photographs at once, as many as a session keeps."""
MOST_RESULTS = 24
"""Greatest number of results at once, photographs times methods."""
MAX_BYTES = 10**9
"""Size of the results, in bytes without the archive, at which no further photograph is enhanced."""
ARCHIVE = "lowlight.zip"


@dataclass(frozen=True)
class Batch:
    """Results of several photographs.

    Attributes:
        results: Results of each photograph that could be enhanced, keyed by its file's name.
        remarks: Sentences to show on the page.
        archive: Zip file of all enhanced photographs; None if there are fewer than two.
        doing: Progress, such as "Photograph 2 of 5: dusk.jpg"; None once all are done.
        settings: Settings that the files were written with.
        folder: Folder of all files.
    """

    results: Mapping[str, Results]
    remarks: tuple[str, ...] = ()
    archive: Path | None = None
    doing: str | None = None
    settings: Settings = DEFAULTS
    folder: Path | None = None


def enhance_batch(
    sources: Sequence[Path],
    names: Sequence[str],
    load: Callable[[str], Enhancer],
    settings: Settings,
    folder: Path,
) -> Iterator[Batch]:
    """Enhance uploads one after the other with the same methods.

    A photograph that cannot be enhanced is reported in the remarks.

    Args:
        sources: Uploaded files.
        names: Names of the methods, as ``load`` takes them.
        load: Loads a method by name.
        settings: Strength, fail-safe and size limit.
        folder: Folder to write all files to.

    Yields:
        The batch before each photograph, and once all are done.
    """
    batch = Batch({}, settings=settings, folder=folder)
    named = _distinct([source.name for source in sources])
    for number, (name, source) in enumerate(zip(named, sources, strict=True), 1):
        yield replace(batch, doing=f"Photograph {number} of {len(sources)}: {name}")
        if _size(folder) > MAX_BYTES:
            full = f"{name} was left out: the results take {MAX_BYTES / 1e9:g} GB already; enhance it alone."
            batch = replace(batch, remarks=(*batch.remarks, full))
            continue
        place = folder / str(number)
        try:
            place.mkdir()
            made = enhance_upload(source, names, load, settings, place)
        except ValueError as error:
            batch = replace(batch, remarks=(*batch.remarks, str(error)))
        except (OSError, MemoryError) as error:
            batch = replace(batch, remarks=(*batch.remarks, refusal(source, error)))
        else:
            said_of = f"{name}: " if len(sources) > 1 else ""
            remarks = (*batch.remarks, *(f"{said_of}{remark}" for remark in made.remarks))
            batch = replace(batch, results={**batch.results, name: made}, remarks=remarks)
    yield replace(batch, archive=_pack(batch.results, folder / ARCHIVE))


def adjust_batch(batch: Batch, settings: Settings) -> Iterator[Batch]:
    """Write all results anew with another strength, exposure and the like, without a network.

    The old files are deleted once all new ones are written; an error leaves them as they were.

    Yields:
        The batch before each photograph, and once all are done.

    Raises:
        ValueError: If an upload cannot be read; the message is meant for the page.
        FileNotFoundError: If uploads or results have been deleted.
        OSError: If the files cannot be written.
    """
    if batch.folder is None:
        return
    place = Path(tempfile.mkdtemp(dir=batch.folder))  # browsers keep what had the same address
    results: dict[str, Results] = {}
    try:
        for number, (name, made) in enumerate(batch.results.items(), 1):
            yield replace(batch, doing=f"Photograph {number} of {len(batch.results)}: {name}")
            results[name] = adjust_upload(made, settings, place)
        archive = _pack(results, place / ARCHIVE)
    except BaseException:  # also if the page is closed meanwhile
        shutil.rmtree(place, ignore_errors=True)
        raise
    for one in (one for made in batch.results.values() for one in made.results if one.download):
        shutil.rmtree(one.preview.parent, ignore_errors=True)
    if batch.archive:
        batch.archive.unlink(missing_ok=True)
    yield replace(batch, results=results, archive=archive, remarks=(), settings=settings)


def _pack(results: Mapping[str, Results], archive: Path) -> Path | None:
    """Write the enhanced photographs under their own names, in a folder per method if there are several."""
    packed = [(name, one) for name, made in results.items() for one in made.results if one.download]
    methods = list(dict.fromkeys(one.name for _, one in packed))
    folders = dict(zip(methods, _distinct([_plain(method) for method in methods]), strict=True))
    places = [
        f"{f'{folders[one.name]}/' if len(methods) > 1 else ''}{_plain(Path(name).stem)}{one.download.suffix}"
        for name, one in packed
        if one.download
    ]
    if len(places) < 2:
        return None
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:  # photographs are compressed already
        for (_, one), place in zip(packed, _distinct(places), strict=True):
            file.write(str(one.download), place)
    return archive


def _plain(name: str) -> str:
    """Return a file name without anything that leads to another folder."""
    return re.sub(r"[^\w. ()+=@-]+", "-", name).strip(". -") or "photograph"


def _distinct(names: Sequence[str]) -> list[str]:
    """Number the names that repeat, in upper or lower case: ``dusk.jpg``, ``dusk (2).jpg``."""
    taken: set[str] = set()
    distinct = []
    for name in names:
        stem, dot, suffix = name.rpartition(".")
        candidate, number = name, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{stem} ({number}).{suffix}" if dot else f"{name} ({number})"
        taken.add(candidate.casefold())
        distinct.append(candidate)
    return distinct


def _size(folder: Path) -> int:
    """Return the size of the files in a folder, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
