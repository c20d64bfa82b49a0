"""Names that a package imports from their homes when they are first asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def importer(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package whose own import must be quick.

    Args:
        package: Name of the package.
        homes: Module of each public name, by name.
    """

    def __getattr__(name: str) -> Any:  # noqa: N807  # what Python calls it
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return __getattr__
