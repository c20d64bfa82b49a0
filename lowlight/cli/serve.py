"""``lowlight serve``: an HTTP server that enhances photographs for other programs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._options import (
    AllowHost,
    Debug,
    Device,
    Host,
    MaxMemory,
    MaxUpload,
    Precision,
    Runs,
    Runtime,
    Trust,
)
from lowlight.cli._sizes import parse_pixels, parse_size
from lowlight.cli._threads import wait_passively
from lowlight.cli._verb import Verb
from lowlight.inference.models import DEFAULT, check_model

app = Verb("serve")


@app.command()
def serve(
    runs: Runs = None,
    model: Annotated[str, typer.Option(help="Model that is used where a request names none.")] = DEFAULT,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any.")] = 8000,
    max_upload: MaxUpload = "20MB",
    max_pixels: Annotated[float, typer.Option(help="Largest image to accept, in pixels.")] = 25e6,
    max_memory: MaxMemory = None,
    allow_host: AllowHost = None,
    device: Device = "auto",
    precision: Precision = "auto",
    runtime: Runtime = None,
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(
            help="Dark photographs, or folders of them, that int8 is calibrated on; repeatable.",
            show_default=False,
        ),
    ] = None,
    trust: Trust = None,
    debug: Debug = False,
) -> None:
    """Serve POST /enhance: a picture in, the enhanced picture out.

    By default only this machine can reach it, by its address or as localhost. /docs describes the interface.
    Ctrl-C ends it.
    """
    if runtime or precision == "int8":
        wait_passively()

    def announce(address: str, note: str | None) -> None:
        if note:
            print(note, file=sys.stderr)
        print(f"Serving {model} on {address}, described at {address}/docs (Ctrl-C ends it)", flush=True)

    from lowlight.inference.settings import Settings
    from lowlight.serving.server import listen, serve

    with errors_in_one_line("serve", debug):
        size = parse_size(max_upload, "--max-upload", kilo=1024)  # as `lowlight demo` counts
        memory = None if max_memory is None else parse_size(max_memory, "--max-memory")
        settings = Settings(max_pixels=parse_pixels(max_pixels), max_memory=memory)
        check_model(None, None, precision, runtime, calibrate=calibrate or ())
        options = {
            "device": device,
            "precision": precision,
            "runtime": runtime,
            "calibrate": calibrate or (),
            "trust": trust or (),
        }
        with listen(host, port) as listening:
            serve(listening, host, runs, model, options, settings, size, allow_host or (), announce)


main = app.main

if __name__ == "__main__":
    main()
