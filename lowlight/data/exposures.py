"""The layout of sets with several exposures per reference, such as SICE."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from lowlight.data.layouts import Found, Layout, UnknownLayoutError, plain, subfolders
from lowlight.data.pairs import FilePair, Split, list_images, stem_of


class ExposureFolders(Layout):
    """Several exposures per scene with one reference, as in SICE.

    Each split has one folder per scene with its exposures, numbered from dark to bright, and a folder of
    references, each named after its scene. The exposures below the middle one are paired with the reference:
    the first 3 of 7 or 4 of 9. Pairs are named ``<scene>_<exposure>``.

    Args:
        root: Folder of the set, or of one of its splits.
        splits: Folder names of ``train``, ``val`` and ``test``. A ``root`` of another name that holds scenes
            itself is the training split.
        references: Name of the folder of references.

    Reference:
        Cai, Gu, Zhang, 2018, "Learning a Deep Single Image Contrast Enhancer from Multi-Exposure Images".
    """

    def __init__(
        self,
        root: Path | str,
        *,
        splits: Mapping[str, Sequence[str]],
        references: str = "Label",
    ) -> None:
        super().__init__(root)
        self.splits = splits
        self.references = references

    def _find(self, split: Split) -> Found | None:
        names = "|".join(name for names in self.splits.values() for name in names)
        looked_for = f"a folder {names} with scenes and {self.references} in it"
        self._check_root(looked_for)
        found = {key: [self.root] if key == self._own() else [] for key in get_args(Split)}
        if not any(found.values()):
            for key in found:
                places = [path for name in self.splits.get(key, ()) for path in subfolders(self.root, name)]
                found[key] = [path for path in places if subfolders(path, self.references)]
        if not any(found.values()):
            raise UnknownLayoutError(f"{self.root}: no known layout, looked for {looked_for}")
        return self._read(found[split][0]) if found[split] else None

    def _own(self) -> str | None:
        """Return the split that the root itself is, if any."""
        if not subfolders(self.root, self.references):
            return None
        name = plain(self.root.resolve().name)
        named = (key for key, names in self.splits.items() if name in map(plain, names))
        return next(named, "train")

    def _read(self, place: Path) -> Found:
        label = subfolders(place, self.references)[0]
        scenes = {
            unicodedata.normalize("NFC", path.name): path
            for path in place.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        }
        del scenes[unicodedata.normalize("NFC", label.name)]
        references: dict[str, Path] = {}
        problems = []
        for path in list_images(label):
            references.setdefault(stem_of(path), path)
            if references[stem_of(path)] != path:
                problems.append(
                    f"{label.name}/{references[stem_of(path)].name} and {path.name} have the same stem"
                )
            if stem_of(path) not in scenes:
                problems.append(f"{label.name}/{path.name} has no folder {path.stem} of exposures")
        pairs = []
        for name in sorted(scenes, key=_by_number):
            images = sorted(list_images(scenes[name]), key=lambda path: _by_number(path.stem))
            if name not in references:
                problems.append(f"the scene {name} has no reference in {label.name}")
            elif len(images) < 2:
                problems.append(f"the scene {name} has no exposure below the middle one")
            else:
                pairs += [
                    FilePair(f"{name}_{low.stem}", low, references[name], f"{place.name}/{name}")
                    for low in images[: len(images) // 2]
                ]
        return Found(place, pairs, problems, [] if pairs or problems else [f"no scene in {place}"])


def _by_number(name: str) -> tuple[int, str]:
    """Return a key that sorts names by their first number."""
    number = re.search(r"\d+", name)
    return (int(number.group()) if number else 0, name)
