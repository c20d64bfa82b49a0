"""``lowlight data``: audit a set of pairs, fetch LOL, write the no-learning control."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from lowlight.cli._audit_text import describe

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Audit a set of pairs, fetch LOL, write the no-learning control.",
)


@contextmanager
def told_in_one_line(command: str, debug: bool) -> Iterator[None]:
    """Tell what a user got wrong in one line on stderr, exit status 1; with ``debug`` by a traceback."""
    try:
        yield
    except (OSError, ValueError) as error:
        if debug:
            raise
        print(f"lowlight data {command}: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(1) from None


@app.command()
def check(
    root: Annotated[Path, typer.Argument(help="A set in a paired layout, as LOL's.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Name all culprits, not the first ten.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Look at every file of a set: damage, duplicates, misfits, and test scenes that stand in training.

    Exit status: 0 clean, 3 a scene or file stands in two splits, 4 unusable pairs, 5 pairs that do not fit,
    1 no set there.
    """
    with told_in_one_line("check", debug):
        from lowlight.data.audit import audit  # it imports torch, which --help need not wait for

        report = audit(root)
    print(json.dumps(report, indent=2) if as_json else describe(report, None if everything else 10))
    raise typer.Exit({"clean": 0, "leaking": 3, "damaged": 4, "suspicious": 5}[report["verdict"]])


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="The set: lol.", show_default=False)],
    root: Annotated[Path, typer.Option(help="Folder to put it into.", show_default=False)],
    archive: Annotated[
        Path | None, typer.Option(help="A zip fetched by hand, instead of a download.", show_default=False)
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Another place to download the zip from.", show_default=False)
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds without a byte before giving up.")] = 30.0,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Fetch LOL, check every file against the published bytes, and lay it out as published."""
    with told_in_one_line("download", debug):
        if name.lower() != "lol":
            raise ValueError(f"no set {name!r} is known; there is lol")
        from lowlight.data import download as fetching  # it imports torch, which --help need not wait for

        print(fetching.LICENCE)
        place = url or fetching.URL
        fetching.download_lol(root, archive=archive, url=place, timeout=timeout, progress=_show_progress)
    print(f"LOL is in {root}, every file as published. Next: lowlight data check {root}")


def _show_progress(done: int, total: int | None) -> None:
    """Tell a terminal how far a download is."""
    if sys.stderr.isatty():
        whole = f" of {total / 2**20:.0f}" if total else ""
        print(f"\r{done / 2**20:.0f}{whole} MiB", end="", file=sys.stderr, flush=True)


@app.command()
def retrieve(
    root: Annotated[Path, typer.Argument(help="A set with training and test pairs.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to write the answers to.", show_default=False)],
    split: Annotated[
        str, typer.Option(help="standard, scene_disjoint or by_file, as data.split.")
    ] = "standard",
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Write the no-learning control as a folder of predictions.

    Each test image is answered with the reference of the training pair whose dark image is most alike. What
    this scores, it owes to test scenes that stand in the training set.
    """
    with told_in_one_line("retrieve", debug):
        from lowlight.data import PairDataModule  # it imports torch, which --help need not wait for
        from lowlight.data.retrieve import retrieve as write_answers

        if out.exists() and any(out.iterdir()):
            raise ValueError(f"{out} is not empty; give another --out")
        data = PairDataModule(root, split=split, val_fraction=0)  # type: ignore[arg-type]  # checked there
        answers = write_answers(data, out)
    print(f"{len(answers)} predictions in {out}; score them:")
    print(f"lowlight evaluate predictions={out} data=lol data.root={root} data.split={split} output_dir=...")


def main() -> None:
    """Run the command."""
    app(prog_name="lowlight data")


if __name__ == "__main__":
    main()
