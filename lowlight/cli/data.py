"""``lowlight data``: audit a paired dataset, download LOL, write the no-learning control."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from lowlight.cli._audit_text import describe
from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._options import Debug
from lowlight.cli._verb import Verb
from lowlight.config import setting
from lowlight.files import check_folder, json_text

app = Verb("data", help="Audit a paired dataset, download LOL, write the no-learning control.")


Data = Annotated[
    str, typer.Option(help="Dataset whose layout the folder has, as in data=NAME: lol, sice, fivek, ...")
]


@app.command()
def check(
    root: Annotated[
        Path, typer.Argument(help="Folder of a paired dataset, such as LOL.", show_default=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    data: Data = "lol",
    everything: Annotated[bool, typer.Option("--all", help="List every finding, not ten per kind.")] = False,
    debug: Debug = False,
) -> None:
    """Check a paired dataset for damage, duplicates, mismatched pairs and test scenes in the training split.

    Exit status: 0 clean; 3 a scene or file is in two splits; 4 unusable files; 5 mismatched pairs; 1 no
    dataset found, or one without images.
    """
    with errors_in_one_line("data check", debug):
        from lowlight.data.audit import audit  # imports torch, which --help need not wait for
        from lowlight.data.layouts import layout_of

        report = audit(root, layout=layout_of(data))
    print(json_text(report) if as_json else describe(report, None if everything else 10))
    raise typer.Exit({"clean": 0, "leaking": 3, "damaged": 4, "suspicious": 5}[report["verdict"]])


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="Dataset: lol.", show_default=False)],
    root: Annotated[Path, typer.Option(help="Folder to write the dataset to.", show_default=False)],
    archive: Annotated[
        Path | None,
        typer.Option(help="Zip file downloaded by hand; nothing is fetched then.", show_default=False),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Other address to download the zip from.", show_default=False)
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds without data before giving up.")] = 30.0,
    debug: Debug = False,
) -> None:
    """Download LOL, verify every file's checksum, and unpack it in its published layout."""
    with errors_in_one_line("data download", debug):
        if name.lower() != "lol":
            raise ValueError(f"no dataset {name!r}; the only one is lol")
        check_folder(root, "folder")
        from lowlight.data import download as fetching  # imports torch, which --help need not wait for

        print(fetching.LICENCE)
        place = url or fetching.URL
        fetching.download_lol(root, archive=archive, url=place, timeout=timeout, progress=_show_progress)
    print(f"LOL is in {root}, every file as published. Next: lowlight data check {shlex.quote(str(root))}")


def _show_progress(done: int, total: int | None) -> None:
    """Show the progress of a download on a terminal."""
    if sys.stderr.isatty():
        whole = f" of {total / 2**20:.0f}" if total else ""
        print(f"\r{done / 2**20:.0f}{whole} MiB", end="", file=sys.stderr, flush=True)


@app.command()
def retrieve(
    root: Annotated[
        Path, typer.Argument(help="Paired dataset with training and test splits.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the predictions to.", show_default=False)],
    split: Annotated[
        str, typer.Option(help="Protocol, as in data.split: standard, scene_disjoint or by_file.")
    ] = "standard",
    data: Data = "lol",
    debug: Debug = False,
) -> None:
    """Write the predictions of the no-learning control.

    Each prediction is the reference of the training pair whose dark image is most similar to the test image.
    The score shows what test scenes in the training split are worth.
    """
    with errors_in_one_line("data retrieve", debug):
        check_folder(out)
        from lowlight.data import PairDataModule  # imports torch, which --help need not wait for
        from lowlight.data.layouts import layout_of
        from lowlight.data.retrieve import retrieve as write_answers

        if out.exists() and any(out.iterdir()):
            raise ValueError(f"{out} is not empty; give another --out")
        layout = layout_of(data)
        pairs = PairDataModule(root, layout=layout, split=split, val_fraction=0)  # type: ignore[arg-type]  # checked there
        answers = write_answers(pairs, out)
    print(f"{len(answers)} predictions in {out}; score them:")
    settings = f"{setting('predictions', out)} data={data} {setting('data.root', root)}"
    print(f"lowlight evaluate {settings} data.split={split} output_dir=...")


main = app.main

if __name__ == "__main__":
    main()
