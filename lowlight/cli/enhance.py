"""`lowlight enhance`: make dark photographs and videos bright."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowlight.cli._sizes import read_size

if TYPE_CHECKING:
    from lowlight.inference.settings import Outcome


class Engine(StrEnum):
    """What does the files."""

    plain = "plain"
    ray = "ray"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def enhance(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Photographs, videos, folders (with all below), or - for a list on standard input.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to.", show_default=False)],
    checkpoint: Annotated[
        Path | None, typer.Option(help="A run's folder, a checkpoint, a pretrained folder, or an export.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="One that needs no training: coarse_to_fine (the default), gamma, lime, ..."),
    ] = None,
    strength: Annotated[float, typer.Option(help="From 0, nothing, to 1; mixed in linear light.")] = 1.0,
    fail_safe: Annotated[
        bool, typer.Option(help="Leave what is not dark, or comes out ruined, as it is.")
    ] = True,
    skip_existing: Annotated[bool, typer.Option("--skip-existing", help="Do what is not done yet.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over earlier outputs.")] = False,
    max_memory: Annotated[
        str | None, typer.Option(help="What the process may hold, as 3GB or 1500MB; 2GB if it can.")
    ] = None,
    tile: Annotated[int | None, typer.Option(help="Side of the tiles, pixels; the memory decides.")] = None,
    max_pixels: Annotated[float, typer.Option(help="Refuse larger images, in pixels.")] = 250e6,
    smoothing: Annotated[float, typer.Option(help="Seconds to smooth a video's exposure over.")] = 0.5,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...; a GPU if there is one.")] = "auto",
    trust: Annotated[
        list[str] | None, typer.Option(help="A package that the checkpoint may call, as mypackage.")
    ] = None,
    engine: Annotated[Engine, typer.Option(help="ray: by several processes or machines.")] = Engine.plain,
    actors: Annotated[
        int | None, typer.Option(min=1, help="Processes of Ray's; by default one a GPU, or one a core.")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="A running cluster's HOST:PORT; by default Ray is started here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what became of each file as JSON.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Enhance photographs and videos of any kind and size.

    Outputs keep their names, below a folder their places. A file that cannot be read is told of and the
    rest is done. The exit status is 1 if any file failed.
    """
    from lowlight.inference.batch.jobs import check_targets, enhance_job, find_jobs, run_jobs
    from lowlight.inference.batch.ray import run_jobs_on_ray
    from lowlight.inference.load import choose
    from lowlight.inference.settings import Settings

    try:
        memory = None if max_memory is None else read_size(max_memory, "--max-memory")
        settings = Settings(strength, fail_safe, int(max_pixels), smoothing, memory, tile)
        jobs, outcomes = find_jobs(_listed(paths), out)
        check_targets(jobs, skip_existing=skip_existing, overwrite=overwrite)
        model: dict[str, Any] = {"checkpoint": checkpoint, "method": method, "trust": trust or ()}
        if engine is Engine.ray:
            enhancer = choose(**model, device="cpu")  # refuses here what no worker could use
            done = run_jobs_on_ray(
                jobs,
                {**model, "device": device},
                settings,
                skip_existing=skip_existing,
                actors=actors,
                address=ray_address,
            )
        else:
            enhancer = choose(**model, device=device)
            done = run_jobs(
                jobs, lambda job: enhance_job(enhancer, job, settings), skip_existing=skip_existing
            )
    except (OSError, ValueError) as error:
        if debug:
            raise
        print(f"lowlight enhance: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(1) from None
    if checkpoint is None and method is None:
        print(
            f"No --checkpoint given: {enhancer.name} enhances, with the weights that come with lowlight "
            "(trained on LOL, for research only).",
            file=sys.stderr,
        )
    for outcome in outcomes:
        print(*_lines(outcome), sep="\n", file=sys.stderr)
    try:
        for outcome in _watched(done, len(jobs)):
            outcomes.append(outcome)
    except KeyboardInterrupt:
        print("lowlight enhance: stopped; --skip-existing does the rest", file=sys.stderr)
        raise typer.Exit(130) from None
    finally:
        _tell(outcomes, out, as_json)
    raise typer.Exit(any(outcome.status == "failed" for outcome in outcomes))


def _listed(paths: Sequence[Path]) -> list[Path]:
    """Return the paths, with those that standard input lists, one a line or NUL between them, for ``-``."""
    listed = []
    for path in paths:
        if str(path) == "-":
            text = sys.stdin.buffer.read().decode(sys.getfilesystemencoding(), "surrogateescape")
            names = text.split("\0") if "\0" in text else text.splitlines()
            listed += [Path(name) for name in names if name]
        else:
            listed.append(path)
    return listed


def _watched(outcomes: Iterable["Outcome"], total: int) -> Iterable["Outcome"]:
    """Show a bar on a terminal, and each failure as it comes."""
    from tqdm import tqdm

    megapixels = 0.0
    with tqdm(total=total, unit="file", disable=None, dynamic_ncols=True) as bar:
        for outcome in outcomes:
            megapixels += outcome.megapixels
            elapsed = bar.format_dict["elapsed"] or 1e-9
            bar.set_postfix_str(f"{megapixels / elapsed:.2f} MP/s", refresh=False)
            bar.update()
            for line in _lines(outcome):
                bar.write(line, file=sys.stderr)
            yield outcome


def _lines(outcome: "Outcome") -> list[str]:
    if outcome.status == "failed":
        return [f"failed: {outcome.reason}"]
    lines = [f"note: {outcome.source}: {note}" for note in outcome.notes]
    if (video := outcome.video) is not None:
        lines.append(
            f"{outcome.source}: {video.frames} frames; flicker {video.flicker_in:.2f} levels, "
            f"enhanced {video.flicker_unsmoothed:.2f}, smoothed {video.flicker_out:.2f}"
        )
    if outcome.status == "unchanged":
        lines.append(f"unchanged: {outcome.source}: {outcome.reason}")
    return lines


def _tell(outcomes: Sequence["Outcome"], out: Path, as_json: bool) -> None:
    counts = Counter(outcome.status for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    megapixels = sum(outcome.megapixels for outcome in outcomes)
    if as_json:
        summary: dict[str, Any] = {**counts, "seconds": seconds, "megapixels": megapixels}
        files = [
            {key: str(value) if isinstance(value, Path) else value for key, value in asdict(outcome).items()}
            for outcome in outcomes
        ]
        print(json.dumps({"files": files, "summary": summary}, indent=2))
        return
    parts = [f"{counts[status]} {status}" for status in ("enhanced", "unchanged", "skipped", "failed")]
    if counts["unchanged"]:
        reasons = Counter(str(outcome.reason) for outcome in outcomes if outcome.status == "unchanged")
        parts[1] += f" ({', '.join(f'{count} {reason}' for reason, count in sorted(reasons.items()))})"
    shown = [part for part in parts if not part.startswith("0 ")] or ["nothing to do"]
    speed = f"; {megapixels:.1f} megapixels in {seconds:.1f} s" if seconds else ""
    print(f"{', '.join(shown)}{speed}; in {out}")


def main() -> None:
    """Run the command."""
    app(prog_name="lowlight enhance")


if __name__ == "__main__":
    main()
