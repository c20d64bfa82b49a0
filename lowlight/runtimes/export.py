"""Write a method's image network for other runtimes, and prove that it gives what torch gives."""

import json
import logging
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.export import ExportedProgram

from lowlight import __version__
from lowlight.checkpoints.load import from_pretrained
from lowlight.checkpoints.pretrained import save_pretrained
from lowlight.files import first_line
from lowlight.images import CONTRACT
from lowlight.methods import Method
from lowlight.methods.base import halo_of
from lowlight.runtimes.enhancer import open_exported
from lowlight.runtimes.exported import ExportedEnhancer
from lowlight.runtimes.onnx import write_onnx
from lowlight.runtimes.openvino import write_openvino
from lowlight.runtimes.torch_export import trace, write_torch_export


def export(
    method: Method, out: Path | str, kind: str, *, tolerance: float = 1e-4, commit: str | None = None
) -> dict[str, float]:
    """Write the image network, for any height, width and batch, and compare it with torch's.

    The file is written beside its target, opened in its runtime and compared on several sizes, through the
    padding; only if all agree it takes its place. Padding and clamping are not in the file: whoever runs it
    without :func:`lowlight.runtimes.enhancer.load_engine` does both, as the metadata in it say.

    Args:
        method: What to export, on the CPU; it is left in evaluation mode.
        out: The file; OpenVINO writes ``.xml`` and, beside it, ``.bin``.
        kind: ``onnx`` (``.onnx``), ``openvino`` (``.xml``) or ``torch_export`` (``.pt2``).
        tolerance: Greatest difference of a value to torch's.
        commit: The commit of lowlight that trained the method, for the metadata.

    Returns:
        The greatest difference of the raw outputs by the shape of the images, such as ``2x3x37x53``.

    Raises:
        ValueError: If the suffix does not fit, a package is missing, the network cannot be exported or
            fails on some size, or a difference exceeds the tolerance; nothing is then written.
    """
    out = Path(out)
    suffix, write = WRITERS.get(kind, (None, None))
    if write is None:
        raise ValueError(f"format {kind!r} is none of {', '.join(WRITERS)}")
    if out.suffix != suffix:
        raise ValueError(f"{out}: a file for {kind} must end in {suffix}")
    about = {
        "contract": CONTRACT,
        "stride": method.stride,
        "halo": halo_of(method),
        "method": method.name,
        "parameters": method.parameter_count,
        "lowlight": __version__,
        "torch": torch.__version__,
        "commit": commit,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        partial = Path(folder) / out.name
        with _said_in_one_line(f"{method.name} cannot be exported to {kind}"):
            write(trace(method.eval()), partial, json.dumps(about))
        with _said_in_one_line(f"{method.name}, exported to {kind}, fails"):
            differences = compare(method, open_exported(partial))
        _check(differences, tolerance, f"{method.name}, exported to {kind},")
        for path in sorted(Path(folder).iterdir()):  # .bin before .xml
            path.replace(out.parent / path.name)
    return differences


def export_pretrained(
    method: Method, out: Path | str, *, half: bool = False, tolerance: float = 1e-4, commit: str | None = None
) -> dict[str, float]:
    """Write a folder that :func:`lowlight.from_pretrained` reads, after comparing what it gives.

    Args:
        method: What to write, with a recipe.
        out: The folder; files of an earlier one are replaced.
        half: Whether weights are stored in 16 bits.
        tolerance: Greatest difference of a value to the method's.
        commit: The commit of lowlight that trained the method.

    Returns:
        The greatest difference of the raw outputs by the shape of the images.

    Raises:
        ValueError: If a difference exceeds the tolerance; nothing is then written.
    """
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(method, folder, half=half)
        differences = compare(method.eval(), from_pretrained(folder))
    _check(differences, tolerance, f"{method.name}, saved,")
    save_pretrained(method, out, half=half, commit=commit)
    return differences


def _check(differences: Mapping[str, float], tolerance: float, what: str) -> None:
    worst = max(differences, key=lambda shape: differences[shape])
    if not differences[worst] <= tolerance:
        raise ValueError(
            f"{what} differs from torch by {differences[worst]:.1e} on {worst}, more than the tolerance of "
            f"{tolerance:.0e}; nothing was written"
        )


def compare(method: Method, engine: ExportedEnhancer | Method) -> dict[str, float]:
    """Return the greatest difference of an exported network's raw outputs to a method's, by image shape.

    The shapes are a single pixel, an odd size in a batch of two, and one that needs no padding.

    Raises:
        ValueError: If the file cannot be run, or gives images of another shape.
    """
    side = max(method.stride, 16)
    generator = torch.Generator().manual_seed(0)
    differences = {}
    for shape in ((1, 3, 1, 1), (2, 3, side + 5, 2 * side + 3), (1, 3, 3 * side, 2 * side)):
        low = torch.rand(shape, generator=generator)
        with torch.no_grad():
            expected, got = method.restore(low), engine.restore(low)
        label = "x".join(map(str, shape))
        if got.shape != expected.shape:
            raise ValueError(f"{label} became {'x'.join(map(str, got.shape))}")
        differences[label] = float((got - expected).abs().max())
    return differences


_ANSI = re.compile("\x1b\\[[0-9;]*m")


@contextmanager
def _said_in_one_line(what: str) -> Iterator[None]:
    """Say what the exporters raise, of any type and length, in one line; keep their warnings back."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImportError as error:
        remedy = "pip install 'lowlight[export,openvino]'"
        raise ValueError(f"{what}: {error.name} is not installed: {remedy}") from error
    except Exception as error:
        raise ValueError(f"{what}: {_ANSI.sub('', first_line(error))}") from error
    finally:
        logging.disable(logging.NOTSET)


WRITERS: Mapping[str, tuple[str, Callable[[ExportedProgram, Path, str], None]]] = {
    "onnx": (".onnx", write_onnx),
    "openvino": (".xml", write_openvino),
    "torch_export": (".pt2", write_torch_export),
}
"""The suffix of each format, and what writes it."""
