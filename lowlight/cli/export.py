"""`lowlight export`: write a method's network as a file for another runtime."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._options import As, Debug, Trust
from lowlight.cli._verb import Verb
from lowlight.files import check_folder
from lowlight.runtimes.table import RUNTIMES, runtime_named
from lowlight.shipped import existing

app = Verb("export")

PRETRAINED = "pretrained"
"""Format of the folder that lowlight itself reads."""

ORIGINAL = "original"
"""Format of the published implementation's weights."""

Format = StrEnum("Format", {name: name for name in (*(one.name for one in RUNTIMES), PRETRAINED, ORIGINAL)})  # type: ignore[misc]
"""Choices of ``--format``."""

_FILES = ", ".join(
    f"{one.suffix} (with its {one.companion} beside it)" if one.companion else one.suffix for one in RUNTIMES
)


@app.command()
def export(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CKPT_OR_RUN",
            help="Checkpoint, run folder or pretrained folder; or a name of weights that come with lowlight.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help=f"Output file: {_FILES}, .pth (original); or folder (pretrained).", show_default=False
        ),
    ],
    original: As = None,
    kind: Annotated[Format, typer.Option("--format", help="Format to write.")] = Format[RUNTIMES[0].name],
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Largest accepted difference to torch's outputs, relative to those beyond 1.",
            show_default="1e-4, with --half 2e-3",
        ),
    ] = None,
    int8: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PHOTOS",
            help="Compute in 8-bit integers (openvino), calibrated on these dark photographs or folders.",
            show_default=False,
        ),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store weights in 16 bits (pretrained only).")] = False,
    trust: Trust = None,
    debug: Debug = False,
) -> None:
    """Write a method's network for images of any size, after comparing its outputs with torch's.

    Padding to the network's stride and clamping to [0, 1] are not part of the file; its metadata describe
    both. A pretrained folder holds safetensors and a recipe in JSON, for lowlight itself. An original file
    holds the weights under the names of the published implementation, for other tools.
    """
    with errors_in_one_line("export", debug):
        source = existing(source)
        check_folder(out if kind == PRETRAINED else out.parent)
        if half and kind != PRETRAINED:
            raise ValueError("--half is for --format pretrained")
        if int8 and kind in (PRETRAINED, ORIGINAL):
            raise ValueError("--int8 is for --format openvino")

    from lowlight.checkpoints.load import load_method
    from lowlight.inference.calibration import calibration_photographs
    from lowlight.runs.folder import commit_of
    from lowlight.runtimes import export as exporting  # imports torch, which --help need not wait for

    with errors_in_one_line("export", debug):
        if original is None:
            method = load_method(source, trust or ())
        else:
            from lowlight.checkpoints.originals import load_original_method

            method = load_original_method(source, original)
        commit, accepted = commit_of(source), exporting.TOLERANCE if tolerance is None else tolerance
        if kind == PRETRAINED:
            differences = exporting.export_pretrained(
                method, out, half=half, tolerance=tolerance, commit=commit, trust=trust or ()
            )
        elif kind == ORIGINAL:
            differences = exporting.export_original(method, out, tolerance=accepted)
        else:
            photographs = calibration_photographs(int8) if int8 else None
            differences = exporting.export(
                method, out, kind, tolerance=accepted, commit=commit, calibrate=photographs
            )
    for shape, difference in differences.items():
        print(f"{shape}: differs from torch by at most {difference:.1e}")
    companion = None if kind in (PRETRAINED, ORIGINAL) else runtime_named(kind).companion
    print(f"Wrote {out}" + (f" and {out.with_suffix(companion).name}" if companion else ""))


main = app.main

if __name__ == "__main__":
    main()
