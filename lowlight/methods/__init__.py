"""Methods: networks with their losses and training steps, as LightningModules.

They are imported when first asked for: Lightning takes seconds, and the functions that stand beside them,
as ``lowlight.methods.classical.gamma``, enhance without it.
"""

from typing import TYPE_CHECKING

from lowlight.lazy import importer

if TYPE_CHECKING:
    from lowlight.methods.base import Method as Method
    from lowlight.methods.curves import Curves as Curves
    from lowlight.methods.decompose_and_relight import DecomposeAndRelight as DecomposeAndRelight
    from lowlight.methods.deeply_supervised import DeeplySupervised as DeeplySupervised
    from lowlight.methods.enlighten_gan import EnlightenGAN as EnlightenGAN
    from lowlight.methods.fusion import Fusion as Fusion
    from lowlight.methods.gan import GAN as GAN
    from lowlight.methods.plate_gan import PlateGAN as PlateGAN
    from lowlight.methods.self_calibrated import SelfCalibrated as SelfCalibrated
    from lowlight.methods.supervised import Supervised as Supervised
    from lowlight.methods.two_stages import TwoStages as TwoStages
    from lowlight.methods.unlearnt import Classical as Classical

__all__ = [
    "GAN",
    "Classical",
    "Curves",
    "DecomposeAndRelight",
    "DeeplySupervised",
    "EnlightenGAN",
    "Fusion",
    "Method",
    "PlateGAN",
    "SelfCalibrated",
    "Supervised",
    "TwoStages",
]

__getattr__ = importer(
    __name__,
    {
        "Method": "lowlight.methods.base",
        "DeeplySupervised": "lowlight.methods.deeply_supervised",
        "Curves": "lowlight.methods.curves",
        "DecomposeAndRelight": "lowlight.methods.decompose_and_relight",
        "EnlightenGAN": "lowlight.methods.enlighten_gan",
        "Fusion": "lowlight.methods.fusion",
        "GAN": "lowlight.methods.gan",
        "PlateGAN": "lowlight.methods.plate_gan",
        "SelfCalibrated": "lowlight.methods.self_calibrated",
        "Supervised": "lowlight.methods.supervised",
        "TwoStages": "lowlight.methods.two_stages",
        "Classical": "lowlight.methods.unlearnt",
    },
)
