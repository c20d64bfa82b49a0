"""torch.export: writing networks and running them."""

import zipfile
from pathlib import Path

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from lowlight.files import first_line
from lowlight.methods import Method
from lowlight.runtimes.exported import METADATA, Opened, torch_device


def open_torch_export(path: Path, device: str) -> Opened:
    """Open a torch.export file, which may run code of whoever wrote it.

    Raises:
        ValueError: If the file does not run here.
    """
    from torch.export.passes import move_to_device_pass

    device = torch_device(device)
    try:
        with zipfile.ZipFile(path) as archive:
            found = [name for name in archive.namelist() if name.endswith(f"/extra/{METADATA}.json")]
            metadata = archive.read(found[0]).decode() if found else None
        program = torch.export.load(path)
        # The guards stem from the example's size; `lowlight export` checks sizes that they would refuse.
        module = move_to_device_pass(program, device).module(check_guards=False)
    except Exception as error:  # torch raises whatever the broken bytes lead to
        raise ValueError(f"{path}: not a torch.export file that runs here ({first_line(error)})") from error

    def run(low: Tensor) -> Tensor:
        enhanced: Tensor = module(low.to(device).contiguous(memory_format=torch.channels_last))
        return enhanced

    return Opened(run, metadata)


def trace(method: Method) -> ExportedProgram:
    """Trace the network for any batch and any multiple of its stride."""
    from torch.utils._sympy.numbers import int_oo
    from torch.utils._sympy.value_ranges import ValueRanges

    stride = method.stride
    side = stride if stride > 1 else 16
    low = torch.rand(2, 3, 2 * side, 3 * side)  # a dimension of size 1 would become a constant
    with torch.no_grad():
        dynamic = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
        program = torch.export.export(method.net, (low,), dynamic_shapes=(dynamic,))
    # torch infers that the smallest feature map has more than one pixel, since the example's has; whether
    # it works with one is what `compare` finds out.
    for symbol in program.range_constraints:
        program.range_constraints[symbol] = ValueRanges(1, int_oo)
    return program


def write_torch_export(program: ExportedProgram, path: Path, metadata: str) -> None:
    """Write a traced network as a torch.export file."""
    torch.export.save(program, path, extra_files={f"{METADATA}.json": metadata})
