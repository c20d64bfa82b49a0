"""Image quality metrics: one value per image, averaged over images.

A new metric is a file that ends with its :class:`Metric`, and an entry in :data:`METRICS`.
"""

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
from lowlight.metrics.delta_e import DELTA_E, delta_e
from lowlight.metrics.loe import LOE, loe
from lowlight.metrics.metric import Measure, Metric
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

__all__ = [
    "APPEARANCE",
    "DEFINITIONS",
    "METRICS",
    "ImageScores",
    "Measure",
    "Metric",
    "all_scores",
    "channel",
    "channel_accuracy",
    "clipped",
    "colour_cast",
    "delta_e",
    "exposure",
    "loe",
    "mean_luma",
    "niqe",
    "noise",
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

APPEARANCE = (CLIPPED, COLOUR_CAST, NOISE)
"""Other properties of an image alone, which ``lowlight gallery`` shows, too; no test reports them."""

DEFINITIONS = {metric.key: metric.definition for metric in METRICS}
"""Definition of each metric by its key, written beside every result."""


def all_scores(prefix: str = "test/") -> ImageScores:
    """Return an empty score table for all of :data:`METRICS`."""
    return ImageScores(
        {metric.key: metric.measure for metric in METRICS},
        prefix,
        against={metric.key: metric.against for metric in METRICS},
    )
