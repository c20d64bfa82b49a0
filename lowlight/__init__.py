"""Low-light image enhancement experiments: dark photograph in, well-exposed photograph out.

``lowlight.enhance(image)`` enhances, ``lowlight.load(name_or_path)`` loads a model, ``lowlight.models()``
lists those that are ready and ``lowlight.available()`` all methods; the modules hold the rest.
"""

from typing import TYPE_CHECKING

from lowlight import renamed
from lowlight.lazy import importer

if TYPE_CHECKING:
    from lowlight.checkpoints import from_pretrained as from_pretrained
    from lowlight.checkpoints.pretrained import save_pretrained as save_pretrained
    from lowlight.config import available as available
    from lowlight.inference.library import enhance as enhance
    from lowlight.inference.library import load as load
    from lowlight.inference.models import models as models

__version__ = "0.1.0"
__all__ = ["available", "enhance", "from_pretrained", "load", "models", "save_pretrained"]

_HOMES = {
    "available": "lowlight.config",
    "enhance": "lowlight.inference.library",
    "load": "lowlight.inference.library",
    "models": "lowlight.inference.models",
    "from_pretrained": "lowlight.checkpoints",
    "save_pretrained": "lowlight.checkpoints",
}

renamed.install()

__getattr__ = importer(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
