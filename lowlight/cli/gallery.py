"""``lowlight gallery``: many methods over many photographs on one page, and the ranking of votes on them."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._options import Debug, Device, Precision, Trust
from lowlight.cli._progress import watched
from lowlight.cli._tables import print_table
from lowlight.cli._verb import Verb
from lowlight.files import check_folder, json_text, printable

if TYPE_CHECKING:
    from lowlight.gallery.make import Made
    from lowlight.gallery.votes import Ranking

app = Verb("gallery")


@app.command()
def gallery(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PHOTOS",
            help="Photographs, videos, folders (searched recursively); with --votes further files of votes.",
            show_default=False,
        ),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            help="Methods that need no training, run folders, checkpoints or exports, separated by commas.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write to.", show_default=False)] = None,
    references: Annotated[
        Path | None,
        typer.Option(help="Folder of reference images with the photographs' names.", show_default=False),
    ] = None,
    longest: Annotated[
        int, typer.Option(min=0, help="Longer side in pixels to reduce photographs to; 0 for native size.")
    ] = 1280,
    frames: Annotated[int, typer.Option(min=1, help="Number of frames to show of a video.")] = 3,
    embed: Annotated[
        bool | None,
        typer.Option(
            "--embed/--no-embed",
            help="Whether the page holds its pictures, or a folder beside it.",
            show_default="up to 15 MB",
        ),
    ] = None,
    votes: Annotated[
        list[Path] | None,
        typer.Option(
            help="Rank the methods by a file of votes from such a page; repeatable.", show_default=False
        ),
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    trust: Trust = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ranking as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Compare methods over photographs on one page with sliders, scores and a blind vote, or rank the votes.

    A photograph that cannot be read is reported, and the rest are shown; the exit status is then 1.
    """
    with errors_in_one_line("gallery", debug):
        if out:
            check_folder(out)
        if votes:
            if methods:
                raise ValueError("give --votes to rank, or --methods to make a page, not both")
            _rank([*votes, *(paths or [])], out, as_json)
            return
        if as_json:
            raise ValueError("--json prints a ranking: give --votes; scores.csv has the scores of a page")
        if not paths or out is None:
            raise ValueError(f"{'--out' if paths else 'PHOTOS'} is missing; see lowlight gallery --help")
        from lowlight.inference.models import check_model, path_or_name

        named = [name.strip() for one in methods or [] for name in one.split(",") if name.strip()]
        for name in named:
            check_model(*path_or_name(name), precision)  # before torch is imported

        from lowlight.gallery.make import make_gallery

        made = make_gallery(
            paths,
            named,
            out,
            references=references,
            longest=longest or None,
            frames=frames,
            embed=embed,
            device=device,
            precision=precision,
            trust=trust or (),
            watch=partial(watched, unit="file"),
        )
        _print(made)
    raise typer.Exit(bool(made.failed))


def _print(made: "Made") -> None:
    """Print the means, failures, and where the page is."""
    from lowlight.gallery.scores import mean_table, score_columns

    content = made.gallery
    columns = score_columns(main=True, paired=content.is_paired)
    table = mean_table("Means", content.items, columns, content.memory)
    headings = [column.heading for column in table.columns]
    rows = [[label, *(cell.text for cell in cells)] for label, cells in table.rows]
    print_table(headings, rows, right=headings[1:])
    for line in made.failed:
        print(printable(f"failed: {line}"), file=sys.stderr)
    where = "embedded" if made.embedded else "in the folder pictures beside it, which belongs to it"
    page, pictures = printable(str(made.page)), len(content.items)
    print(
        f"\nThe gallery is {page}: {pictures} {'picture' if pictures == 1 else 'pictures'}, "
        f"{made.size / 1e6:.1f} MB, {where}."
    )


def _rank(files: Sequence[Path], out: Path | None, as_json: bool) -> None:
    """Rank methods by files of votes, print the ranking and write it."""
    from lowlight.gallery.votes import rank, read_votes, write_ranking

    ranking = rank(read_votes(files))
    if out:
        write_ranking(ranking, out)
    if as_json:
        print(json_text(asdict(ranking)))
        return
    _print_ranking(ranking)


def _print_ranking(ranking: "Ranking") -> None:
    headings = ["method", "score", "95 % interval", "preferred", "wins", "ties", "losses"]
    rows = [
        [
            one.method,
            f"{one.score:+.2f}",
            "-" if one.low is None else f"{one.low:+.2f} to {one.high:+.2f}",
            f"{one.preferred:.0%}",
            *map(str, (one.wins, one.ties, one.losses)),
        ]
        for one in ranking.methods
    ]
    print_table(headings, rows, right=headings[1:])
    print(f"\n{printable(ranking.describe())}")


main = app.main

if __name__ == "__main__":
    main()
