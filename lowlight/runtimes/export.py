"""Exporting a method's image network, with a check that the outputs equal torch's."""

import copy
import json
import logging
import math
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from lowlight import __version__
from lowlight.checkpoints.load import from_pretrained
from lowlight.checkpoints.pretrained import check_out, save_pretrained
from lowlight.files import first_line, whole
from lowlight.images import CONTRACT, pad_to_stride
from lowlight.judging import Judging
from lowlight.methods import Method
from lowlight.model import Model
from lowlight.networks.original import Original
from lowlight.runtimes.enhancer import ExportedEnhancer, open_exported
from lowlight.runtimes.runtime import Runtime
from lowlight.runtimes.table import runtime_named

TOLERANCE = 1e-4
"""Largest accepted difference of an output value to torch's, relative to those beyond 1."""

TOLERANCE_HALF = 2e-3
"""The same for weights stored in 16 bits: half a level of 8 bits."""

_OF_TORCH = (".pth", ".pt", ".ckpt", ".bin")

_ANSI = re.compile("\x1b\\[[0-9;]*m")


def export(
    method: Model,
    out: Path | str,
    kind: str,
    *,
    tolerance: float = TOLERANCE,
    commit: str | None = None,
    calibrate: Sequence[Tensor] | None = None,
) -> dict[str, float]:
    """Write the image network, for any height, width and batch size, and compare it with torch's.

    The file is written beside its target, opened in its runtime and compared on several sizes, padding
    included; only if all agree does it take its place. Padding and clamping are not part of the file: a
    program that does not run it through :func:`lowlight.runtimes.load.load_engine` has to do both, as
    the metadata say.

    Args:
        method: The method, on the CPU; it is left in evaluation mode.
        out: The file; OpenVINO writes ``.xml`` and, beside it, ``.bin``.
        kind: Name of one of :data:`lowlight.runtimes.table.RUNTIMES`, such as ``onnx``.
        tolerance: Largest accepted difference of an output value to torch's, as :func:`compare` has it.
        commit: Commit of lowlight that trained the method, for the metadata.
        calibrate: Dark photographs of shape (1, 3, H, W) in [0, 1]; if given, the file computes in 8-bit
            integers, with ranges chosen on these, and no difference is too large.

    Returns:
        Largest difference of the raw outputs, from :func:`compare`, keyed by the images' shape, such as
        ``2x3x37x53``.

    Raises:
        ValueError: If the suffix does not fit, a package is missing, the network cannot be exported or
            fails on some size, a difference exceeds the tolerance or is NaN, or the format has no 8-bit
            integers; nothing is then written.
    """
    out = Path(out)
    runtime = runtime_named(kind)
    if out.suffix != runtime.suffix:
        raise ValueError(f"{out}: a file for {kind} must end in {runtime.suffix}")
    about = {
        "contract": CONTRACT,
        "stride": method.stride,
        "halo": method.halo,
        "judges": isinstance(method.net, Judging),
        "method": method.name,
        "parameters": method.parameter_count,
        "lowlight": __version__,
        "torch": torch.__version__,
        "commit": commit,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        partial = Path(folder) / out.name
        with errors_in_one_line(f"{method.name} cannot be exported to {kind}", runtime):
            side = method.stride if method.stride > 1 else 16
            program = trace(method.eval().net, torch.rand(2, 3, 2 * side, 3 * side))
            inputs = None
            if calibrate is not None:
                inputs = [pad_to_stride(image, method.stride).numpy() for image in calibrate]
            runtime.save(program, partial, json.dumps(about), inputs)
        with errors_in_one_line(f"{method.name}, exported to {kind}, fails", runtime):
            differences = compare(method, open_exported(partial))
        if calibrate is None:
            _check(differences, tolerance, f"{method.name}, exported to {kind},")
        for path in sorted(Path(folder).iterdir()):  # .bin before .xml
            path.replace(out.parent / path.name)
    return differences


def trace(net: nn.Module, example: Tensor) -> ExportedProgram:
    """Trace a network for any batch size, height and width that suit it.

    Args:
        net: The network, in evaluation mode.
        example: An input; a side or batch of one would become a constant.
    """
    from torch.utils._sympy.numbers import int_oo
    from torch.utils._sympy.value_ranges import ValueRanges

    with torch.no_grad():
        dynamic = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
        program = torch.export.export(net, (example,), dynamic_shapes=(dynamic,))
    # torch infers from the example that the smallest feature map has more than one pixel; whether one pixel
    # works is what `compare` finds out.
    for symbol in program.range_constraints:
        program.range_constraints[symbol] = ValueRanges(1, int_oo)
    return program


def export_pretrained(
    method: Method,
    out: Path | str,
    *,
    half: bool = False,
    tolerance: float | None = None,
    commit: str | None = None,
    trust: Sequence[str] = (),
) -> dict[str, float]:
    """Write a folder that :func:`lowlight.from_pretrained` reads, after comparing its outputs.

    Args:
        method: A method with a recipe.
        out: The folder; files of an earlier export are replaced.
        half: Whether weights are stored in 16 bits.
        tolerance: Largest accepted difference of an output value to the method's, as :func:`compare` has it;
            by default :data:`TOLERANCE`, and :data:`TOLERANCE_HALF` for weights in 16 bits.
        commit: Commit of lowlight that trained the method.
        trust: Packages beyond torch and lowlight that the method's recipe calls.

    Returns:
        Largest difference of the raw outputs, from :func:`compare`, keyed by the images' shape.

    Raises:
        ValueError: If a difference exceeds the tolerance or is NaN, or the folder holds a run or files of
            others; nothing is then written.
    """
    check_out(Path(out))
    if tolerance is None:
        tolerance = TOLERANCE_HALF if half else TOLERANCE
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(method, folder, half=half)
        differences = compare(method.eval(), from_pretrained(folder, trust))
    _check(differences, tolerance, f"{method.name}, saved,")
    save_pretrained(method, out, half=half, commit=commit)
    return differences


def export_original(method: Model, out: Path | str, *, tolerance: float = TOLERANCE) -> dict[str, float]:
    """Write the network's weights as the published implementation reads them, after reading them back.

    Args:
        method: A method whose network is a :class:`lowlight.networks.original.Original`.
        out: The file, of ``torch.save``: ``.pth``, ``.pt``, ``.ckpt`` or ``.bin``.
        tolerance: Largest accepted difference of an output value to the method's, as :func:`compare` has it.

    Returns:
        Largest difference of the raw outputs, from :func:`compare`, keyed by the images' shape.

    Raises:
        ValueError: If the network is no published one, the suffix is another, or a difference exceeds the
            tolerance or is NaN.
    """
    if not isinstance(method.net, Original):
        raise ValueError(
            f"{method.name} has no published form; the formats onnx and pretrained suit any method"
        )
    if Path(out).suffix not in _OF_TORCH:
        raise ValueError(f"{out}: a file for original must end in {', '.join(_OF_TORCH)}")
    weights: dict[str, Any] = {
        name: value.cpu().clone() for name, value in method.net.original_state_dict().items()
    }
    again = copy.deepcopy(method.eval())
    with torch.no_grad():
        for parameter in again.net.parameters():
            parameter.zero_()
    again.net.load_original(weights)  # type: ignore[operator]
    differences = compare(method, again)
    _check(differences, tolerance, f"{method.name}, saved,")
    with whole(Path(out)) as partial:
        torch.save({method.net.WRAPPER: weights} if method.net.WRAPPER else weights, partial)
    return differences


def _check(differences: Mapping[str, float], tolerance: float, what: str) -> None:
    worst = max(differences, key=lambda shape: differences[shape])
    if not differences[worst] <= tolerance:
        raise ValueError(
            f"{what} differs from torch by {differences[worst]:.1e} on {worst}, more than the tolerance of "
            f"{tolerance:.0e}; nothing was written"
        )


def compare(method: Model, engine: ExportedEnhancer | Model) -> dict[str, float]:
    """Return the largest difference of raw outputs to a method's, keyed by the images' shape.

    Outputs are not clamped: where the method's largest exceeds 1, differences are relative to it. The images
    are a single pixel, an odd size in a batch of two, a size that needs no padding, and a batch of what
    divisions and powers may fail on: black, grey, white, and 8-bit darkness with zeros in it.

    Raises:
        ValueError: If the file cannot be run, or gives images of another shape or NaN.
    """
    side = max(method.stride, 16)
    generator = torch.Generator().manual_seed(0)
    shapes = ((1, 3, 1, 1), (2, 3, side + 5, 2 * side + 3), (1, 3, 3 * side, 2 * side))
    images = [torch.rand(shape, generator=generator) for shape in shapes]
    plain = torch.tensor([0.0, 0.3, 1.0]).view(3, 1, 1, 1).expand(3, 3, side, side)
    levels = torch.randint(0, 6, (1, 3, side, side), generator=generator) / 255
    differences = {}
    for low in (*images, torch.cat([plain, levels])):
        with torch.no_grad():
            expected, got = method.restore(low), engine.restore(low)
        label = "x".join(map(str, low.shape))
        if got.shape != expected.shape:
            raise ValueError(f"{label} became {'x'.join(map(str, got.shape))}")
        differences[label] = float((got - expected).abs().max() / expected.abs().max().clamp(min=1))
        if math.isnan(differences[label]):
            culprit = "the network itself" if expected.isnan().any() else "the export"
            raise ValueError(
                f"{label} differs from torch by nan, as {culprit} returns NaN; nothing was written"
            )
    return differences


@contextmanager
def errors_in_one_line(what: str, runtime: Runtime) -> Iterator[None]:
    """Turn an exporter's error, of any type and length, into one line; suppress its warnings."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImportError as error:
        raise ValueError(f"{what}: {runtime.missing(error)}") from error
    except Exception as error:
        raise ValueError(f"{what}: {_ANSI.sub('', first_line(error))}") from error
    finally:
        logging.disable(logging.NOTSET)
