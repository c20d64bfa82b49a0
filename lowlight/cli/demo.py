"""`lowlight demo`: a web page that enhances photographs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lowlight.cli._sizes import read_size

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def demo(
    runs: Annotated[
        Path | None, typer.Option(help="A folder of runs and checkpoints to choose from.", show_default=False)
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is all of them.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 7860,
    max_upload: Annotated[str, typer.Option(help="Refuse larger files.")] = "20MB",
    max_pixels: Annotated[float, typer.Option(help="Refuse larger images, in pixels.")] = 25e6,
    trust: Annotated[
        list[str] | None, typer.Option(help="A package that the checkpoints may call, as mypackage.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Enhance photographs on a web page of this machine.

    By default the page can be opened on this machine only. It loads nothing from elsewhere and sends
    nothing there. Ctrl-C ends it, and deletes what was uploaded.
    """
    from lowlight.demo.page import serve  # it imports torch, which --help need not wait for

    def tell(address: str) -> None:
        print(f"The page is {address} (Ctrl-C ends it)", flush=True)

    try:
        size = read_size(max_upload, "--max-upload", kilo=1024)  # as Gradio counts
        serve(runs, host, port, size, int(max_pixels), trust or (), tell)
    except (OSError, ValueError) as error:
        if debug:
            raise
        print(f"lowlight demo: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(1) from None


def main() -> None:
    """Run the command."""
    app(prog_name="lowlight demo")


if __name__ == "__main__":
    main()
