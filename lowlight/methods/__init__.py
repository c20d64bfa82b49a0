"""Methods: networks with their losses and training steps, as LightningModules."""

from lowlight.methods.base import Method
from lowlight.methods.classical import Classical
from lowlight.methods.coarse_to_fine import TwoStages
from lowlight.methods.gan import GAN
from lowlight.methods.supervised import Supervised

__all__ = ["GAN", "Classical", "Method", "Supervised", "TwoStages"]
