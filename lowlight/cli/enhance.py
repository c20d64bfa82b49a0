"""`lowlight enhance`: brighten dark photographs and videos."""

import codecs
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._options import Debug, Trust
from lowlight.cli._sizes import read_size
from lowlight.cli._threads import wait_passively
from lowlight.files import printable, remove_leftovers
from lowlight.inference.settings import DEFAULTS, Outcome, Settings


class Engine(StrEnum):
    """Where files are processed."""

    plain = "plain"
    ray = "ray"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def enhance(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Photographs, videos, folders (searched recursively), or - for a list on standard input.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Output folder.", show_default=False)],
    checkpoint: Annotated[
        Path | None, typer.Option(help="Run folder, checkpoint, pretrained folder or exported network.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="Method that needs no training: coarse_to_fine (the default), gamma, lime, ..."),
    ] = None,
    strength: Annotated[
        float, typer.Option(help="Weight of the enhancement, from 0 (none) to 1; mixed in linear light.")
    ] = DEFAULTS.strength,
    fail_safe: Annotated[
        bool, typer.Option(help="Leave photographs unchanged if not dark, or if the result fails a check.")
    ] = DEFAULTS.fail_safe,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Skip files whose output exists.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite existing outputs.")] = False,
    max_memory: Annotated[
        str | None, typer.Option(help="Memory limit of the process, such as 1500MB; by default 2GB or more.")
    ] = None,
    tile: Annotated[
        int | None, typer.Option(help="Tile side in pixels; by default as large as the memory allows.")
    ] = DEFAULTS.tile,
    max_pixels: Annotated[float, typer.Option(help="Largest photograph accepted, in pixels.")] = float(
        DEFAULTS.max_pixels
    ),
    smoothing: Annotated[
        float, typer.Option(help="Time constant of a video's exposure smoothing, in seconds; 0 for none.")
    ] = DEFAULTS.smoothing,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps, xpu; auto uses CUDA if it can.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="auto, fp32, bf16, fp16, int8; auto keeps within a level of 255 of fp32.")
    ] = "auto",
    runtime: Annotated[
        str | None,
        typer.Option(
            help="What computes the network: torch, openvino, onnx.", show_default="torch; openvino for int8"
        ),
    ] = None,
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
    debug: Debug = False,
) -> None:
    """Enhance photographs and videos of any kind and size.

    Outputs keep their names, and their paths below a given folder. A file that cannot be read is reported,
    and the rest are processed. The exit status is 1 if any file failed.
    """
    if runtime or precision == "int8":
        wait_passively()

    from lowlight.inference.batch.jobs import check_targets, find_jobs, run_jobs, without_model
    from lowlight.inference.models import DEFAULT, check_model

    with errors_in_one_line("enhance", debug):
        memory = None if max_memory is None else read_size(max_memory, "--max-memory")
        settings = Settings(strength, fail_safe, int(max_pixels), smoothing, memory, tile)
        check_model(checkpoint, method, precision, runtime)
        jobs, outcomes = find_jobs(_listed(paths), out)
        check_targets(jobs, skip_existing=skip_existing, overwrite=overwrite)
        remove_leftovers({job.target.parent for job in jobs})
        model: dict[str, Any] = {
            "checkpoint": checkpoint,
            "method": method,
            "trust": trust or (),
            "precision": precision,
            "runtime": runtime,
            "calibrate": calibrate or [job.source for job in jobs if not job.is_video],
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
            if enhancer.note:
                print(enhancer.note, file=sys.stderr)
            done = run_jobs(
                jobs, lambda job: enhance_job(enhancer, job, settings), skip_existing=skip_existing
            )
    if not all(settled) and checkpoint is None and method is None:
        print(
            f"No --checkpoint given: {DEFAULT} enhances, with the weights that come with lowlight "
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
        _print_summary(outcomes, out, as_json)
    raise typer.Exit(any(outcome.status == "failed" for outcome in outcomes))


_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
"""Byte-order marks, and the encodings of lists that begin with them."""


def _listed(paths: Sequence[Path]) -> list[Path]:
    """Return the paths; ``-`` stands for those on standard input, one per line or separated by NUL.

    Raises:
        ValueError: If the list is in an encoding that cannot be told.
    """
    given = [_names(sys.stdin.buffer.read()) if str(path) == "-" else [str(path)] for path in paths]
    return [Path(name) for names in given for name in names]


def _names(content: bytes) -> list[str]:
    """Read a list of file names: in UTF-16 or UTF-32 with a byte-order mark, else as file names are encoded.

    Raises:
        ValueError: If it looks like UTF-16 without a mark, or is none in spite of it.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    try:
        text = content.decode(encoding) if encoding else os.fsdecode(content)
    except UnicodeDecodeError:
        raise ValueError(
            f"the list on standard input is no {encoding}, as it begins; write it in UTF-8"
        ) from None
    names = text.split("\0") if "\0" in text else text.split("\n")
    names = names if names[-1] else names[:-1]
    if "\0" in text:
        parities = {place % 2 for place, letter in enumerate(text) if letter == "\0"}
        broken = any(not name or name.strip("\r\n") != name for name in names)
        if broken or (len(parities) == 1 and min(map(len, names)) == 1):
            raise ValueError("the list on standard input looks like UTF-16 or is no text; write it in UTF-8")
    elif all(name.endswith("\r") for name in names):  # as Windows ends lines
        names = [name.removesuffix("\r") for name in names]
    return [name for name in names if name]


def _watched(outcomes: Iterable[Outcome], total: int) -> Iterable[Outcome]:
    """Show a progress bar on a terminal, and each failure as it occurs."""
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


def _lines(outcome: Outcome) -> list[str]:
    """Return what is reported on a file; nothing if all went well."""
    if outcome.status == "failed":
        return [printable(f"failed: {outcome.reason}")]
    lines = [f"note: {outcome.source}: {note}" for note in outcome.notes]
    if (video := outcome.video) is not None:
        lines.append(
            f"{outcome.source}: {video.frames} frames; flicker {video.flicker_in:.2f} levels, "
            f"enhanced {video.flicker_unsmoothed:.2f}, smoothed {video.flicker_out:.2f}"
        )
    if outcome.status == "skipped" and outcome.reason != "exists":
        lines.append(f"skipped: {outcome.reason}")
    if outcome.status == "unchanged":
        lines.append(f"unchanged: {outcome.source}: {outcome.reason}")
    return [printable(line) for line in lines]


def _print_summary(outcomes: Sequence[Outcome], out: Path, as_json: bool) -> None:
    """Print the number of files per status, or all outcomes as JSON."""
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
