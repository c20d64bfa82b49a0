"""Colours that a file declares to be other than sRGB, converted to sRGB."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlight.colour import linear_to_srgb, srgb_to_linear
from lowlight.decoding.bands import bands
from lowlight.decoding.photo import Photo, Pixels

Array = NDArray[np.float64]

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""CIE 1931 x and y of white, red, green and blue."""

_D65 = (0.3127, 0.3290)
_SRGB: Chromaticities = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)

PRIMARIES: Mapping[int, Chromaticities] = {
    1: _SRGB,
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
"""Chromaticities by their code in ITU-T H.273, table 2."""

_WHITE_NITS = 203
"""Luminance in cd/m2 of a diffuse white in HDR, which becomes the sRGB white; ITU-R BT.2408."""


def _pq(value: Array) -> Array:
    """Return linear light relative to diffuse white; SMPTE ST 2084."""
    power = value ** (32 / 2523)
    light = (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (16384 / 2610)
    return np.asarray(light * 10000 / _WHITE_NITS)


def _hlg(value: Array) -> Array:
    """Return scene light relative to diffuse white, which is coded as 0.75; ITU-R BT.2100."""
    light = np.where(
        value <= 0.5, value**2 / 3, (np.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
    )
    return np.asarray(light / 0.2649)


TRANSFERS: Mapping[int, tuple[str, Callable[[Array], Array]]] = {
    4: ("gamma 2.2", lambda value: value**2.2),
    5: ("gamma 2.8", lambda value: value**2.8),
    8: ("linear light", lambda value: value),
    16: ("HDR PQ without the highlights above white", _pq),
    18: ("HDR HLG without the highlights above white", _hlg),
}
"""Name and linear light of each transfer function that differs from sRGB's, by its code in H.273, table 3."""


@dataclass(frozen=True)
class Coding:
    """Coding of colour: a name, the light of coded values in [0, 1], and primaries; None is sRGB's."""

    name: str
    decode: Callable[[Array], Array] | None = None
    primaries: Chromaticities | None = None


def from_codes(primaries: int, transfer: int) -> Coding | None:
    """Return the coding of two codes of H.273, as cICP and nclx hold them; None for sRGB and its like."""
    name, decode = TRANSFERS.get(transfer, ("", None))
    colours = PRIMARIES.get(primaries)
    if colours is not None and _is_srgb(colours):
        colours = None
    if decode is None and colours is None:
        return None
    wide = f"primaries {primaries} of H.273" if colours else ""
    return Coding(", ".join(filter(None, (name, wide))), decode, colours)


def from_png(info: Mapping[str | tuple[int, int], Any], cicp: bytes | None) -> Coding | None:
    """Return the coding that a PNG file declares by cICP, or by gAMA and cHRM without sRGB or a profile.

    Reference:
        W3C, 2025, "Portable Network Graphics Specification (Third Edition)", section 4.3.
    """
    if cicp and len(cicp) == 4:
        return from_codes(cicp[0], cicp[1])
    if info.get("icc_profile") or "srgb" in info:
        return None
    gamma, colours = info.get("gamma"), info.get("chromaticity")
    names = []
    decode: Callable[[Array], Array] | None = None
    if isinstance(gamma, float) and gamma > 0 and abs(gamma * 2.2 - 1) > 0.05:
        names.append(f"gamma {gamma:g}")
        decode = lambda value: value ** (1 / gamma)  # noqa: E731
    chosen: Chromaticities | None = None
    if isinstance(colours, tuple) and len(colours) == 8 and min(colours) >= 0 and not _is_srgb(colours):
        names.append("its own primaries")
        chosen = colours
    return Coding(", ".join(names), decode, chosen) if names else None


def _is_srgb(colours: Chromaticities) -> bool:
    return max(abs(one - other) for one, other in zip(colours, _SRGB, strict=True)) < 0.011


def to_srgb(photo: Photo, coding: Coding | None) -> Photo:
    """Convert a photograph to sRGB and note it; colours outside sRGB are clipped."""
    if coding is None:
        return photo
    white = np.iinfo(photo.pixels.dtype).max
    levels = np.arange(white + 1) / white
    light = srgb_to_linear(levels) if coding.decode is None else coding.decode(levels)
    matrix = None if coding.primaries is None or photo.is_grey else matrix_to_srgb(coding.primaries)
    pixels = np.empty_like(photo.pixels)
    if matrix is None:
        coded = _coded(light, pixels.dtype)
        for rows in bands(pixels):
            pixels[rows] = coded[photo.pixels[rows]]
    else:
        for top in range(0, len(pixels), 64):
            mixed = light[photo.pixels[top : top + 64]] @ matrix.T
            pixels[top : top + 64] = _coded(mixed, pixels.dtype)
    return replace(
        photo, pixels=pixels, icc=None, notes=(*photo.notes, f"colours ({coding.name}) become sRGB")
    )


def _coded(light: Array, kind: np.dtype[Any]) -> Pixels:
    value = linear_to_srgb(light.clip(0, 1))
    return np.asarray((value * np.iinfo(kind).max).round().astype(kind))


def matrix_to_srgb(colours: Chromaticities) -> Array | None:
    """Return the matrix from linear light of these primaries to that of sRGB; None for impossible ones."""
    try:
        own, srgb = _to_xyz(colours), _to_xyz(_SRGB)
        # von Kries in XYZ: white stays white
        whites = srgb.sum(1) / own.sum(1)
        matrix = np.linalg.inv(srgb) @ (whites[:, None] * own)
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return None
    return matrix if np.isfinite(matrix).all() else None


def _to_xyz(colours: Chromaticities) -> Array:
    columns = np.array(
        [[x / y, 1, (1 - x - y) / y] for x, y in zip(colours[2::2], colours[3::2], strict=True)]
    ).T
    x, y = colours[:2]
    scale = np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y]))
    return np.asarray(columns * scale)
