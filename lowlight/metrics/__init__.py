"""Image quality metrics: one value an image, averaged over images."""

from lowlight.losses import ssim
from lowlight.metrics.paired import psnr
from lowlight.metrics.pixel_classes import channel, channel_accuracy, exposure
from lowlight.metrics.scores import ImageScores, Measure

__all__ = ["DEFINITIONS", "ImageScores", "Measure", "channel", "channel_accuracy", "exposure", "psnr", "ssim"]

DEFINITIONS = {
    "psnr": "peak signal-to-noise ratio in dB, RGB, per image, then averaged",
    "ssim": "structural similarity, Gaussian 11x11 window of sigma 1.5 at valid positions, each channel of "
    "RGB, population covariance, data range 1.0, per image, then averaged",
    "exposure": "pixels as samples, positive where the BT.601 luminance is at least 0.5; per image, then "
    "averaged",
    "channel": "pixels as samples, the class is the dominant channel of R, G, B (ties to the first); "
    "accuracy micro, precision, recall and F1 macro over the classes present; per image, then averaged",
}
"""What each score is, by its key or the part of its key before the slash; written beside every result."""
