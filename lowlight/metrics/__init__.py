"""Image quality metrics: one value per image, averaged over images.

A new metric is a file that ends with its :class:`Metric`, and an entry in :data:`METRICS` or
:data:`OPTIONAL`.
"""

from collections.abc import Iterable

# Functions that share their file's name replace the submodule here, so that all must be imported eagerly.
from lowlight.metrics.appearance import (
    CLIPPED,
    COLOUR_CAST,
    MEAN_LUMA,
    NOISE,
    clipped,
    colour_cast,
    mean_luma,
    noise,
)
from lowlight.metrics.brisque import BRISQUE, brisque
from lowlight.metrics.delta_e import DELTA_E, delta_e
from lowlight.metrics.loe import LOE, loe
from lowlight.metrics.lpips import LPIPS, lpips
from lowlight.metrics.metric import Measure, Metric
from lowlight.metrics.ms_ssim import MS_SSIM, ms_ssim
from lowlight.metrics.niqe import NIQE, niqe
from lowlight.metrics.pixel_classes import CHANNEL, EXPOSURE, channel, channel_accuracy, exposure
from lowlight.metrics.psnr import PSNR, PSNR_GTMEAN, PSNR_Y, psnr, psnr_gtmean, psnr_y
from lowlight.metrics.scores import ImageScores
from lowlight.metrics.ssim import (
    SSIM,
    SSIM_GRAY,
    SSIM_GTMEAN,
    SSIM_UNIFORM7,
    ssim,
    ssim_gray,
    ssim_gtmean,
    ssim_uniform7,
)
from lowlight.spelling import did_you_mean

__all__ = [
    "APPEARANCE",
    "DEFINITIONS",
    "METRICS",
    "OPTIONAL",
    "ImageScores",
    "Measure",
    "Metric",
    "all_scores",
    "brisque",
    "channel",
    "channel_accuracy",
    "clipped",
    "colour_cast",
    "delta_e",
    "exposure",
    "loe",
    "lpips",
    "mean_luma",
    "ms_ssim",
    "niqe",
    "noise",
    "optional",
    "psnr",
    "psnr_gtmean",
    "psnr_y",
    "ssim",
    "ssim_gray",
    "ssim_gtmean",
    "ssim_uniform7",
]

METRICS = (
    PSNR,
    SSIM,
    PSNR_Y,
    PSNR_GTMEAN,
    SSIM_GTMEAN,
    SSIM_UNIFORM7,
    SSIM_GRAY,
    DELTA_E,
    LOE,
    NIQE,
    MEAN_LUMA,
    EXPOSURE,
    CHANNEL,
)
"""Every metric that a test reports, in the order of result files."""

OPTIONAL = (LPIPS, MS_SSIM, BRISQUE)
"""Metrics that a test reports on demand only, for their time or the packages they need."""

APPEARANCE = (CLIPPED, COLOUR_CAST, NOISE)
"""Other properties of an image alone, which ``lowlight gallery`` shows, too; no test reports them."""

DEFINITIONS = {metric.key: metric.definition for metric in METRICS}
"""Definition of each metric by its key, written beside every result."""


def optional(keys: Iterable[str]) -> tuple[Metric, ...]:
    """Return metrics of :data:`OPTIONAL`, each once and ready to measure.

    Raises:
        ValueError: If a key names none, or what the metric needs is not installed.
    """
    known = {metric.key: metric for metric in OPTIONAL}
    found = []
    for key in dict.fromkeys(keys):
        if key not in known:
            raise ValueError(
                f"no optional metric {key!r}"
                + (did_you_mean(key, known) or f"; there are {', '.join(known)}")
            )
        if prepare := known[key].prepare:
            prepare()
        found.append(known[key])
    return tuple(found)


def all_scores(prefix: str = "test/", further: Iterable[str] = ()) -> ImageScores:
    """Return an empty score table for all of :data:`METRICS`, and some of :data:`OPTIONAL` by key."""
    metrics = (*METRICS, *optional(further))
    return ImageScores(
        {metric.key: metric.measure for metric in metrics},
        prefix,
        against={metric.key: metric.against for metric in metrics},
    )
