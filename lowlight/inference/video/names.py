"""Titles, places and other texts of a video as a whole, and how containers hold them."""

from collections.abc import Mapping

_BRANDS = frozenset({"major_brand", "minor_version", "compatible_brands"})
"""Names that describe the source's file alone."""

_EVERYWHERE = frozenset(
    {"title", "artist", "album", "date", "comment", "genre", "copyright", "location", "creation_time",
     "encoder"}
)  # fmt: skip
_CLASSIC = {
    "mov": _EVERYWHERE | {"make", "model"},
    "mp4": _EVERYWHERE
    | {"album_artist", "composer", "grouping", "lyrics", "description", "synopsis", "show", "episode_id",
       "network", "keywords", "episode_sort", "season_number", "media_type", "hd_video", "gapless_playback",
       "compilation", "track", "disc"},
}  # fmt: skip
"""Names for which a container has places that most players know, keyed by FFmpeg's format."""


def names_for(form: str, source: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of a source, keyed by name, that a container of an FFmpeg format is to hold."""
    if form not in _CLASSIC:
        return dict(source)
    return {name: text for name, text in source.items() if name.lower() not in _BRANDS}


def options_for(form: str, source: Mapping[str, str]) -> dict[str, str]:
    """Return FFmpeg's options for a container that is to hold all of these texts.

    MP4 and QuickTime also have a table for any names, such as those of Apple and Android for place and
    camera. It replaces the places that most players know, so it is used only if a name needs it.
    """
    plain = (name.lower().partition("-")[0] for name in names_for(form, source))  # of title-eng
    fits = form not in _CLASSIC or _CLASSIC[form].issuperset(plain)
    return {} if fits else {"movflags": "use_metadata_tags"}
