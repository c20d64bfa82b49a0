"""Methods: networks with their losses and training steps, as LightningModules."""

from lowlight.methods.base import Method
from lowlight.methods.classical import Classical
from lowlight.methods.gan import GAN
from lowlight.methods.supervised import Supervised
from lowlight.methods.two_stages import TwoStages

__all__ = ["GAN", "Classical", "Method", "Supervised", "TwoStages"]
