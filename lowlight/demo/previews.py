"""Previews and histograms, which the web page shows."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageCms

from lowlight.colour import luma
from lowlight.decoding.photo import Photo, Pixels
from lowlight.inference.photos.fail_safe import sample
from lowlight.inference.photos.writing import to_pillow

PREVIEW = 1280
"""Longest side of a preview in pixels."""


def scaled_down(photo: Photo) -> Photo:
    """Return an opaque copy in 8 bits of at most :data:`PREVIEW` pixels per side."""
    step = max(min(photo.pixels.shape[:2]) // (2 * PREVIEW), 1)
    small = np.ascontiguousarray(photo.pixels[::step, ::step])
    picture = to_pillow(replace(photo, pixels=small, alpha=None, is_grey=False))
    picture.thumbnail((PREVIEW, PREVIEW))
    return Photo(np.asarray(picture), is_grey=photo.is_grey, icc=photo.icc)


def write_preview(photo: Photo, path: Path) -> None:
    """Write a preview: an opaque sRGB PNG of at most :data:`PREVIEW` pixels per side."""
    picture = Image.fromarray(scaled_down(photo).pixels)
    if photo.icc and not photo.is_grey:
        try:
            profile = ImageCms.ImageCmsProfile(BytesIO(photo.icc))
            ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("sRGB"), inPlace=True)
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile, which viewers ignore too
    picture.info.clear()
    picture.save(path, compress_level=1)


def draw_histogram(before: Pixels, after: Pixels, path: Path) -> None:
    """Plot the histograms of two photographs of shape (H, W, 3), one above the other, to a PNG file."""
    figure = Figure(figsize=(6, 3.6), dpi=120, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
    _draw_levels(upper, before, "histogram before")
    _draw_levels(lower, after, "histogram after")
    lower.set_xlabel("level, from black to white")
    figure.supylabel("share of pixels, square-root scale", fontsize="medium")
    figure.savefig(path)


def _draw_levels(axes: Axes, pixels: Pixels, title: str) -> None:
    colours = sample(pixels)
    light = luma(colours)
    channels = zip(("tab:red", "tab:green", "tab:blue"), colours.T, strict=True)
    for colour, levels in (("0.5", light), *channels):
        counts, edges = np.histogram(levels, bins=64, range=(0, 1))
        height = np.sqrt(counts / counts.sum())
        if colour == "0.5":
            axes.fill_between(edges[:-1], height, step="post", color="0.8", label="luma")
        else:
            axes.step(edges[:-1], height, where="post", color=colour, linewidth=1)
    axes.axvline(float(light.mean()), color="black", linestyle=":", linewidth=1, label="mean luma")
    axes.set_title(title, loc="left", fontsize="medium")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.legend(loc="upper right", frameon=False, fontsize="small")
