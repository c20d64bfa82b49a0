"""``lowlight detect``: average precision of a detector, before and after enhancement."""

import math
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._options import Debug, Device, Trust
from lowlight.cli._progress import watched
from lowlight.cli._tables import print_table
from lowlight.cli._verb import Verb
from lowlight.files import check_folder, json_text, printable

app = Verb("detect")


@app.command()
def detect(
    folder: Annotated[Path, typer.Argument(help="Images, searched recursively.", show_default=False)],
    annotations: Annotated[
        Path | None,
        typer.Option(
            help="WIDER FACE's file, or a folder of text files in the format of DARK FACE, YOLO or ExDark.",
            show_default="detections on the bright photographs",
        ),
    ] = None,
    methods: Annotated[
        str, typer.Option(help="Methods that need no training, or paths of models, separated by commas.")
    ] = "coarse_to_fine",
    darken: Annotated[
        list[float] | None,
        typer.Option(help="Darken bright photographs by this many stops; repeatable.", show_default=False),
    ] = None,
    detector: Annotated[
        str, typer.Option(help="yuface, which finds faces, or a callable: mypackage.module:function.")
    ] = "yuface",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the scores and the precision-recall curves.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the darkening and the bootstrap.")] = 0,
    device: Device = "auto",
    trust: Trust = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Detect faces, or other objects, in images as they are and after each method.

    Prints the average precision at an intersection over union of 0.5 per darkness and method, with a
    bootstrap interval over images, and its difference from no enhancement.
    """
    with errors_in_one_line("detect", debug):
        if out:
            check_folder(out)
        from lowlight.detection.experiment import (
            detect as measure,  # imports torch, which --help need not wait for
        )

        names = [name.strip() for name in methods.split(",") if name.strip()]
        result = measure(
            folder,
            annotations,
            names,
            detector=detector,
            darken=darken or (),
            device=device,
            trust=trust or (),
            seed=seed,
            progress=partial(watched, unit="image"),
        )
        if out:
            from lowlight.report.precision_recall import write

            write(result, out)
    if as_json:
        print(json_text({key: result[key] for key in ("about", "rows")}))
    else:
        _print(result, out)


def _print(result: dict[str, Any], out: Path | None) -> None:
    """Print the scores as a table, and what they are."""
    from lowlight.detection.experiment import BEFORE

    rows = [
        [
            row["darkness"],
            row["method"],
            _number(row["ap"]),
            _bounds(row["ap_interval"]),
            *(
                ("", "")
                if row["method"] == BEFORE
                else (_number(row["difference"], "+"), _bounds(row["difference_interval"], "+"))
            ),
            _number(row["recall"]),
            str(row["detections"]),
            "" if row["milliseconds"] is None else f"{row['milliseconds']:.0f}",
        ]
        for row in result["rows"]
    ]
    headings = ["AP", "interval", "difference", "its interval", "recall", "detections", "ms"]
    print_table(["darkness", "method", *headings], rows, right=headings)
    about = result["about"]
    lines = [
        f"{about['objects']} objects in {about['images_with_objects']} of {about['images']} images; "
        f"reference: {about['reference']}; detector: {about['detector']}.",
        f"AP at an intersection over union of {about['overlap']:g}; intervals: {about['intervals']}; "
        f"difference from {BEFORE}, on the same images drawn.",
    ]
    if about["without_annotation"]:
        lines.append(f"Left out, without annotation: {about['without_annotation']} images.")
    if about["darkening"] == "synthetic":
        lines.append("The darkness is synthetic: bright photographs, darkened with noise.")
    if out:
        lines.append(f"Scores and curves are in {out}")
    print(*map(printable, lines), sep="\n")


def _number(value: float, sign: str = "") -> str:
    return "–" if math.isnan(value) else f"{value:{sign}.3f}"


def _bounds(ends: list[float], sign: str = "") -> str:
    return f"[{_number(ends[0], sign)}, {_number(ends[1], sign)}]"


main = app.main

if __name__ == "__main__":
    main()
