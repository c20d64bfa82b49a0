"""Annotated objects of images, in the formats of WIDER FACE, DARK FACE, YOLO and ExDark."""

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lowlight.data.pairs import refuse
from lowlight.decoding.reading import read_size
from lowlight.detection.boxes import Objects, objects
from lowlight.files import shortened

EXDARK = (
    "Bicycle", "Boat", "Bottle", "Bus", "Car", "Cat", "Chair", "Cup", "Dog", "Motorbike", "People", "Table"
)  # fmt: skip
"""Classes of ExDark, in the order of their numbers here."""

_EXDARK_HEAD = "% bbGt"
_INVALID = 7
"""Column of WIDER FACE that marks faces which are not counted."""


def read_annotations(path: Path | str, images: Mapping[str, Path]) -> dict[str, Objects]:
    """Read the annotated objects of images.

    A file is WIDER FACE's: per image its path, the number of its faces, and a line each (left, top, width,
    height, and attributes, of which ``invalid`` marks a face to be ignored). A folder holds a text file per
    image, called ``<stem>.txt`` or ``<name>.txt``, below it as the image is below its own folder or directly
    in it; its content tells the format:

    - DARK FACE: the number of faces, then left, top, right and bottom of each;
    - YOLO: class, and horizontal centre, vertical centre, width and height as shares of the image's; a
      confidence may follow. Labels of polygons, oriented boxes or key points, which are longer, are refused:
      their numbers do not say which they are;
    - ExDark: ``% bbGt version=3``, then the class's name, left, top, width and height of each.

    Args:
        path: The file or folder.
        images: Images by their path below their folder.

    Returns:
        Objects by image; those without an annotation are left out.

    Raises:
        ValueError: If it is missing or unreadable, or annotates none of the images.

    References:
        Yang, Luo, Loy, Tang, 2016, "WIDER FACE: A face detection benchmark"; Yang et al., 2020, "Advancing
        image understanding in poor visibility environments" (DARK FACE); Loh, Chan, 2019, "Getting to know
        low-light images with the exclusively dark dataset" (ExDark).
    """
    path = Path(path).expanduser()
    if path.is_dir():
        files = {name: _file_of(path, name) for name in images}
        found = {name: _read_file(file, images[name]) for name, file in files.items() if file}
        looked_for = f"text files called as the images, such as {Path(next(iter(images), 'image')).stem}.txt"
    elif path.is_file():
        listed = _read_wider_face(path)
        found = {name: listed[key] for name in images if (key := _listed(name, listed)) is not None}
        looked_for = "the images' paths"
    else:
        raise ValueError(f"{path}: no such file or folder of annotations")
    if not found:
        raise ValueError(f"{path}: annotates none of the {len(images)} images; looked for {looked_for}")
    return found


def _file_of(folder: Path, name: str) -> Path | None:
    """Return the text file of an image, if there is one."""
    image = Path(name)
    names = (image.with_suffix(".txt"), image.with_name(f"{image.name}.txt"))
    places = [folder / one for one in names] + [folder / one.name for one in names]
    return next((place for place in places if place.is_file()), None)


def _listed(name: str, listed: Mapping[str, Objects]) -> str | None:
    """Return the key under which a list has an image: its path, or else its name alone."""
    return next((key for key in (name, Path(name).name) if key in listed), None)


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a readable text file ({error})") from error


def _read_wider_face(path: Path) -> dict[str, Objects]:
    """Read the faces of all images; one without faces may have a row of zeros."""
    found: dict[str, Objects] = {}
    lines = deque(_lines(path))
    while lines:
        name, count = lines.popleft(), lines.popleft() if lines else ""
        if not count.isdecimal():
            raise ValueError(
                f"{path}: {name!r} is followed by {count!r}, not by a number of faces as in WIDER FACE; "
                "other formats have a text file per image: give their folder"
            )
        if len(lines) < int(count):
            raise ValueError(f"{path}: {name} has {len(lines)} of {count} faces: the file is cut off")
        rows = [_numbers(path, lines.popleft(), 4) for _ in range(int(count))]
        if not rows and lines and not any(letter.isalpha() for letter in lines[0]):
            lines.popleft()
        marked = [[*row[:4], row[_INVALID] if len(row) > _INVALID else 0] for row in rows]
        table = np.array(marked).reshape(-1, 5)
        table = table[(table[:, 2] > 0) & (table[:, 3] > 0)]
        corners = np.column_stack((table[:, :2], table[:, :2] + table[:, 2:4]))
        found[name.removeprefix("./")] = objects(corners, ignored=table[:, 4] > 0)
    return found


def _read_file(path: Path, image: Path) -> Objects:
    """Read the text file of one image."""
    lines = _lines(path)
    if lines and lines[0].startswith(_EXDARK_HEAD):
        return _read_exdark(path, lines[1:])
    if lines and lines[0].isdecimal():
        rows = [_numbers(path, line, 4)[:4] for line in lines[1:]]
        if len(rows) != int(lines[0]):
            refuse(path, [f"holds {len(rows)} boxes after the number {lines[0]}"], "See DARK FACE's format.")
        return objects(rows)
    table = np.array([_yolo_box(path, line) for line in lines]).reshape(-1, 5)
    if table.size and (table[:, 1:].max() > 1 or table.min() < 0):
        raise ValueError(
            f"{path}: neither DARK FACE's format (a number of faces first) nor YOLO's (shares of the image)"
        )
    size = np.array(read_size(image), float)
    centres, halves = table[:, 1:3] * size, table[:, 3:5] * size / 2
    return objects(np.column_stack((centres - halves, centres + halves)), table[:, 0].astype(np.int64))


def _yolo_box(path: Path, line: str) -> list[float]:
    """Return class and box of a line of YOLO's, without a confidence."""
    numbers = _numbers(path, line, 5)
    if len(numbers) > 6:
        raise ValueError(
            f"{path}: {shortened(line, 40)!r} has {len(numbers)} numbers, YOLO's boxes have 5 or, with a "
            "confidence, 6; convert polygons, oriented boxes and key points to boxes"
        )
    return numbers[:5]


def _read_exdark(path: Path, lines: Sequence[str]) -> Objects:
    boxes, classes = [], []
    for line in lines:
        name, _, rest = line.partition(" ")
        if name not in EXDARK:
            raise ValueError(f"{path}: {name!r} is none of ExDark's classes {', '.join(EXDARK)}")
        left, top, width, height = _numbers(path, rest, 4)[:4]
        boxes.append((left, top, left + width, top + height))
        classes.append(EXDARK.index(name))
    return objects(boxes, classes)


def _numbers(path: Path, line: str, least: int) -> list[float]:
    """Return the numbers of a line, at least so many."""
    try:
        numbers = [float(part) for part in line.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) < least or not np.isfinite(numbers).all():
        raise ValueError(f"{path}: {line!r} is no line of {least} numbers or more")
    return numbers
