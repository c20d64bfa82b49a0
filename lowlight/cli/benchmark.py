"""``lowlight benchmark``: speed, memory and size of methods."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._options import Debug, Trust
from lowlight.cli._tables import print_table
from lowlight.cli._threads import wait_passively
from lowlight.cli._verb import Verb
from lowlight.files import check_folder, json_text, printable
from lowlight.runtimes.table import RUNTIMES

app = Verb("benchmark")

_EXPORTED = ", ".join(runtime.name for runtime in RUNTIMES)


@app.command()
def benchmark(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="Methods (randomly initialised), runs, checkpoints, pretrained folders; the baseline first.",
            show_default="coarse_to_fine autoencoder gamma",
        ),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(help="Width and height in pixels; repeatable.", show_default="600x400"),
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            help=f"torch, bf16, fp16, compile, {_EXPORTED}, int8; repeatable.", show_default="torch"
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=2, help="Timings per method.")] = 10,
    train: Annotated[
        str | None,
        typer.Option(help="Also time training steps: batch size and crop side, such as 8x128."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; torch's default if not given.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "cpu",
    trust: Trust = None,
    out: Annotated[Path | None, typer.Option(help="Folder for benchmark.json and the plot.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the measurements as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Time methods by turns in one process; count parameters, multiply-accumulates and memory.

    Prints a table, in decimal units (1 MB is 10^6 bytes). Where a run has test scores, the plot shows PSNR
    against time.
    """
    with errors_in_one_line("benchmark", debug):
        if out:
            check_folder(out)
        if any(runtime.name in (engine or ()) for runtime in RUNTIMES) or "int8" in (engine or ()):
            wait_passively()
        import torch  # --help need not wait for it

        from lowlight.benchmark import benchmark as measure
        from lowlight.cli._quiet import quieten_lightning
        from lowlight.report.latency import write

        quieten_lightning()
        sizes = [_pair(text, "--size") for text in size or ["600x400"]]
        steps = None if train is None else _pair(train, "--train")
        if threads:
            torch.set_num_threads(threads)
        result = measure(
            models or ["coarse_to_fine", "autoencoder", "gamma"],
            sizes=sizes,
            engines=engine or ["torch"],
            rounds=rounds,
            train=steps,
            device=device,
            trust=trust or (),
        )
        if out:
            write(result, out)
    if as_json:
        print(json_text(result))
    else:
        _print(result)


def _pair(text: str, option: str) -> tuple[int, int]:
    """Parse two positive numbers such as ``600x400``."""
    first, _, second = text.partition("x")
    if not (first.isdecimal() and second.isdecimal() and int(first) and int(second)):
        raise ValueError(f"{option}={text} is no pair of numbers such as 600x400")
    return int(first), int(second)


def _megabytes(row: dict[str, Any]) -> str:
    return "-" if row["memory_mb"] is None else f"{row['memory_mb']:.0f}"


def _print(result: dict[str, Any]) -> None:
    """Print the measurements as a table, and what they come with."""
    rows = []
    for row in result["rows"]:
        low, high = row["quartiles"]
        size = f"{row['width']}x{row['height']}"
        numbers = [f"{row['parameters'] / 1e6:.2f}", f"{row['gmac']:.2f}", f"{row['milliseconds']:.1f}"]
        numbers += [f"{low:.1f}-{high:.1f}", f"{row['ratio']:.2f}", _megabytes(row)]
        rows.append([row["model"], row["engine"], size, *numbers, f"{row['megapixels_per_s']:.2f}"])
    headings = ["size", "M params", "GMAC", "ms", "quartiles", "ratio", "MB", "MP/s"]
    print_table(["model", "engine", *headings], rows, right=headings)
    lines = [
        f"training {row['model']}: {row['images_per_s']:.1f} images/s ({row['batch']} crops of "
        f"{row['side']} pixels, {row['milliseconds']:.0f} ms per step, {_megabytes(row)} MB)"
        for row in result["training"]
    ]
    lines += [f"not run: {row['model']}, {row['engine']}: {row['reason']}" for row in result["failed"]]
    about = result["about"]
    lines.append(
        f"Medians of {about['rounds']} rounds in turn after a warm-up, {about['threads']} threads, "
        f"{about['device']}; ratio to the first, round by round."
    )
    if about["noisy"]:
        lines.append(
            f"THE MACHINE WAS NOISY: constant work spread by {about['spread_of_constant_work']:.0%}; "
            "trust the ratios, not the times."
        )
    print(*map(printable, lines), sep="\n")


main = app.main

if __name__ == "__main__":
    main()
