"""Low-light image enhancement experiments: dark photograph in, well-exposed photograph out.

``lowlight.enhance(image)`` enhances, ``lowlight.load(path)`` loads a model, ``lowlight.available()``
lists the methods; the modules hold the rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lowlight.config import available as available
    from lowlight.inference.library import enhance as enhance
    from lowlight.inference.library import load as load
    from lowlight.pretrained import from_pretrained as from_pretrained
    from lowlight.pretrained import save_pretrained as save_pretrained

__version__ = "0.1.0"
__all__ = ["available", "enhance", "from_pretrained", "load", "save_pretrained"]

_HOMES = {
    "available": "lowlight.config",
    "enhance": "lowlight.inference.library",
    "load": "lowlight.inference.library",
    "from_pretrained": "lowlight.pretrained",
    "save_pretrained": "lowlight.pretrained",
}


def __getattr__(name: str) -> Any:
    """Import a public function when it is first asked for: the package itself must load at once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lowlight' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
