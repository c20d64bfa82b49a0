"""The page of a gallery; its markup is in ``lowlight/report/templates``."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lowlight import __version__
from lowlight.gallery.scores import AGAINST, ALONE, Item, item_table, labels_in, mean_table, score_columns
from lowlight.report.page import environment

PAGE, PICTURES = "index.html", "pictures"
"""Name of the page, and of the folder beside it where pictures are that it does not hold itself."""

GENERATOR = '<meta name="generator" content="lowlight gallery">'
"""Line that identifies a page as a gallery, which may be replaced."""


@dataclass(frozen=True)
class Gallery:
    """The content of the page.

    Attributes:
        methods: Labels of the methods.
        items: The photographs, all with the same labels but for the reference, which not all may have.
        memory: Peak memory in MB by method.
        notes: Sentences on how it was made.
    """

    methods: Sequence[str]
    items: Sequence[Item]
    memory: Mapping[str, float]
    notes: Sequence[str]

    @property
    def is_paired(self) -> bool:
        """Whether there are references, of any photograph."""
        return any(AGAINST[0].key in scores for item in self.items for scores in item.scores.values())


def render(gallery: Gallery, sources: Mapping[str, str], *, embedded: bool) -> str:
    """Return the page's HTML, every text escaped by the template engine.

    Args:
        gallery: The content.
        sources: Address of each picture by its file: a data URI, or a path relative to the page.
        embedded: Whether all pictures are data URIs.
    """
    paired, items = gallery.is_paired, gallery.items
    main = score_columns(main=True, paired=paired)
    further = score_columns(main=False, paired=paired)
    tables = [mean_table("Means over all pictures", items, main, gallery.memory)]
    if further:
        tables.append(mean_table("Further scores against the references", items, further))
    return (
        environment()
        .get_template("gallery.html")
        .render(
            generator=GENERATOR,
            version=__version__,
            identity=_identity(gallery),
            embedded=embedded,
            methods=gallery.methods,
            items=items,
            sources=sources,
            tables=tables,
            own=[item_table(item, main, labels_in(items)) for item in items],
            notes=gallery.notes,
            definitions={
                metric.heading: f"{metric.definition}. Source: {metric.source}."
                for metric in (*(AGAINST if paired else ()), *ALONE)
            },
        )
    )


def _identity(gallery: Gallery) -> str:
    """Return a key of what votes are cast on: the methods, the photographs and their pictures."""
    content = [*gallery.methods]
    for item in gallery.items:
        content += [item.name, *(picture.file for picture in item.pictures)]
    return hashlib.sha256("\0".join(content).encode()).hexdigest()[:16]
