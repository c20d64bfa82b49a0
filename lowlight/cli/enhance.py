"""`lowlight enhance`: brighten dark photographs and videos."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._notices import say_once
from lowlight.cli._options import As, Debug, Device, MaxMemory, Precision, Runtime, Trust
from lowlight.cli._pipes import PIPE, places
from lowlight.cli._sizes import parse_pixels, parse_size
from lowlight.cli._threads import wait_passively
from lowlight.cli._verb import Verb
from lowlight.files import json_text, printable, remove_leftovers
from lowlight.inference.settings import DEFAULTS, Outcome, Settings

if TYPE_CHECKING:
    from lowlight.inference.batch.jobs import Job


class Engine(StrEnum):
    """Where files are processed."""

    plain = "plain"
    ray = "ray"


app = Verb("enhance")


@app.command()
def enhance(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Photographs, videos, folders (searched recursively), or - for a photograph or a list of "
            "names on standard input.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="Output folder; for one photograph or video also a file, or - for standard output.",
            show_default=False,
        ),
    ],
    checkpoint: Annotated[
        Path | None, typer.Option(help="Run folder, checkpoint, pretrained folder or exported network.")
    ] = None,
    original: As = None,
    method: Annotated[
        str | None,
        typer.Option(help="Method that needs no training: coarse_to_fine (the default), gamma, lime, ..."),
    ] = None,
    strength: Annotated[
        float, typer.Option(help="Weight of the enhancement, 0 for none, up to 2; mixed in linear light.")
    ] = DEFAULTS.strength,
    exposure: Annotated[
        float, typer.Option(help="Change of the result's exposure in stops, such as +0.7.")
    ] = DEFAULTS.exposure,
    brightness: Annotated[
        float | None,
        typer.Option(help="Mean luma of the result, such as 0.45.", show_default="the method decides"),
    ] = DEFAULTS.brightness,
    saturation: Annotated[
        float, typer.Option(help="Factor of the result's saturation, 0 for grey.")
    ] = DEFAULTS.saturation,
    bracket: Annotated[
        int, typer.Option(min=1, help="Number of results a stop apart, around the exposure.")
    ] = 1,
    fail_safe: Annotated[
        bool,
        typer.Option(help="Leave files unchanged if not dark, photographs also if the result fails a check."),
    ] = DEFAULTS.fail_safe,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Skip files whose output exists.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite existing outputs.")] = False,
    max_memory: MaxMemory = None,
    tile: Annotated[
        int | None, typer.Option(help="Tile side in pixels; by default as large as the memory allows.")
    ] = DEFAULTS.tile,
    max_pixels: Annotated[float, typer.Option(help="Largest photograph accepted, in pixels.")] = float(
        DEFAULTS.max_pixels
    ),
    smoothing: Annotated[
        float, typer.Option(help="Time constant of a video's exposure smoothing, in seconds; 0 for none.")
    ] = DEFAULTS.smoothing,
    device: Device = "auto",
    precision: Precision = "auto",
    runtime: Runtime = None,
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(
            help="Dark photographs, or folders of them, that int8 is calibrated on; repeatable.",
            show_default="16 of those given",
        ),
    ] = None,
    trust: Trust = None,
    engine: Annotated[
        Engine, typer.Option(help="plain: in this process; ray: by several processes or machines.")
    ] = Engine.plain,
    actors: Annotated[
        int | None, typer.Option(min=1, help="Number of Ray workers; by default one per GPU or per core.")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="HOST:PORT of a running cluster; by default Ray is started here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every file's outcome as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print failures only.")] = False,
    debug: Debug = False,
) -> None:
    """Enhance photographs and videos of any kind and size.

    Outputs keep their names, and their paths below a given folder. A file that cannot be read is reported,
    and the rest are processed. The exit status is 1 if any file failed.
    """
    if runtime or precision == "int8":
        wait_passively()

    from lowlight.inference.batch.jobs import check_targets, find_jobs, run_jobs, without_model
    from lowlight.inference.models import DEFAULT, INT8, check_model

    with errors_in_one_line("enhance", debug), places(paths, out) as place:
        if as_json and out == PIPE:
            raise ValueError("--json and --out - both write to standard output; give --out a file")
        memory = None if max_memory is None else parse_size(max_memory, "--max-memory")
        settings = Settings(
            strength,
            fail_safe,
            parse_pixels(max_pixels),
            smoothing,
            memory,
            tile,
            exposure,
            brightness,
            saturation,
        )
        for end in (-1, 1):
            replace(settings, exposure=exposure + end * (bracket - 1) / 2)  # refuses what is out of range
        check_model(checkpoint, method, precision, runtime, original, calibrate or ())
        if engine is not Engine.ray and (actors is not None or ray_address is not None):
            raise ValueError("--actors and --ray-address are for several processes: give --engine ray, too")
        jobs, outcomes = find_jobs(place.paths, place.out, bracket)
        if out == PIPE and len(jobs) + len(outcomes) != 1:
            raise ValueError(f"--out - takes one photograph, not {len(jobs) + len(outcomes)}")
        check_targets(jobs, skip_existing=skip_existing, overwrite=overwrite)
        remove_leftovers({job.target.parent for job in jobs})
        model: dict[str, Any] = {
            "checkpoint": checkpoint,
            "method": method,
            "original": original,
            "trust": trust or (),
            "precision": precision,
            "runtime": runtime,
            "calibrate": calibrate or (_photographs(jobs) if precision == INT8 else ()),
        }
        settled = [without_model(job, skip_existing=skip_existing) for job in jobs]
        if all(settled):
            done: Iterable[Outcome] = [outcome for outcome in settled if outcome]
        elif engine is Engine.ray:
            from lowlight.inference.batch.ray import run_jobs_on_ray
            from lowlight.inference.load import choose

            choose(**model, device="cpu")  # fails here, once, if no worker could load it
            done = run_jobs_on_ray(
                jobs,
                {**model, "device": device},
                settings,
                skip_existing=skip_existing,
                actors=actors,
                address=ray_address,
            )
        else:
            from lowlight.inference.batch.enhance import enhance_job
            from lowlight.inference.load import choose

            enhancer = choose(**model, device=device)
            if enhancer.note and not quiet:
                print(enhancer.note, file=sys.stderr)
            done = run_jobs(
                jobs, lambda job: enhance_job(enhancer, job, settings), skip_existing=skip_existing
            )
        if not (all(settled) or checkpoint or method or quiet):
            say_once(
                f"No --checkpoint given: {DEFAULT} enhances, with the weights that come with lowlight "
                "(trained on LOL and others, for research only)."
            )
        outcomes = [place.named(outcome) for outcome in outcomes]
        for outcome in outcomes:
            _print_outcome(outcome, quiet)
        try:
            for outcome in _watched(done, len(jobs), place.named, quiet):
                outcomes.append(outcome)
        except KeyboardInterrupt:
            print("lowlight enhance: stopped; --skip-existing does the rest", file=sys.stderr)
            raise typer.Exit(130) from None
        finally:
            if as_json:
                _print_json(outcomes)
            elif not quiet:
                print(_summary(outcomes, out), file=sys.stderr if out == PIPE else sys.stdout)
    raise typer.Exit(any(outcome.status == "failed" for outcome in outcomes))


def _photographs(jobs: "Sequence[Job]") -> list[Path]:
    """Return the photographs among the jobs, without those that are missing, which is told of each."""
    return [job.source for job in jobs if not job.is_video and job.source.exists()]


def _watched(
    done: Iterable[Outcome], total: int, named: Callable[[Outcome], Outcome], quiet: bool
) -> Iterator[Outcome]:
    """Show a progress bar on a terminal, and what is to be said of each file when it is done."""
    from tqdm import tqdm

    megapixels = 0.0
    with tqdm(total=total, unit="file", disable=quiet or None, dynamic_ncols=True) as bar:
        for outcome in map(named, done):
            megapixels += outcome.megapixels
            elapsed = bar.format_dict.get("elapsed") or 1e-9
            bar.set_postfix_str(f"{megapixels / elapsed:.2f} MP/s", refresh=False)
            bar.update()
            with bar.external_write_mode(file=sys.stderr):
                _print_outcome(outcome, quiet)
            yield outcome


def _print_outcome(outcome: Outcome, quiet: bool) -> None:
    """Print what is to be said of a file on stderr: its failure, and unless quiet what was noted."""
    for line in _lines(outcome):
        if outcome.status == "failed" or not quiet:
            print(printable(line), file=sys.stderr)


def _lines(outcome: Outcome) -> list[str]:
    """Return what is to be said of a file; nothing if all went well."""
    if outcome.status == "failed":
        return [f"failed: {outcome.reason}"]
    lines = [f"note: {outcome.source}: {note}" for note in outcome.notes]
    if (video := outcome.video) is not None:
        flicker = (video.flicker_in, video.flicker_unsmoothed, video.flicker_out)
        told = ["–" if one is None else f"{one:.2f}" for one in flicker]
        lines.append(
            f"{outcome.source}: {video.frames} frames; flicker {told[0]} levels, enhanced {told[1]}, "
            f"smoothed {told[2]}"
        )
    if outcome.status == "skipped" and outcome.reason != "exists":
        lines.append(f"skipped: {outcome.reason}")
    if outcome.status == "unchanged":
        lines.append(f"unchanged: {outcome.source}: {outcome.reason}")
    return lines


def _summary(outcomes: Sequence[Outcome], out: Path) -> str:
    """Return the number of files per status, in one line."""
    counts = Counter(outcome.status for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    megapixels = sum(outcome.megapixels for outcome in outcomes)
    parts = [f"{counts[status]} {status}" for status in ("enhanced", "unchanged", "skipped", "failed")]
    if counts["unchanged"]:
        reasons = Counter(str(outcome.reason) for outcome in outcomes if outcome.status == "unchanged")
        parts[1] += f" ({', '.join(f'{count} {reason}' for reason, count in sorted(reasons.items()))})"
    shown = [part for part in parts if not part.startswith("0 ")] or ["nothing to do"]
    speed = f"; {megapixels:.1f} megapixels in {seconds:.1f} s" if seconds else ""
    place = "standard output" if out == PIPE else out
    return f"{', '.join(shown)}{speed}; in {place}"


def _print_json(outcomes: Sequence[Outcome]) -> None:
    """Print all outcomes as JSON, with the number of files per status."""
    summary: dict[str, Any] = {
        **Counter(outcome.status for outcome in outcomes),
        "seconds": sum(outcome.seconds for outcome in outcomes),
        "megapixels": sum(outcome.megapixels for outcome in outcomes),
    }
    files = [
        {key: str(value) if isinstance(value, Path) else value for key, value in asdict(outcome).items()}
        for outcome in outcomes
    ]
    print(json_text({"files": files, "summary": summary}))


main = app.main

if __name__ == "__main__":
    main()
