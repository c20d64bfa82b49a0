"""Runtimes that exported networks run in: what each one has to declare."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # the command line lists the formats without waiting for torch
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch.export import ExportedProgram

METADATA = "lowlight"
"""Key of the JSON metadata in an exported file."""


class Opened(NamedTuple):
    """An exported file, opened in its runtime."""

    run: "Callable[[NDArray[np.float32]], NDArray[np.float32]]"
    """Runs the network on images of shape (B, 3, H, W), sides multiples of its stride."""
    metadata: str | None
    """JSON; None if `lowlight export` did not write the file."""


@dataclass(frozen=True)
class Runtime:
    """A format of exported networks and the runtime that opens it.

    Attributes:
        name: Name on the command line.
        suffix: File name ending.
        open: Opens a file on a device: ``cpu``, ``auto`` or a name of the runtime's own. Raises ValueError
            if the file does not run there, and ImportError if a package is missing.
        write: Writes a traced network with its metadata.
        extra: Extra of lowlight that installs the packages; None if torch suffices.
        companion: File name ending of a second file, written beside the first one; None if there is none.
        write_int8: Writes it in 8-bit integers, whose ranges suit the given inputs; None if it cannot.
        trust: Name that must be trusted before a file is opened, which may run code; None if it cannot.
    """

    name: str
    suffix: str
    open: Callable[[Path, str], Opened]
    write: "Callable[[ExportedProgram, Path, str], None]"
    extra: str | None = None
    companion: str | None = None
    write_int8: "Callable[[ExportedProgram, Path, str, Sequence[NDArray[Any]]], None] | None" = None
    trust: str | None = None

    def save(
        self,
        program: "ExportedProgram",
        path: Path,
        metadata: str,
        inputs: "Sequence[NDArray[Any]] | None" = None,
    ) -> None:
        """Write a traced network: in 32-bit floats, or in 8-bit integers if inputs are given.

        Raises:
            ValueError: If the format has no 8-bit integers.
        """
        if inputs is None:
            self.write(program, path, metadata)
        elif self.write_int8 is None:
            raise ValueError(f"{self.name} computes in no 8-bit integers here; openvino does")
        else:
            self.write_int8(program, path, metadata, inputs)

    def missing(self, error: ImportError) -> str:
        """Name a missing package and the command that installs it."""
        package = f"lowlight[{self.extra}]" if self.extra else "lowlight"
        return f"{error.name or self.name} is not installed: pip install '{package}'"


def torch_device(device: str) -> str:
    """Resolve ``auto`` to ``cuda`` if torch sees a GPU, else ``cpu``; other names are returned unchanged."""
    import torch

    return device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
