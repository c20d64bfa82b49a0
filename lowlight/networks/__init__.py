"""Architectures: plain torch modules from dark images to enhanced ones, and their judges."""

from lowlight.networks.autoencoder import Autoencoder
from lowlight.networks.coarse_to_fine import CoarseToFine
from lowlight.networks.mirnet import MIRNet
from lowlight.networks.patchgan import PatchGAN
from lowlight.networks.unet import UNet

__all__ = ["Autoencoder", "CoarseToFine", "MIRNet", "PatchGAN", "UNet"]
