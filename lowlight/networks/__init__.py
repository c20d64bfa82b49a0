"""Architectures: torch modules that map dark images to enhanced ones, and a discriminator."""

from lowlight.networks.autoencoder import Autoencoder
from lowlight.networks.coarse_to_fine import CoarseToFine
from lowlight.networks.fusion import FusedNetworks
from lowlight.networks.illumination_curves import IlluminationCurves
from lowlight.networks.llcnn import LLCNN
from lowlight.networks.mirnet import MIRNet
from lowlight.networks.patchgan import PatchGAN
from lowlight.networks.plate_restorer import PlateRestorer
from lowlight.networks.tpet import TPET
from lowlight.networks.unet import UNet

__all__ = [
    "LLCNN",
    "TPET",
    "Autoencoder",
    "CoarseToFine",
    "FusedNetworks",
    "IlluminationCurves",
    "MIRNet",
    "PatchGAN",
    "PlateRestorer",
    "UNet",
]
