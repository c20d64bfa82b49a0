"""Write a method's image network for other runtimes, and prove that it gives what torch gives."""

import json
import logging
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.export import Dim, ExportedProgram

from lowlight import __version__
from lowlight.checkpoint import first_line
from lowlight.images import CONTRACT
from lowlight.inference.engines import halo_of
from lowlight.inference.exported import METADATA, ExportedEnhancer, open_exported, openvino_core
from lowlight.methods import Method
from lowlight.pretrained import from_pretrained, save_pretrained


def export(
    method: Method, out: Path | str, kind: str, *, tolerance: float = 1e-4, commit: str | None = None
) -> dict[str, float]:
    """Write the image network, for any height, width and batch, and compare it with torch's.

    The file is written beside its target, opened in its runtime and compared on several sizes, through the
    padding; only if all agree it takes its place. Padding and clamping are not in the file: whoever runs it
    without :func:`lowlight.inference.engines.load_engine` does both, as the metadata in it say.

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
        "parameters": sum(parameter.numel() for parameter in method.net.parameters()),
        "lowlight": __version__,
        "torch": torch.__version__,
        "commit": commit,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        partial = Path(folder) / out.name
        with _said_in_one_line(f"{method.name} cannot be exported to {kind}"):
            write(_trace(method.eval()), partial, json.dumps(about))
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


def _trace(method: Method) -> ExportedProgram:
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


def _write_torch_export(program: ExportedProgram, path: Path, metadata: str) -> None:
    torch.export.save(program, path, extra_files={f"{METADATA}.json": metadata})


def _write_onnx(program: ExportedProgram, path: Path, metadata: str) -> None:
    import onnx

    converted = torch.onnx.export(
        program, input_names=["low"], output_names=["enhanced"], dynamo=True, verbose=False
    )
    model: Any = converted.model_proto  # type: ignore[union-attr]
    for image in (*model.graph.input, *model.graph.output):
        for axis, name in {0: "batch", 2: "height", 3: "width"}.items():
            image.type.tensor_type.shape.dim[axis].dim_param = name
    del model.graph.value_info[:]  # shapes in between, under the names that were replaced
    onnx.helper.set_model_props(model, {METADATA: metadata})
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _write_openvino(program: ExportedProgram, path: Path, metadata: str) -> None:
    """Go by way of ONNX: OpenVINO's own converter of torch programs reports its use to its makers."""
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        onnx_path = Path(folder) / "net.onnx"
        _write_onnx(program, onnx_path, metadata)
        model = openvino_core(openvino).read_model(onnx_path)
        model.set_rt_info(metadata, [METADATA])
        openvino.save_model(model, path, compress_to_fp16=False)


WRITERS: Mapping[str, tuple[str, Callable[[ExportedProgram, Path, str], None]]] = {
    "onnx": (".onnx", _write_onnx),
    "openvino": (".xml", _write_openvino),
    "torch_export": (".pt2", _write_torch_export),
}
"""The suffix of each format, and what writes it."""
