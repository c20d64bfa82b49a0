"""torch.export: writing networks and running them."""

import inspect
import logging
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lowlight.files import first_line
from lowlight.runtimes.runtime import METADATA, Opened, Runtime, torch_device

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram


_PLACES = tuple(f"{folder}/{METADATA}.json" for folder in ("extra", "extra_files"))
"""Where the archive holds our metadata, as torch of today and before 2.8 write it."""


def open_torch_export(path: Path, device: str) -> Opened:
    """Open a torch.export file, which can run code, on a device of torch's or ``auto``.

    Raises:
        ValueError: If the file does not run here.
    """
    import torch
    from torch.export.passes import move_to_device_pass

    from lowlight.runtimes.tensors import on_arrays

    device = torch_device(device)
    try:
        with zipfile.ZipFile(path) as archive:
            found = [name for name in archive.namelist() if name.endswith(_PLACES)]
            metadata = archive.read(found[0]).decode() if found else None
        with _silent():
            program = torch.export.load(path)
            # The guards stem from the example's size; `lowlight export` checks sizes that they would refuse.
            module = move_to_device_pass(program, device).module(**_unguarded(program))
    except Exception as error:  # broken bytes can raise anything in torch
        raise ValueError(f"{path}: not a torch.export file that runs here ({first_line(error)})") from error

    def run(low: "Tensor") -> "Tensor":
        enhanced: Tensor = module(low.to(device).contiguous(memory_format=torch.channels_last))
        return enhanced

    return Opened(partial(on_arrays, run), metadata)


def _unguarded(program: "ExportedProgram") -> dict[str, bool]:
    """Return the arguments that leave the guards out; torch before 2.9 has neither."""
    has_guards = "check_guards" in inspect.signature(program.module).parameters
    return {"check_guards": False} if has_guards else {}


@contextmanager
def _silent() -> Iterator[None]:
    """Disable logging: of a broken file, torch would log tracebacks, from loggers with their own handlers."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def write_torch_export(program: "ExportedProgram", path: Path, metadata: str) -> None:
    """Write a traced network as a torch.export file."""
    import torch

    torch.export.save(program, path, extra_files={f"{METADATA}.json": metadata})


TORCH_EXPORT = Runtime("torch_export", ".pt2", open_torch_export, write_torch_export, trust="torch.export")
